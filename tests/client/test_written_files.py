"""Files that people write: jobs and settings in YAML, keys and lists, as every editor saves them."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.commands.job_file import read_job_file
from conductor.lib.config import Config
from conductor.lib.exceptions import BadArgumentError, ConductorError, ConfigError, InvalidPathError
from conductor.lib.file_utils import read_path_list
from conductor.lib.files.text_file import read_text
from conductor.lib.files.yaml_file import NotYamlError, parse_yaml
from conductor.lib.login.api_keys import ApiKey, api_key
from conductor.lib.submission.resolution import resolve

JOB = "instance_type: n1-standard-1\noutput_path: /out\ncmd: render\n"
ODD = [
    "0010",
    "010",
    "1:30",
    "1:30:00",
    "1_000",
    "0x10",
    "0b1",
    "0o17",
    "1.10",
    "1e3",
    "1.0e+3",
    "+5",
    ".5",
    "5.",
]
ODD += [
    "on",
    "off",
    "yes",
    "No",
    "y",
    "n",
    "true",
    "False",
    "TRUE",
    "2026-11-22",
    "2026-11-22 10:00:00",
    "=",
    ".inf",
]
ODD += [".NaN", "0", "-0", "00", "-1", "12345678901234567890", "190:20:30", "1,000", "0.1.2", "0xg", "1__0"]


def written(folder: Path, text: str, name: str = "job.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def job(folder: Path, text: str) -> Any:
    return resolve(read_job_file(written(folder, JOB + text)))


@pytest.mark.parametrize("text", ODD)
def test_a_text_is_sent_as_it_is_written(tmp_path: Path, text: str) -> None:
    made = job(
        tmp_path,
        f"frames: 1\njob_title: {text}\nproject: {text}\nenvironment:\n  A: {text}\n"
        f"metadata:\n  {text}: {text}\nsoftware_package_ids:\n- {text}\n",
    )
    assert (made["job_title"], made["project"]) == (text, text)
    assert (made["environment"], made["metadata"]) == ({"A": text}, {text: text})
    assert made["software_package_ids"] == [text]
    assert type(made["job_title"]) is str


@pytest.mark.parametrize(
    ("text", "frames"), [("0010", "0010"), ("7", "7"), ("1-9x2", "1-9x2"), ("'0010'", "0010")]
)
def test_frames_are_sent_as_they_are_written(tmp_path: Path, text: str, frames: str) -> None:
    assert job(tmp_path, f"frames: {text}")["frames"] == frames


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("frames", text) for text in ("1:30", "1_000", "0x10", "1.10", "on", "1e3", "2026-11-22")),
        *(
            ("priority", text)
            for text in ("1:30", "1_000", "0x10", "0b1", "1.0", "on", "-1", "+5", "1e3", "ten")
        ),
        *(("preemptible", text) for text in ("2", "maybe", "1.0", "'true'", "y")),
        *(("upload_paths", text) for text in ("on", "{a: b}")),
        *(("scout_frame", text) for text in ("1:30", "yes")),
    ],
)
def test_what_an_argument_does_not_take_is_refused_by_its_line(tmp_path: Path, name: str, text: str) -> None:
    rest = "" if name == "frames" else "frames: 1\n"
    with pytest.raises(BadArgumentError) as caught:
        job(tmp_path, f"{rest}{name}: {text}")
    (problem,) = caught.value.problems
    assert problem.argument == name
    plain = text[0] not in "'{"
    assert problem.source == (f"{tmp_path}/job.yaml, line {4 + bool(rest)}" if plain else "")
    assert text.strip("'") in problem.given.replace("': '", ": ").replace("'", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [(text, True) for text in ("true", "True", "on", "yes", "1")]
    + [(text, False) for text in ("false", "OFF", "no", "0")],
)
def test_truth_values_are_read_as_in_a_variable(tmp_path: Path, text: str, value: bool) -> None:
    assert job(tmp_path, f"frames: 1\npreemptible: {text}")["preemptible"] is value


@pytest.mark.parametrize(("text", "number"), [("10", 10), ("0010", 10), ("'7'", 7), ("0", 0)])
def test_whole_numbers_are_decimal(tmp_path: Path, text: str, number: int) -> None:
    assert job(tmp_path, f"frames: 1\npriority: {text}")["priority"] == number


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null_counts_as_not_given(tmp_path: Path, text: str) -> None:
    assert job(tmp_path, f"frames: 1\npriority: {text}")["priority"] == 5


def test_anchors_and_merges_work_and_a_name_that_is_there_twice_does_not(tmp_path: Path) -> None:
    merged = "frames: 1\nmetadata: &all {a: 01}\nenvironment: {<<: *all, b: 02, a: 03}\n"
    assert job(tmp_path, merged)["environment"] == {"a": "03", "b": "02"}
    with pytest.raises(BadArgumentError, match="line 5, column 1: a name is there twice"):
        job(tmp_path, "frames: 1\nframes: 2")
    with pytest.raises(BadArgumentError, match="the name 'a' is there twice"):
        read_job_file(written(tmp_path, '{"metadata": {"a": 1, "a": 2}}', "job.JSON"))


TAGGED = """
!!int#abc !!int#0x10 !!int#1_0 !!int#1:30 !!int#[1] !!float#x !!float#1.10 !!bool#x !!bool#yes
!!timestamp#x !!timestamp#2001-01-01 !!binary#eA== !!set#{a} !!omap#[a:#b] !!pairs#[a:#b] !!str#[a]
!!str#{a:#b} !!map#a !!seq#a !!null#[a] &a#[*a] &a#{b:#*a} {b:#&a#[{c:#*a}]}
"""


@pytest.mark.parametrize("value", TAGGED.split())
def test_tags_of_yaml_1_1_and_circles_are_refused_by_their_place(tmp_path: Path, value: str) -> None:
    with pytest.raises(BadArgumentError, match="is not YAML: line 4, column "):
        job(tmp_path, f"metadata: {value.replace('#', ' ')}")


def test_a_tag_may_say_that_a_value_is_a_whole_number(tmp_path: Path) -> None:
    sent = job(tmp_path, "frames: !!str 010\nenvironment: {A: !!int 010, B: 010, C: !!int '-7'}")
    assert (sent["environment"], sent["frames"]) == ({"A": 10, "B": "010", "C": -7}, "010")


@pytest.mark.parametrize("value", ["&a {client_id: *a}", "!!int x", "!!timestamp x"])
def test_settings_that_are_no_yaml_are_refused_without_what_they_hold(home: Path, value: str) -> None:
    (home / ".conductor").mkdir()
    (home / ".conductor/config.yml").write_text(f"url: http://h\napi_key: {value}\n")
    with pytest.raises(ConfigError, match=r"is not YAML \(line 2\)"):
        Config.load(environ={}, home=home)


def test_an_argument_that_is_not_known_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadArgumentError, match=r"scout_fram \(from .*job.yaml, line 5\)"):
        job(tmp_path, "frames: 1\nscout_fram: 1")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1))
def test_any_text_of_one_line_is_read_as_text_or_refused(text: str) -> None:
    try:
        value = parse_yaml(f"a: {text}", "f")
    except NotYamlError:
        return
    if isinstance(value, dict) and isinstance(value.get("a"), str) and text[0] not in "\"'!&|>*":
        assert value["a"].split() == text.partition(" #")[0].split() or "\u0085" in text or "\u2028" in text


def test_settings_are_read_as_they_are_written_and_refused_by_their_line(home: Path) -> None:
    file = home / ".conductor/config.yml"
    file.parent.mkdir()
    text = "project: 0010\nmd5_caching: off\nthread_count: 08\nlog_level: INFO\nmetadata: {v: 1.10}\n"
    file.write_text(text)
    config = Config.load(environ={}, home=home)
    assert (config["thread_count"], config.argument("md5_caching"), config.argument("project")) == (
        8,
        False,
        "0010",
    )
    assert config.argument("metadata") == {"v": "1.10"}
    assert config.argument("owner") is None
    file.write_text("project: a\nthread_count: 0x10\nurl: on\n")
    with pytest.raises(ConfigError) as caught:
        Config.load(environ={}, home=home)
    assert f"thread_count (from {file}, line 2): given '0x10'" in str(caught.value)
    assert f"url (from {file}, line 3): given 'on'" in str(caught.value)
    file.write_text("api_key: secret\napi_key: secret\n")
    with pytest.raises(ConfigError, match=r"is not YAML \(line 2\): a name is there twice$"):
        Config.load(environ={}, home=home)


ENCODINGS = [
    *((b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le")),
    *(
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ),
]


@pytest.mark.parametrize(("mark", "encoding"), ENCODINGS)
def test_every_file_may_have_a_byte_order_mark(tmp_path: Path, mark: bytes, encoding: str) -> None:
    def save(name: str, text: str) -> Path:
        (tmp_path / name).write_bytes(mark + text.replace("\n", "\r\n").encode(encoding))
        return tmp_path / name

    key = json.dumps({"client_id": "c", "private_key": "é"}, indent=1, ensure_ascii=False)
    assert read_job_file(save("job.json", '{"job_title":\n"é"}')) == {"job_title": "é"}
    assert read_job_file(save("job.yml", "job_title: é\n")) == {"job_title": "é"}
    assert read_path_list(str(save("list", "/é\n/b\n"))) == ["/é", "/b"]
    (tmp_path / "config.yml").write_bytes(
        mark + b"".join([f"api_key_path: {save('key', key)}".encode(encoding)])
    )
    config = Config.load(environ={"CONDUCTOR_USER_DIR": str(tmp_path)}, home=tmp_path)
    assert api_key(config) == ApiKey("c", "é")
    assert ApiKey.parse("\ufeff" + key, "CONDUCTOR_API_KEY") == ApiKey("c", "é")


@given(st.binary(max_size=40), st.sampled_from([mark for mark, _ in ENCODINGS]))
def test_any_bytes_are_text_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, mark: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "f.yml"
    path.write_bytes(mark + data)
    for read in (read_job_file, lambda path: read_path_list(str(path)), lambda path: api_key_of(path)):
        reason = ""
        try:
            read(path)
        except ConductorError as error:
            reason = str(error)
        assert str(path) in (reason or str(path))


def api_key_of(path: Path) -> ApiKey | None:
    return api_key(Config.load(environ={"CONDUCTOR_API_KEY_PATH": str(path)}, home=path.parent))


@pytest.mark.parametrize(
    "data", ["a: é".encode("latin-1"), "a: b".encode("utf-16-le"), b"\xff\xfea", b"a\0b"]
)
def test_what_is_no_text_is_refused_with_what_to_do(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "job.yml"
    path.write_bytes(data)
    with pytest.raises(InvalidPathError, match=r"job.yml .*; save it as UTF-8"):
        read_job_file(path)
    with pytest.raises(ValueError, match="save it as UTF-8"):
        read_text(path)
