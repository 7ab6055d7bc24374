"""The JSON copies of YAML files say what the files say, or are not used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts import parsed

HERE = Path(parsed.__file__).parent
COPIES = sorted(path.name for path in HERE.glob("*.parsed.json"))
TEXT = "paths: {a: [1, 2.5, null, true, é]}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file and its copy."""
    (tmp_path / "a.yaml").write_text(TEXT, encoding="utf-8")
    (tmp_path / "a.parsed.json").write_text(parsed.written(TEXT), encoding="utf-8")
    return tmp_path


def test_both_contracts_have_a_copy() -> None:
    assert COPIES == ["control.parsed.json", "openapi.parsed.json"]


@pytest.mark.parametrize("copy", COPIES)
def test_a_shipped_file_is_read_without_a_parser_of_yaml(copy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = copy.replace(".parsed.json", ".yaml")
    document = yaml.load((HERE / name).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    monkeypatch.setattr(parsed, "parse", lambda _: pytest.fail("run: make docs"))

    assert parsed.read(name) == document


def test_a_file_that_was_changed_is_read_itself(folder: Path) -> None:
    (folder / "a.yaml").write_text("paths: {}\n", encoding="utf-8")

    assert parsed.read("a.yaml", folder) == {"paths": {}}


@pytest.mark.parametrize("spoilt", ["", "<<<<<<< ours", "[]", "{}", "7", '{"sha256": null}'])
def test_a_copy_that_is_none_is_not_used(folder: Path, spoilt: str) -> None:
    (folder / "a.parsed.json").write_text(spoilt, encoding="utf-8")

    assert parsed.read("a.yaml", folder) == yaml.safe_load(TEXT)


def test_a_file_without_a_copy_is_read_itself(folder: Path) -> None:
    (folder / "a.parsed.json").unlink()

    assert parsed.read("a.yaml", folder) == yaml.safe_load(TEXT)


def test_a_copy_is_what_is_read(folder: Path) -> None:
    path = folder / "a.parsed.json"
    path.write_text(path.read_text(encoding="utf-8").replace("paths", "other"), encoding="utf-8")

    assert list(parsed.read("a.yaml", folder)) == ["other"]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_whatever_json_has_comes_back(value: object) -> None:
    text = yaml.safe_dump({"a": value})  # escaped: as it is written otherwise, U+0085 becomes a space

    assert json.loads(parsed.written(text))["document"] == {"a": value}
