"""A published client as a witness: what is asked for, where the scenarios lie, and what is said of how it went."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts import witness
from conductor_contracts.cli import main
from vendor import environments

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
NUMBERS = st.lists(st.integers(0, 999), min_size=1, max_size=4).map(lambda all_: ".".join(map(str, all_)))
ENDINGS = st.sampled_from(["", "a1", "b12", "rc3", ".post1", ".dev2", "b1.dev3"])


@given(NUMBERS, ENDINGS)
def test_a_version_is_what_stands_behind_the_equals_signs(number: str, ending: str) -> None:
    assert witness.wanted_version(f"ciocore=={number}{ending}") == number + ending


def test_without_a_version_it_is_the_newest() -> None:
    assert witness.wanted_version("ciocore") is None


@given(st.one_of(st.text(max_size=30), st.text("=<>~!. /-0123456789", max_size=12).map("ciocore{}".format)))
def test_whatever_else_is_asked_for_is_refused_with_how_to_ask(text: str) -> None:
    if re.fullmatch(r"ciocore(==[0-9.]*[0-9])?", text):
        return
    with pytest.raises(witness.WitnessError, match="ciocore==VERSION"):
        witness.wanted_version(text)


@pytest.mark.parametrize(
    "text", ["ciocore==1/../..", "ciocore==-r x", "ciocore==1 --index-url=x", "ciocore==" + "1" * 100]
)
def test_a_version_reaches_neither_a_path_nor_an_option_of_pip(text: str) -> None:
    done = CliRunner().invoke(main, ["witness", text])
    assert done.exit_code == 2
    assert "ciocore==VERSION" in done.output


def test_the_variables_are_those_that_the_tests_read() -> None:
    assert (witness.VERSION_VARIABLE, witness.CACHE_VARIABLE) == (environments.CLIENT, environments.CACHE)


def test_a_run_is_not_led_astray_by_a_pytest_around_it(tmp_path: Path) -> None:
    around = {"PYTEST_XDIST_WORKER": "gw0", "PYTEST_ADDOPTS": "-x", "HOME": "/home/me"}
    assert witness.environment(around, "9.1.1", tmp_path) == {
        "HOME": "/home/me",
        witness.VERSION_VARIABLE: "9.1.1",
        witness.CACHE_VARIABLE: str(tmp_path),
    }


def test_where_no_clone_is_the_command_says_what_it_needs(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["witness", "ciocore", "--clone", str(tmp_path)])
    assert done.exit_code == 2
    assert "they lie in a clone" in done.output
    assert "--clone" in done.output


def test_where_the_development_installation_is_missing_the_command_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(witness, "NEEDED", ("pytest", "no_such_module"))
    done = CliRunner().invoke(main, ["witness", "ciocore"])
    assert done.exit_code == 2
    assert "need no_such_module" in done.output
    assert ".[dev]" in done.output


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that has nothing but what lies in a folder."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, text in {"NO_INDEX": "1", "FIND_LINKS": str(folder), "CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(f"PIP_{name}", text)
    return folder


def publish(folder: Path, version: str) -> None:
    """Put a client into an index that has its name and none of its modules."""
    info = f"ciocore-{version}.dist-info"
    with ZipFile(folder / f"ciocore-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ciocore/__init__.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: ciocore\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


@pytest.mark.slow
def test_the_newest_is_the_newest_of_the_index_and_a_version_that_it_has_not_is_named(index: Path) -> None:
    for version in ("10.9.0", "10.10.0", "11.0.0b1"):
        publish(index, version)
    assert witness.published_version(None) == "10.10.0"
    assert witness.published_version("11.0.0b1") == "11.0.0b1"
    done = CliRunner().invoke(main, ["witness", "ciocore==12.0"])
    assert done.exit_code == 1
    assert "pip finds no ciocore==12.0 for this Python" in done.output


@pytest.mark.slow
def test_a_client_that_does_not_do_what_it_did_fails_and_is_in_the_cache_that_was_named(
    index: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The client is a package without a module that anybody calls, so it knows no catalogue."""
    publish(index, "99.0")
    cache, report = tmp_path / "cache", tmp_path / "report.xml"
    options = ["--cache", str(cache), "--junit", str(report), "--only", "data_is_valid_once or no_such_test"]
    done = CliRunner().invoke(main, ["witness", "ciocore==99.0", *options])
    assert done.exit_code == 1, done.output
    assert "ciocore 99.0 does not agree with the fake" in done.output
    why = r"ImportError: cannot import|ModuleNotFoundError: No module named"
    assert re.search(why, report.read_text(encoding="utf-8")), capfd.readouterr().out
    assert [path.name for path in cache.iterdir() if path.is_dir()] == ["99.0"]


def test_a_run_in_which_nothing_was_tried_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "published_version", lambda version: version)
    for code, words in {
        0: "agrees",
        1: "does not agree",
        5: "no scenario fits",
        3: "pytest ended with 3",
    }.items():
        monkeypatch.setattr(witness, "play", lambda *_, code=code, **__: code)
        done = CliRunner().invoke(main, ["witness", "ciocore==9.1.1"])
        assert (done.exit_code, words in done.output) == (min(code, 1), True)


def commands(document: Any) -> list[list[str]]:
    """Every command line of a CI file that begins `conductor-contracts`."""
    if isinstance(document, dict):
        return [one for value in document.values() for one in commands(value)]
    if isinstance(document, list):
        return [one for value in document for one in commands(value)]
    lines = re.split(r"\n|&&", document) if isinstance(document, str) else []
    return [shlex.split(line) for line in lines if line.strip().startswith("conductor-contracts ")]


@pytest.mark.parametrize("path", sorted(CI.glob("*.yml")), ids=lambda path: path.name)
def test_a_ci_file_calls_the_command_as_it_is(path: Path) -> None:
    found = commands(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert found
    for _, name, *arguments in found:
        command = main.commands[name]
        command.make_context(name, [one.replace("$CLIENT", "ciocore") for one in arguments])


def test_the_ci_files_run_by_a_schedule() -> None:
    github, gitlab = (
        yaml.safe_load((CI / f"witness.{name}.yml").read_text(encoding="utf-8"))
        for name in ("github", "gitlab-ci")
    )
    (schedule,) = github[True]["schedule"]  # YAML 1.1 takes the key `on` for true
    assert schedule["cron"].endswith("* * 1")
    assert gitlab["vendor-client"]["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule"'}]
