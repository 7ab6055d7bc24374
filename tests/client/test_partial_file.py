"""A file on its way: what of an earlier run counts, which answers it takes, and when it is put in place."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from conductor.lib.download.partial_file import PartialFile, RangeIgnoredError, partial_path
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
        (b"01234", MD5, 5),
        (WHOLE, MD5, 10),
        (WHOLE + b"!", MD5, 0),
        (b"01234", None, 0),
    ],
    ids=["nothing", "a part", "all", "too much", "without an md5"],
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
