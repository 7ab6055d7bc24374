"""Files that people write for server and contracts: catalogues, rules, keys."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.text_files import TextFileError, parse_yaml, read_text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "0010",
            "010",
            "1:30",
            "1:30:00",
            "1_000",
            "0x10",
            "0b1",
            "0o17",
            "1e3",
            "+5",
            ".5",
            "5.",
            "00",
            "-01",
        ),
        *(
            "on",
            "off",
            "yes",
            "No",
            "y",
            "2026-11-22",
            "2026-11-22 10:00:00",
            "=",
            ".inf",
            ".NaN",
            "190:20:30.15",
        ),
    ],
)
def test_what_is_no_value_of_json_is_the_text_that_is_written(text: str) -> None:
    assert parse_yaml(f"- {text}") == [text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("0", 0),
            ("-0", 0),
            ("10", 10),
            ("-7", -7),
            ("1.10", 1.1),
            ("-2.5e+3", -2500.0),
            ("9" * 20, int("9" * 20)),
        ),
        *(
            ("true", True),
            ("False", False),
            ("null", None),
            ("~", None),
            ("", None),
            ("'10'", "10"),
            ('"on"', "on"),
        ),
    ],
)
def test_a_value_of_json_is_that_value(text: str, value: Any) -> None:
    (read,) = parse_yaml(f"- {text}")
    assert (read, type(read)) == (value, type(value))


def is_one_to_that_library(text: str) -> bool:
    """Not `1e5`: PyYAML takes it for a text and writes it bare; in YAML 1.2, as in JSON, it is a number."""
    try:
        return isinstance(yaml.safe_load(text), float) or not isinstance(json.loads(text), float)
    except (ValueError, yaml.YAMLError):
        return True


texts = st.text(st.characters(codec="utf-8")) | st.text("0123456789eExob_:.+-", min_size=1)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts.filter(is_one_to_that_library)
    | st.sampled_from(["yes", "on", "null", "true", "2026-11-22", "<<", "="]),
    lambda inner: st.lists(inner) | st.dictionaries(texts.filter(is_one_to_that_library), inner),
    max_leaves=8,
)


@given(values, st.booleans())
def test_what_a_yaml_library_writes_is_read_as_it_was(value: Any, flow: bool) -> None:
    assert parse_yaml(yaml.safe_dump(value, default_flow_style=flow)) == value


@pytest.mark.parametrize("text", ["a: 1\na: 2", "{a: 1, a: 1}", "- {b: {c: 1, 'c': 2}}"])
def test_a_name_that_is_there_twice_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(TextFileError, match=r"twice in one object \(line \d\)"):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        *((b"", "utf-8"), (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le")),
        *((codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be")),
    ],
)  # fmt: skip
def test_a_byte_order_mark_is_obeyed_and_no_part_of_the_text(
    tmp_path: Path, mark: bytes, encoding: str
) -> None:
    (tmp_path / "f").write_bytes(mark + "é: 1\r\n".encode(encoding))
    assert read_text(tmp_path / "f") == "é: 1\r\n"


@given(
    st.binary(max_size=60), st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xff\xfe\0\0"])
)
def test_any_bytes_are_a_document_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, mark: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "f"
    path.write_bytes(mark + data)
    try:
        parse_yaml(read_text(path))
    except TextFileError as error:
        said = str(error)
        assert said
        assert "\n" not in said


TAGGED = """
!!int#abc !!int#0x10 !!int#0010 !!int#1_0 !!int#1:30 !!int#[1] !!float#x !!float#1:30 !!bool#x
!!bool#yes !!null#x !!timestamp#x !!timestamp#2001-01-01 !!binary#eA== !!set#{a} !!omap#[a:#b]
!!pairs#[a:#b] !!str#[a] !!map#a !!seq#a &a#[*a] &a#{b:#*a} {b:#&a#[{c:#*a}]}
"""


@pytest.mark.parametrize("value", TAGGED.split())
def test_a_tag_makes_nothing_that_the_look_of_a_value_does_not(value: str) -> None:
    with pytest.raises(TextFileError, match=r"line 2\b"):
        parse_yaml(f"a: 1\nb: {value.replace('#', ' ')}\n")


def test_tags_may_say_what_is_so() -> None:
    assert parse_yaml(
        "[!!int 10, !!float 1.5, !!bool true, !!null ~, !!str 0010, !!seq [1], !!map {a: 1}]"
    ) == [*(10, 1.5, True, None, "0010", [1], {"a": 1})]


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "a: &x [*x]: b", "!!int x", "!!python/name:os.x", "a: *b", "\t- a"]
)
def test_yaml_that_cannot_be_read_is_a_sentence(text: str) -> None:
    with pytest.raises(TextFileError):
        parse_yaml(text)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path, tmp_path / ("n" * 300)):
        with pytest.raises(TextFileError, match="cannot be read"):
            read_text(path)
