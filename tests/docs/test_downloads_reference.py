"""The page about downloads and daemons says what their commands take."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from conductor.commands import daemons, download
from conductor.lib.download.file import WHOLE_ATTEMPTS
from conductor.lib.download.partial_file import SUFFIX
from conductor.lib.download.run import HOPELESS_FILES
from conductor.lib.download.safe_paths import UnsafePathError, safe_parts

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "downloads.md").read_text(encoding="utf-8")
OPTIONS = [
    (command.name, spelling)
    for command in (download.download, daemons.downloader, daemons.uploader)
    for option in command.params
    if isinstance(option, click.Option)
    for spelling in option.opts
]


def section(name: str | None) -> str:
    found = re.search(rf"^### `conductor {name}`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_every_option_is_explained() -> None:
    assert OPTIONS
    assert [(name, spelling) for name, spelling in OPTIONS if f"`{spelling}`" not in section(name)] == []


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"After {HOPELESS_FILES} files in a row" in PAGE
    assert f"`.HASH{SUFFIX}`" in PAGE
    assert WHOLE_ATTEMPTS == 3


@pytest.mark.parametrize("refused", ["../a", "/a", "C:a", "NUL", "con.0001.exr", "a."])
def test_what_the_page_calls_unsafe_is_refused(refused: str) -> None:
    with pytest.raises(UnsafePathError):
        safe_parts(refused, windows=False)
