"""The lock between processes: it is the one that filelock takes, and whoever cannot have it goes on without."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import filelock
import pytest

from conductor.lib.files import file_lock
from conductor.lib.files.file_lock import locked


def test_a_lock_keeps_filelock_out_until_it_is_given_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with locked(path), pytest.raises(filelock.Timeout):
        filelock.FileLock(path).acquire(timeout=0)
    with filelock.FileLock(path).acquire(timeout=0):
        pass


def test_a_lock_is_given_back_when_what_it_guards_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock"):
        raise ZeroDivisionError
    with filelock.FileLock(tmp_path / "lock").acquire(timeout=0):
        pass


def test_a_lock_that_filelock_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = filelock.FileLock(tmp_path / "lock")
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            other.release()

    monkeypatch.setattr("time.sleep", sleep)
    other.acquire()
    with locked(tmp_path / "lock"):
        assert len(waits) == 3
        with pytest.raises(filelock.Timeout):
            other.acquire(timeout=0)


def test_a_lock_that_never_comes_free_is_done_without_and_stays_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(file_lock, "PATIENCE_SECONDS", 0.0)
    caplog.set_level(logging.DEBUG)
    descriptors = _open_files()
    with filelock.FileLock(tmp_path / "lock"):
        with locked(tmp_path / "lock"):
            pass
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(tmp_path / "lock").acquire(timeout=0)
    assert f"no lock on {tmp_path / 'lock'}" in caplog.text
    assert _open_files() == descriptors


@pytest.mark.skipif(sys.platform != "linux", reason="filelock sees to that elsewhere")
def test_a_lock_on_a_file_that_was_deleted_meanwhile_is_taken_again_on_the_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    flock, path, seen = fcntl.flock, tmp_path / "lock", list[int]()

    def deleted_first(descriptor: int, operation: int) -> None:
        seen.append(operation)
        if len(seen) == 1:
            path.unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", deleted_first)
    with locked(path), pytest.raises(filelock.Timeout):
        filelock.FileLock(path).acquire(timeout=0)
    with filelock.FileLock(path).acquire(timeout=0):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_lock_is_given_back_though_a_forked_process_has_the_file_open(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        [descriptor] = [number for number, name in _open_files().items() if name == str(tmp_path / "lock")]
        copy = os.dup(descriptor)  # the same open file, as that of a forked process is
    with filelock.FileLock(tmp_path / "lock").acquire(timeout=0):
        pass
    os.close(copy)


def test_a_lock_where_nothing_can_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with locked(tmp_path / "file" / "lock"):
        assert (tmp_path / "file").read_bytes() == b""


def _open_files() -> dict[int, str]:
    """The descriptors of this process with what they are of; nothing where the system does not say."""
    found = sorted(Path("/proc/self/fd").glob("*"))
    return {int(path.name): str(path.readlink()) for path in found if path.is_symlink()}
