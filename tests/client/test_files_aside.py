"""Files that are replaced as a whole, the lock between processes, and the waits that grow."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.files.digests import Md5, is_md5
from conductor.lib.files.file_lock import locked
from conductor.lib.files.replacing import replace_file
from support.client_world import md5_of


def beside(path: Path) -> list[str]:
    return sorted(other.name for other in path.parent.iterdir() if other.name != "home")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_is_replaced_with_the_mode_that_any_new_file_has(
    tmp_path: Path, umask: int, mode: int
) -> None:
    path = tmp_path / "plan.yml"
    path.write_bytes(b"old")
    before = os.umask(umask)
    try:
        replace_file(path, b"new")
    finally:
        os.umask(before)
    assert (path.read_bytes(), mode_of(path)) == (b"new", mode)
    assert beside(path) == [path.name]


def test_a_private_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        replace_file(tmp_path / "token", b"secret", private=True)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "token") == 0o600


def test_what_cannot_be_put_on_the_disk_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plan.yml"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert beside(path) == [path.name]


ANOTHER = """
import logging, pathlib, sys
from conductor.lib.files import file_lock
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(message)s")
logging.getLogger("filelock").setLevel(logging.INFO)
file_lock.PATIENCE_SECONDS = 0
with file_lock.locked(pathlib.Path(sys.argv[1])):
    print("done")
"""


def test_a_lock_keeps_other_processes_out_until_their_patience_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    def another() -> str:
        command = [sys.executable, "-c", ANOTHER, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with locked(path):
        assert f"no lock on {path}" in another()
    assert another() == "done\n"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EROFS])
def test_where_nothing_can_be_locked_the_work_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(filelock.BaseFileLock, "acquire", refuse)
    done = []
    with locked(tmp_path / "lock"):
        done.append("work")
    assert done == ["work"]


def test_a_lock_whose_folder_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with locked(tmp_path / "file" / "lock"):
        pass


@given(st.lists(st.binary(max_size=20)))
def test_an_md5_is_that_of_all_blocks_and_known_as_one(blocks: list[bytes]) -> None:
    digest = Md5()
    for block in blocks:
        digest.update(block)
    assert digest.text == md5_of(b"".join(blocks))
    assert is_md5(digest.text)


@pytest.mark.parametrize(
    "value", [None, 5, "", "d41d8cd98f00b204e9800998ecf8427e", "1B2M2Y8AsgTpgAmY7PhCfg", "é" * 24, b"x" * 24]
)
def test_what_is_no_md5_is_not_taken_for_one(value: object) -> None:
    assert not is_md5(value)
