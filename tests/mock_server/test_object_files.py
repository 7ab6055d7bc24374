"""A store of files by itself: where contents lie, what is compared as they are read, and what waits for the disk."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from conductor_mock.store import objects as module
from conductor_mock.store.content_store import BLOCK
from conductor_mock.store.locks import FileLocks
from conductor_mock.store.objects import (
    DamagedContentError,
    ObjectStore,
    TooLargeError,
    WrongContentError,
    last_held_back,
    taken,
)
from conductor_mock.store.read_write_lock import OutsideReadWriteLock, Shared
from support.guarded import untouched_without

LARGE = b"0123456789" * (BLOCK // 4)


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


def keep(store: ObjectStore, content: bytes) -> bytes:
    store.put(io.BytesIO(content), md5=digest(content), size=len(content))
    return digest(content)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path)


# Where they lie


def test_contents_lie_in_one_folder_and_those_of_earlier_versions_where_they_are(
    store: ObjectStore, tmp_path: Path
) -> None:
    new, old, none = keep(store, b"new"), digest(b"old"), digest(b"none")
    assert store.path(new) == tmp_path / "objects" / "all" / new.hex()
    place = tmp_path / "objects" / old.hex()[:2] / old.hex()
    place.parent.mkdir()
    place.write_bytes(b"old")
    assert store.path(old) == place
    assert [store.has(md5) for md5 in (new, old, none)] == [True, True, False]
    assert store.those_there([new, old, none]) == store.still_there([new, old, none]) == {new, old}
    assert (store.read(new), store.read(old)) == (b"new", b"old")
    store.delete_all([old, none, new])
    assert store.those_there([new, old, none]) == set()


def test_what_is_known_of_a_content_is_its_bytes_and_the_second_it_came(store: ObjectStore) -> None:
    md5 = keep(store, b"0123456789")
    os.utime(store.path(md5), (0, 1234.9))
    found = store.look_up(md5)
    assert (found.size, found.modified_s) == (10, 1234)
    with found.open() as whole, found.open_part(3, 2) as part:
        assert (whole.read(), part.read(2)) == (b"0123456789", b"34")
    with pytest.raises(FileNotFoundError):
        store.look_up(digest(b"none"))


def test_folders_are_for_their_owner_and_what_is_gathered_has_no_name(
    store: ObjectStore, tmp_path: Path
) -> None:
    for name in ("objects", "incoming"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700
    with store.scratch() as file:
        file.write(b"some")
        assert os.fstat(file.fileno()).st_dev == (tmp_path / "incoming").stat().st_dev
        assert list((tmp_path / "incoming").iterdir()) == []


@pytest.mark.parametrize(("is_first", "left"), [(True, []), (False, ["of another server"])])
def test_of_servers_that_share_a_store_the_first_clears_what_a_crash_left(
    is_first: bool, left: list[str], tmp_path: Path
) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "of another server").touch()
    shared = ObjectStore(tmp_path, shared=Shared(FileLocks(tmp_path / "locks"), is_first=is_first))
    assert [path.name for path in (tmp_path / "incoming").iterdir()] == left
    assert isinstance(shared.lock, OutsideReadWriteLock)
    assert shared.folders._is_shared
    assert not ObjectStore(tmp_path).folders._is_shared


# What is compared


@pytest.mark.parametrize(
    ("size", "most", "error", "told"),
    [
        (3, None, None, ""),
        (None, 3, None, ""),
        (None, None, None, ""),
        (2, None, WrongContentError, "larger than the declared 2 bytes"),
        (4, None, WrongContentError, "the body has 3 bytes; 4 were declared"),
        (None, 2, TooLargeError, "larger than 2 bytes, which is all"),
    ],
)
def test_a_body_is_taken_as_long_as_it_can_be_what_was_declared(
    size: int | None, most: int | None, error: type[Exception] | None, told: str
) -> None:
    kept: list[bytes] = []
    blocks = [b"a", b"bc"]
    if error is None:
        assert taken(blocks, kept.append, md5=None, size=size, most=most) == (digest(b"abc"), 3)
        assert kept == blocks
    else:
        with pytest.raises(error, match=told):
            taken(blocks, kept.append, md5=digest(b"abc"), size=size, most=most)
        assert kept == blocks[: 2 if size == 4 else 1], "what is too much is not kept"


def test_a_body_of_another_md5_is_refused_with_both() -> None:
    with pytest.raises(
        WrongContentError, match=r"is kAFQmDzST7DWlj99KOF/cg== \(3 bytes\); .*== was declared"
    ):
        taken([b"abc"], len, md5=digest(b"abd"), size=None, most=None)
    assert taken([b"abc"], len, md5=digest(b"abc"), size=None, most=None)[1] == 3


@pytest.mark.parametrize("good", [b"", b"a", LARGE], ids=["empty", "small", "large"])
def test_a_damaged_content_is_told_in_place_of_its_end_and_set_aside_once(
    good: bytes, store: ObjectStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    md5 = keep(store, good)
    assert store.read(md5) == good
    bad = good[:-1] + b"?"
    store.path(md5).write_bytes(bad)
    with store.open(md5) as file, pytest.raises(DamagedContentError, match="was damaged on the disk"):
        file.read()
    assert not store.has(md5)
    assert (tmp_path / "damaged" / md5.hex()).read_bytes() == bad
    assert stat.S_IMODE((tmp_path / "damaged").stat().st_mode) == 0o700
    store.set_aside(md5)  # somebody else who found it, too
    assert [message.endswith(f"set aside as damaged/{md5.hex()}") for message in caplog.messages] == [True]


def test_no_bytes_asked_for_are_not_the_end_and_a_file_is_closed_with_its_reader(store: ObjectStore) -> None:
    file: Any = store.open(keep(store, LARGE))
    raw = file.raw
    assert raw.readinto(bytearray(0)) == 0
    assert file.read(5) == LARGE[:5]
    assert raw.readinto(bytearray(0)) == 0
    assert file.read() == LARGE[5:]
    file.close()
    assert (raw.closed, raw._file.closed) == (True, True)


def test_what_was_compared_is_read_again_only_once_it_was_written_to(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5, opened, real = keep(store, LARGE), list[bytes](), store.open

    def noted(one: bytes) -> IO[bytes]:
        opened.append(one)
        return real(one)

    monkeypatch.setattr(store, "open", noted)
    touched = untouched_without(store, "_guard", "_seen")
    for times in (1, 2):
        for _ in range(3):
            assert store.checked(md5) == store.path(md5)
            with store.open_checked(md5) as file:
                assert file.read() == LARGE
        assert opened == [md5] * times
        os.utime(store.path(md5), ns=(0, times))
    store.path(md5).write_bytes(b"another")
    with pytest.raises(DamagedContentError):
        store.checked(md5)
    with pytest.raises(FileNotFoundError):
        store.checked(md5)
    assert touched == []


def test_so_many_contents_are_remembered_and_then_none(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REMEMBERED", 2)
    counts = []
    for content in (b"a", b"b", b"c"):
        store.checked(keep(store, content))
        counts.append(len(store._seen))
    assert counts == [1, 2, 1]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_blocks_are_handed_out_in_order_and_the_last_one_after_the_end_was_come_to(count: int) -> None:
    blocks = [b"%d" % number for number in range(count)]
    assert list(last_held_back(iter(blocks))) == (blocks or [b""])

    def damaged() -> Iterator[bytes]:
        yield from blocks
        raise DamagedContentError(digest(b""))

    got: list[bytes] = []
    with pytest.raises(DamagedContentError):
        got.extend(last_held_back(damaged()))
    assert got == blocks[:-1]
    if count < 2:
        with pytest.raises(DamagedContentError):
            last_held_back(damaged())  # before anybody asks for the first block


# What waits


@contextmanager
def noted_syncs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    synced: list[str] = []

    def sync(handle: int) -> None:
        synced.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        yield synced


class Held:
    """A lock that says whether it is held."""

    is_held = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        assert not self.is_held
        self.is_held = True
        yield
        self.is_held = False


@pytest.mark.parametrize("is_durable", [True, False])
def test_a_content_is_on_disk_before_its_name_and_held_until_somebody_wants_it(
    is_durable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, lock = ObjectStore(tmp_path, durable=is_durable), Held()
    keep(store, b"the first, whose folder is made")
    store.lock = lock  # type: ignore[assignment]
    with noted_syncs(monkeypatch) as synced, store.write([b"one"]) as new:
        assert synced == []
        with new.placed():
            assert (lock.is_held, store.has(new.md5)) == (True, True)
            assert synced == (["file", "folder"] if is_durable else [])
    with noted_syncs(monkeypatch) as synced, ExitStack() as opened:
        several = [opened.enter_context(store.write([b"%d" % number])) for number in range(3)]
        with store.placed_together(several):
            assert lock.is_held
            assert store.those_there([one.md5 for one in several]) == {one.md5 for one in several}
            assert synced == (["file"] * 3 + ["folder"] if is_durable else [])
    assert not lock.is_held


def test_a_store_waits_for_its_disk_unless_it_is_told_not_to(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with noted_syncs(monkeypatch) as synced:
        keep(store, b"a")
    assert (synced[0], synced[-1]) == ("file", "folder")
