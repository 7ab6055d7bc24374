"""Contents of a bucket that were fetched once: what is kept, what goes first, what never stays."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from conductor_mock.store.fetched import Fetched
from conductor_mock.store.locks import FileLocks
from conductor_mock.store.read_write_lock import Shared
from support.guarded import untouched_without


class Kept:
    """Fetches contents, and notes which."""

    def __init__(self, root: Path, most: int, *, shared: Shared | None = None) -> None:
        self.fetched = Fetched(root, most, shared=shared)
        self.asked: list[bytes] = []

    def open(self, content: bytes) -> IO[bytes]:
        def blocks() -> Iterator[bytes]:
            self.asked.append(content)
            yield content[:2]
            yield content[2:]

        return self.fetched.open(hashlib.md5(content).digest(), blocks, len(content))

    def read(self, content: bytes) -> bytes:
        with self.open(content) as file:
            return file.read()


def there(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in (folder / "fetched").rglob("*") if path.is_file()}


def test_what_is_there_is_not_fetched_again_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    kept = Kept(tmp_path, 10)
    contents = [b"11111", b"22222", b"3333"]
    for content in contents[:2]:
        assert kept.read(content) == content
    assert there(tmp_path) == {b"11111", b"22222"}, "just as much as may be"
    assert kept.read(b"11111") == b"11111"
    assert kept.read(b"3333") == b"3333"
    assert there(tmp_path) == {b"11111", b"3333"}
    assert kept.asked == contents
    assert kept.read(b"4") == b"4"
    assert there(tmp_path) == {b"11111", b"3333", b"4"}
    assert kept.read(b"5") == b"5"
    assert there(tmp_path) == {b"3333", b"4", b"5"}
    assert kept.fetched._total == 6
    assert stat.S_IMODE((tmp_path / "fetched").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "fetched").iterdir()} == {0o600}


def test_what_can_be_fetched_again_waits_for_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    kept = Kept(tmp_path, 5)
    for content in (b"kept", b"passing"):
        assert kept.read(content) == content
    assert synced == []


def test_a_content_of_all_that_may_be_kept_is_kept_and_a_larger_one_passes(tmp_path: Path) -> None:
    kept = Kept(tmp_path, 5)
    for content in (b"11111", b"222222", b"11111"):
        assert kept.read(content) == content
    assert there(tmp_path) == {b"11111"}
    assert kept.asked == [b"11111", b"222222"]


def test_a_file_that_somebody_removed_is_fetched_again_and_counted_once(tmp_path: Path) -> None:
    kept = Kept(tmp_path, 10)
    for _ in range(2):
        assert kept.read(b"11111") == b"11111"
        for path in (tmp_path / "fetched").iterdir():
            path.unlink()
    assert kept.read(b"22222") == b"22222"
    assert kept.read(b"333333") == b"333333", "what is to go may have gone"
    assert kept.asked == [b"11111", b"11111", b"22222", b"333333"]
    assert (kept.fetched._total, there(tmp_path)) == (6, {b"333333"})


@pytest.mark.parametrize("most", [1, 100], ids=["passing", "kept"])
def test_a_fetch_that_fails_leaves_nothing_and_the_next_one_is_whole(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, made = Kept(tmp_path, most), list[Any]()
    passing = "conductor_mock.store.fetched.tempfile.TemporaryFile"

    def failing() -> Iterator[bytes]:
        yield b"12"
        raise OSError("the store is away")

    def temporary(**options: Any) -> IO[bytes]:
        made.append((tmp_path / "temporary").open("w+b"))
        assert options == {"dir": tmp_path / "fetched"}
        return made[-1]  # type: ignore[no-any-return]

    with monkeypatch.context() as patched:
        patched.setattr(passing, temporary)
        with pytest.raises(OSError, match="the store is away"):
            kept.fetched.open(hashlib.md5(b"123").digest(), failing, 3)
    assert all(file.closed for file in made)
    assert len(made) == (most == 1)
    assert there(tmp_path) == set()
    assert kept.read(b"123") == b"123"


def test_a_server_begins_with_an_empty_folder(tmp_path: Path) -> None:
    Kept(tmp_path, 10).read(b"of before")
    assert Kept(tmp_path, 10).read(b"now") == b"now"
    assert there(tmp_path) == {b"now"}


def test_servers_that_share_a_folder_have_one_each_and_the_first_empties_it(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path / "locks")
    Kept(tmp_path, 10).read(b"of before")
    one = Kept(tmp_path, 10, shared=Shared(locks, is_first=True))
    assert one.read(b"one") == b"one"
    other = Kept(tmp_path, 10, shared=Shared(locks, is_first=False))
    assert other.read(b"other") == b"other"
    assert there(tmp_path) == {b"one", b"other"}
    assert one.fetched._folder != other.fetched._folder
    assert {path.parent for path in (one.fetched._folder, other.fetched._folder)} == {tmp_path / "fetched"}


def test_what_threads_share_is_guarded_and_one_fetches_for_all(tmp_path: Path) -> None:
    kept, content = Kept(tmp_path, 5), b"12345"
    touched = untouched_without(kept.fetched, "_guard", "_sizes", "_total", "_turns")
    held: list[bool] = []

    class Turn:
        """Whoever has it is noted."""

        def __enter__(self) -> None:
            held.append(True)

        def __exit__(self, *_: object) -> None:
            held.append(False)

    turns: Any = {hashlib.md5(content).digest(): Turn()}
    with kept.fetched._guard:
        kept.fetched._turns = turns
    for _ in range(2):
        assert kept.read(content) == content
    for path in (tmp_path / "fetched").iterdir():
        path.unlink()
    kept.read(content)
    kept.read(b"54321")
    assert touched == []
    assert held == [True, False] * 3
    assert isinstance(turns[hashlib.md5(b"54321").digest()], type(threading.Lock()))
