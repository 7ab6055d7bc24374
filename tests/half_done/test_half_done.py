"""A change that was begun and not done is noticed, by the test that `docs/contributing.md` names or one beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from half_done.changes import CHANGES
from support.half_done import Edit, HalfDone, StaleError, copy_of_the_tree, run_checks


@pytest.mark.prove
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_half_done_change_is_noticed(tmp_path: Path, change: HalfDone) -> None:
    tree = copy_of_the_tree(tmp_path)
    for edit in change.edits:
        edit.apply(tree)
    ran = run_checks(tree, change.test)

    assert ran.noticed(change), ran.output[-3000:]


@pytest.mark.prove
def test_nothing_is_noticed_where_nothing_was_changed(tmp_path: Path) -> None:
    """What fails above fails because of the change."""
    ran = run_checks(copy_of_the_tree(tmp_path), *sorted({change.test for change in CHANGES}))

    assert ran.passed, ran.output[-3000:]


def test_every_half_done_change_begins_with_what_is_there(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path)
    for change in CHANGES:
        files = {tree / edit.path for edit in change.edits}
        before = {file: file.read_text(encoding="utf-8") for file in files if file.exists()}
        for edit in change.edits:
            edit.apply(tree)
        for file in files:
            if file in before:
                file.write_text(before[file], encoding="utf-8")
            else:
                file.unlink()


def test_a_change_of_what_is_no_longer_there_is_stale(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one two two", encoding="utf-8")
    with pytest.raises(StaleError, match="a has 0 times: three"):
        Edit("a", "three", "four").apply(tmp_path)
    with pytest.raises(StaleError, match="a has 2 times: two"):
        Edit("a", "two", "four").apply(tmp_path)
    with pytest.raises(StaleError, match="a is there already"):
        Edit("a", "", "four").apply(tmp_path)
    Edit("a", "one", "four").apply(tmp_path)
    assert (tmp_path / "a").read_text(encoding="utf-8") == "four two two"
