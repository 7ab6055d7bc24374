"""A file on its way: what of an earlier run counts, which answers it takes, and when it is put in place."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.download import partial_file
from conductor.lib.download.partial_file import PartialFile, RangeIgnoredError, partial_path
from conductor.lib.files.digests import Md5
from support.client_world import md5_of

WHOLE = b"0123456789"
MD5 = md5_of(WHOLE)


def opened(folder: Path, *, size: int = len(WHOLE), md5: str | None = MD5) -> PartialFile:
    def wait(_: float) -> None:
        raise BlockingIOError("somebody else has it")

    return PartialFile(folder / "a.png", size=size, md5=md5, wait=wait)


def begun(folder: Path, content: bytes, md5: str | None = MD5) -> None:
    partial_path(folder / "a.png", md5).write_bytes(content)


@pytest.mark.parametrize(
    ("there", "md5", "counted"),
    [
        (b"", MD5, 0),
        (b"0", MD5, 1),
        (b"01234", MD5, 5),
        (WHOLE, MD5, 10),
        (WHOLE + b"!", MD5, 0),
        (b"01234", None, 0),
    ],
    ids=["nothing", "a byte", "a part", "all", "too much", "without an md5"],
)
def test_what_an_earlier_run_left_counts_if_it_can_be_of_this_file(
    tmp_path: Path, there: bytes, md5: str | None, counted: int
) -> None:
    begun(tmp_path, there, md5)
    part = opened(tmp_path, md5=md5)
    assert part.count == counted
    assert part.missing() == ({"Range": f"bytes={counted}-"} if counted else {})
    assert part.actual_md5 == md5_of(there[:counted])
    part.close()
    assert partial_path(tmp_path / "a.png", md5).read_bytes() == there[:counted]


@pytest.mark.parametrize(
    ("status", "headers", "blocks"),
    [
        (206, {"Content-Range": "bytes 5-9/10"}, [b"56", b"789"]),
        (206, {"Content-Range": " bytes 5-9/* "}, [b"56789"]),
        (200, {}, [b"012", b"3456789"]),
    ],
    ids=["the rest", "the rest of who knows how much", "the whole"],
)
def test_the_rest_is_written_behind_what_is_there_and_a_whole_in_its_place(
    tmp_path: Path, status: int, headers: dict[str, str], blocks: list[bytes]
) -> None:
    begun(tmp_path, b"01234")
    part = opened(tmp_path)
    part.receive(status, headers, iter(blocks))
    assert (part.count, part.right, part.actual_md5) == (10, True, MD5)
    assert part.received == sum(map(len, blocks))
    part.close()
    assert partial_path(tmp_path / "a.png", MD5).read_bytes() == WHOLE


@pytest.mark.parametrize("header", ["bytes 4-9/10", "bytes 0-9/10", "bytes */10", "", "5-9"])
def test_another_range_than_was_asked_for_is_not_written(tmp_path: Path, header: str) -> None:
    begun(tmp_path, b"01234")
    part = opened(tmp_path)
    with pytest.raises(RangeIgnoredError, match="another range than that from 5") as refused:
        part.receive(206, {"Content-Range": header}, iter([b"56789"]))
    assert refused.value.status == 206
    assert part.count == 5
    part.close()
    assert partial_path(tmp_path / "a.png", MD5).read_bytes() == b"01234"


@pytest.mark.parametrize(
    ("content", "size", "md5", "right"),
    [
        (WHOLE, 10, MD5, True),
        (WHOLE, 10, None, True),
        (WHOLE[::-1], 10, MD5, False),
        (WHOLE[:9], 10, None, False),
        (b"", 0, None, True),
    ],
    ids=["right", "without an md5", "another content", "too short", "empty"],
)
def test_a_file_is_right_if_size_and_md5_are(
    tmp_path: Path, content: bytes, size: int, md5: str | None, right: bool
) -> None:
    part = opened(tmp_path, size=size, md5=md5)
    part.write(content)
    assert part.right is right
    part.close()


@pytest.mark.parametrize("call", [1, 2], ids=["as it is opened", "as it is read"])
def test_a_partial_file_that_cannot_be_read_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    calls, fstat = list[int](), os.fstat

    def fails(descriptor: int) -> os.stat_result:
        calls.append(descriptor)
        if len(calls) == call:
            raise OSError("the disk is gone")
        return fstat(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fails)
        with pytest.raises(OSError, match="the disk is gone"):
            opened(tmp_path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        fstat(calls[-1])
    opened(tmp_path).close()


def test_the_name_of_a_partial_file_is_short_and_of_one_content(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 250)
    names = {
        partial_path(target, MD5).name,
        partial_path(target, None).name,
        partial_path(tmp_path / "y", MD5).name,
    }
    assert len(names) == 3
    assert all(name.startswith(".") and len(name) < 60 for name in names)


def test_a_link_in_the_place_of_a_partial_file_is_not_followed(tmp_path: Path) -> None:
    path = partial_path(tmp_path / "a.png", MD5)
    assert path.suffix == ".conductor-part"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        opened(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_is_whole_gets_its_name_and_is_let_go(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"an older one")
    part = opened(tmp_path)
    part.write(WHOLE)
    stat = part.put_in_place()
    assert (tmp_path / "a.png").read_bytes() == WHOLE
    assert os.path.samestat(stat, (tmp_path / "a.png").stat())
    assert not part.path.exists()
    opened(tmp_path).close()


def test_a_file_that_is_not_wanted_is_gone_and_let_go(tmp_path: Path) -> None:
    part = opened(tmp_path)
    part.write(b"0")
    part.discard()
    part.discard()
    assert not part.path.exists()
    assert not part.target.exists()
    opened(tmp_path).close()


@pytest.mark.parametrize("end", ["close", "put_in_place", "discard"])
def test_a_file_that_somebody_else_fetches_is_waited_for(tmp_path: Path, end: str) -> None:
    first = opened(tmp_path)
    first.write(b"01234")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        getattr(first, end)()

    second = PartialFile(tmp_path / "a.png", size=10, md5=MD5, wait=wait)
    assert (len(waits), second.count) == (1, 5 if end == "close" else 0)
    assert waits[0] > 0
    second.close()


@pytest.mark.parametrize(("number", "waited"), [(errno.ENOTSUP, False), (errno.EAGAIN, True)])
def test_where_files_cannot_be_locked_the_download_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, waited: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(fcntl, "flock", refuse)
    if waited:
        with pytest.raises(BlockingIOError, match="somebody else has it"):
            opened(tmp_path)
    else:
        opened(tmp_path).close()


@given(
    there=st.binary(max_size=12),
    answers=st.lists(st.tuples(st.booleans(), st.lists(st.binary(max_size=8), max_size=4)), max_size=4),
    size=st.integers(0, 12),
)
def test_nothing_is_written_behind_the_promised_size_and_such_a_file_is_not_right(
    there: bytes, answers: list[tuple[bool, list[bytes]]], size: int
) -> None:
    """Answers that go on behind the end, each the rest of what is there or the whole, one after the other."""
    with TemporaryDirectory() as name:
        begun(Path(name), there)
        part = opened(Path(name), size=size)
        expected = b"" if len(there) > size else there
        goes_on = False
        for is_rest, blocks in answers:
            part.receive(
                206 if is_rest else 200, {"Content-Range": f"bytes {len(expected)}-9/*"}, iter(blocks)
            )
            expected = expected if is_rest else b""
            goes_on = False
            for block in blocks:
                goes_on = len(expected) + len(block) > size
                if goes_on:
                    break
                expected += block
            assert (part.count, part.overrun, part.actual_md5) == (len(expected), goes_on, md5_of(expected))
        part.md5 = md5_of(expected)
        assert part.right is (len(expected) == size and not goes_on)
        part.start_over()
        part.md5, part.size = None, 0
        assert (part.count, part.right) == (0, True)
        part.close()


def test_what_is_there_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []

    class Counted(Md5):
        def update(self, block: Any) -> None:
            pieces.append(len(block))
            super().update(block)

    monkeypatch.setattr(partial_file, "BUFFER_BYTES", 3)
    monkeypatch.setattr(partial_file, "Md5", Counted)
    begun(tmp_path, WHOLE)
    part = opened(tmp_path)
    assert (pieces, part.right) == ([3, 3, 3, 1], True)
    part.close()


@pytest.mark.parametrize("kind", ["a file that has another name, too", "a pipe"])
def test_what_is_no_file_of_this_one_name_makes_room_for_one(tmp_path: Path, kind: str) -> None:
    path, other = partial_path(tmp_path / "a.png", MD5), tmp_path / "other"
    if kind == "a pipe":
        os.mkfifo(path)
        os.link(path, other)  # it has as many names as any
        other.unlink()
    else:
        other.write_bytes(b"of somebody else")
        os.link(other, path)
    part = opened(tmp_path)
    part.write(WHOLE)
    part.close()
    assert path.read_bytes() == WHOLE
    assert kind == "a pipe" or other.read_bytes() == b"of somebody else"


def test_a_file_that_gets_another_name_as_it_is_opened_is_closed_and_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = partial_path(tmp_path / "a.png", MD5), tmp_path / "other"
    begun(tmp_path, b"of somebody else")
    os_open, flags_of = os.open, list[int]()

    def linked_first(name: Path, flags: int, mode: int = 0o777) -> int:
        if not flags_of:
            os.link(path, other)
        flags_of.append(flags)
        return os_open(name, flags, mode)

    descriptors = len(list(Path("/dev/fd").iterdir()))
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", linked_first)
        part = opened(tmp_path)
    part.write(WHOLE)
    part.close()
    assert len(list(Path("/dev/fd").iterdir())) == descriptors
    assert (path.read_bytes(), other.read_bytes()) == (WHOLE, b"of somebody else")
    assert len(flags_of) == 2
    # A link or a pipe that takes the name in between is not followed, nor waited for.
    assert all(flags & os.O_NOFOLLOW and flags & os.O_NONBLOCK for flags in flags_of)


def test_one_that_another_process_makes_just_now_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os_open = os.open

    def made_first(name: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_EXCL:
            begun(tmp_path, b"01234")
        return os_open(name, flags, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", made_first)
        part = opened(tmp_path)
    assert part.count == 5
    part.close()


def test_one_that_was_put_in_place_as_it_was_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flock, locked = partial_path(tmp_path / "a.png", MD5), fcntl.flock, list[int]()

    def gone_first(stream: Any, operation: int) -> None:
        if not locked:
            path.rename(tmp_path / "a.png")
        locked.append(operation)
        flock(stream, operation)

    monkeypatch.setattr(fcntl, "flock", gone_first)
    begun(tmp_path, WHOLE)
    part = opened(tmp_path)
    assert (part.count, len(locked)) == (0, 2)
    assert path.exists()
    part.close()


def test_a_new_one_has_the_mode_that_its_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o020)
    try:
        part = opened(tmp_path)
    finally:
        os.umask(before)
    part.close()
    assert stat.S_IMODE(partial_path(tmp_path / "a.png", MD5).stat().st_mode) == 0o646


def test_a_file_that_is_discarded_is_closed(tmp_path: Path) -> None:
    part = opened(tmp_path)
    part.discard()
    with pytest.raises(ValueError, match="closed"):
        part.write(b"0")


def test_who_watches_is_told_of_every_block_and_may_end_it(tmp_path: Path) -> None:
    told: list[int] = []
    part = PartialFile(tmp_path / "a.png", size=10, md5=MD5, wait=lambda _: None, got=told.append)
    part.receive(200, {}, iter([b"0123", b"", b"456789"]))
    assert (told, part.right) == ([4, 0, 6], True)
    part.close()


def test_what_the_system_takes_in_pieces_is_written_whole(tmp_path: Path) -> None:
    class Grudging:
        """A stream that takes nothing, or a byte, at a time."""

        def __init__(self) -> None:
            self.taken = bytearray()

        def write(self, view: memoryview) -> int | None:
            if len(self.taken) % 3 == 1 and not self.refused:
                self.refused = True
                return None
            self.refused = False
            self.taken += view[:1]
            return 1

        refused = False

    part = opened(tmp_path)
    part.close()
    stream: Any = Grudging()
    part._stream = stream
    part.write(WHOLE)
    assert (bytes(stream.taken), part.count) == (WHOLE, 10)


def test_the_stat_of_a_file_in_its_place_is_that_of_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever takes its name just then."""

    def replaced_then(stream: Any, path: Path, target: Path) -> None:
        path.rename(target)
        (tmp_path / "other").write_bytes(b"another")
        (tmp_path / "other").rename(target)

    monkeypatch.setattr(partial_file, "put_in_place", replaced_then)
    part = opened(tmp_path)
    part.write(WHOLE)
    assert part.put_in_place().st_size == len(WHOLE)
