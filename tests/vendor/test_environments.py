"""The vendor's client stays in environments of its own."""

from __future__ import annotations

import ast
import importlib.util
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from conductor.cli import NAMES
from support.package_index import IndexUnreachableError, InstallError
from vendor import environments
from vendor.environments import installed, obstacle, requirements
from vendor.scenarios import Stage, after, scenario
from vendor.workstation import Workstation

Json = dict[str, Any]


@scenario()
def looking_around(desk: Workstation) -> Json:
    return {"seen": desk.drive("surroundings"), "folder": str(desk.folder), "client": str(desk.client.folder)}


@after(looking_around)
def test_the_client_runs_in_its_own_environment_and_home(result: Json) -> None:
    seen = result["seen"]
    assert seen["version"] == environments.CURRENT
    assert seen["prefix"] == result["client"]
    assert seen["home"] == f"{result['folder']}/home"
    assert seen["environ"]["TMPDIR"] == f"{result['folder']}/tmp"


@after(looking_around)
def test_nothing_of_ours_can_be_imported_by_the_client(result: Json) -> None:
    assert result["seen"]["ours"] == []
    assert "PYTHONPATH" not in result["seen"]["environ"]


@after(looking_around)
def test_only_loopback_can_be_reached(result: Json) -> None:
    environ = result["seen"]["environ"]
    assert environ["https_proxy"] == environ["http_proxy"] == "http://127.0.0.1:9"
    assert environ["NO_PROXY"] == "127.0.0.1"


def test_our_command_is_not_shadowed_by_the_vendors() -> None:
    assert importlib.util.find_spec("ciocore") is None
    assert {point.value for point in entry_points(group="console_scripts", name="conductor")} == {
        "conductor.__main__:main"
    }


def test_the_vendor_brings_a_command_of_our_first_name_and_none_of_our_second(stage: Stage) -> None:
    programs = {path.name for path in installed(environments.CURRENT).command.parent.iterdir()}
    assert programs.intersection(NAMES) == {"conductor"}


def test_an_environment_that_is_there_is_not_made_again(stage: Stage) -> None:
    first = installed(environments.CURRENT)
    made = first.stamp.stat().st_mtime_ns
    assert installed(environments.CURRENT) == first
    assert first.stamp.stat().st_mtime_ns == made


def test_an_install_that_fails_is_told_with_what_pip_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")  # an index that knows nothing, and answers at once
    with pytest.raises(InstallError, match="no-such-version") as caught:
        installed("no-such-version", tmp_path)
    assert not isinstance(caught.value, IndexUnreachableError)


def test_an_index_that_cannot_be_reached_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(IndexUnreachableError):
        installed(environments.CURRENT, tmp_path)


def test_an_old_version_is_pinned_on_a_python_that_is_newer_than_it() -> None:
    pinned = ["ciocore==7.0.2", "--no-deps", "requests==2.25.1", "urllib3==1.26.20"]
    assert requirements("7.0.2", (3, 12)) == pinned
    assert requirements("7.0.2", (3, 11)) == ["ciocore==7.0.2"]
    assert requirements("9.2.0", (3, 13)) == ["ciocore==9.2.0"]


def test_a_version_that_cannot_run_on_a_python_is_skipped_with_the_reason() -> None:
    assert "4.0.7" in (obstacle("4.0.7", (3, 13)) or "")
    assert obstacle("4.0.7", (3, 11)) is None
    assert obstacle("9.2.0", (3, 13)) is None


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parent.glob("test_*.py")), ids=lambda path: str(path.stem)
)
def test_no_scenario_says_which_version_is_the_current_one(path: Path) -> None:
    """Else another one could not be put in its place. Docstrings may: they say which one it was written for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)}
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)} - prose
    if path != Path(__file__):
        assert [one for one in texts if isinstance(one, str) and "9.2.0" in one] == []


DOCUMENTED = (ast.Module, ast.FunctionDef, ast.ClassDef)
