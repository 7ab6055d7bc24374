"""What `make test-fast` runs is there, and so is what it leaves out."""

from __future__ import annotations

import re
from pathlib import Path

from support.slow import SLOW

TESTS = Path(__file__).parents[1]


def test_the_files_that_are_called_slow_are_there() -> None:
    assert [name for name in SLOW if not (TESTS.parent / name).is_file()] == []
    assert list(SLOW) == sorted(set(SLOW))


def test_every_folder_of_tests_is_run_after_a_save_or_holds_what_is_slow() -> None:
    makefile = (TESTS.parent / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^FAST := (.*)$", makefile, re.MULTILINE)
    assert found
    fast = {name.removeprefix("tests/") for name in found[1].split()}
    folders = {path.parent.relative_to(TESTS).as_posix() for path in TESTS.glob("*/test_*.py")}

    assert folders - fast == {"browser", "end_to_end", "examples", "half_done", "mutants", "vendor"}
    assert {name.split("/")[1] for name in SLOW} <= fast <= folders
