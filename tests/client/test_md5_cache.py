"""The md5 cache: what counts as unchanged, and a cache that is of no use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conductor.lib.hashing import hash_file
from conductor.lib.local_files import LocalFile, look_at
from conductor.lib.md5_cache import Md5Cache, default_path
from support.client_world import md5_of

LATER = 10_000_000_000  # nanoseconds after the files here are written


def cache_at(path: Path, files: list[LocalFile], age: int = LATER) -> Md5Cache:
    """Return a cache whose clock is this long after the files were written."""
    newest = max(max(file.stat.st_mtime_ns, file.stat.st_ctime_ns) for file in files)
    return Md5Cache(path, now_ns=lambda: newest + age)


def make(folder: Path, *names: str) -> list[LocalFile]:
    for name in names:
        (folder / name).write_bytes(name.encode())
    return [hash_file(str(folder / name)) for name in names]


def test_unchanged_files_are_known_with_their_md5(tmp_path: Path) -> None:
    files = make(tmp_path, "a", "b")
    cache = cache_at(tmp_path / "new/cache", files)
    assert cache.known(files) == {}
    cache.remember(files)
    paths = [file.path for file in files]
    assert cache.known(look_at(paths)) == {file.path: file for file in files}


def test_many_files_are_looked_up(tmp_path: Path) -> None:
    files = make(tmp_path, *(f"f{n}" for n in range(1201)))
    cache = cache_at(tmp_path / "cache", files)
    cache.remember(files)
    assert len(cache.known(files)) == 1201


def test_a_file_that_changed_in_any_way_is_not_known(tmp_path: Path) -> None:
    [file] = make(tmp_path, "a")
    cache = cache_at(tmp_path / "cache", [file])
    cache.remember([file])
    stat = file.stat
    (tmp_path / "a").write_bytes(b"b")
    os.utime(tmp_path / "a", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert cache.known(look_at([file.path])) == {}


def test_a_newer_md5_replaces_the_old_one(tmp_path: Path) -> None:
    [old] = make(tmp_path, "a")
    cache = cache_at(tmp_path / "cache", [old], age=10 * LATER)
    cache.remember([old])
    (tmp_path / "a").write_bytes(b"longer")
    new = hash_file(old.path)
    cache.remember([new])
    assert cache.known([new])[new.path].md5 == md5_of(b"longer")


def test_a_file_written_just_now_is_not_kept(tmp_path: Path) -> None:
    files = make(tmp_path, "a")
    cache = cache_at(tmp_path / "cache", files, age=1_000_000_000)
    cache.remember(files)
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_is_no_database_is_logged_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = make(tmp_path, "a")
    (tmp_path / "cache").write_text("this is no database, and long enough to be seen as none" * 20)
    cache = cache_at(tmp_path / "cache", files)
    assert cache.known(files) == {}
    cache.remember(files)
    assert "is not used" in caplog.text
    assert "not kept" in caplog.text


def test_a_cache_that_cannot_be_written_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files = make(tmp_path, "a")
    cache_at(tmp_path / "a/folder/cache", files).remember(files)
    assert "not kept" in caplog.text


def test_the_cache_lies_with_the_user_and_not_in_the_shared_folder(home: Path) -> None:
    assert default_path().is_relative_to(home)
