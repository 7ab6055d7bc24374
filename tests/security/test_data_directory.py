"""What lies in a data directory is read by its owner alone, also what an earlier version left open to everybody."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.server import running


@pytest.fixture
def open_hearted() -> Iterator[None]:
    """A process whose files are for everybody unless it says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def work(directory: Path) -> None:
    with running(data_dir=directory) as fake:
        caller = fake.caller()
        caller.upload("/proj/a.ma", b"scene")
        caller.submit(job_title="x" * 200_000)
        assert open_to_others(directory) == []


def open_to_others(directory: Path) -> list[str]:
    """What somebody else could read, write or enter: folders that are reached, and files in them."""
    if not stat.S_IMODE(directory.stat().st_mode) & 0o077:
        return []
    found = []
    for entry in directory.iterdir():
        if stat.S_IMODE(entry.lstat().st_mode) & 0o077:
            found.append(entry.name)
            found += open_to_others(entry) if entry.is_dir() else []
    return sorted(found)


def test_a_new_data_directory_is_entered_by_its_owner_only(tmp_path: Path, open_hearted: None) -> None:
    work(tmp_path / "data")

    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_in_a_folder_that_others_enter_they_read_nothing(tmp_path: Path, open_hearted: None) -> None:
    """Such as a share, or /tmp itself: the folder stays as it is, what the server puts there is its own."""
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    work(shared)

    assert stat.S_IMODE(shared.stat().st_mode) == 0o777


def test_what_was_open_to_others_is_closed_at_the_next_start(tmp_path: Path, open_hearted: None) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o777)
    work(shared)
    for entry in shared.iterdir():
        entry.chmod(0o777 if entry.is_dir() else 0o666)
    (shared / "journal.db-wal").touch(mode=0o666)
    assert open_to_others(shared)
    work(shared)
