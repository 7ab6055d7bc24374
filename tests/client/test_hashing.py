"""md5s of files, and files that do not hold still."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.exceptions import FileChangedError, InvalidPathError
from conductor.lib.files import hashing
from conductor.lib.files.hashing import BUFFER_BYTES, contradiction, hash_file
from conductor.lib.upload.file_body import FileBody
from support.client_world import md5_of


@pytest.mark.parametrize(
    ("content", "md5"), [(b"", "1B2M2Y8AsgTpgAmY7PhCfg=="), (b"abc", "kAFQmDzST7DWlj99KOF/cg==")]
)
def test_an_md5_is_base64_of_the_raw_digest(tmp_path: Path, content: bytes, md5: str) -> None:
    (tmp_path / "f").write_bytes(content)
    hashed = hash_file(str(tmp_path / "f"))
    assert (hashed.md5, hashed.size) == (md5, len(content))


@given(
    st.sampled_from([0, 1, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 3 * BUFFER_BYTES]),
    st.binary(max_size=9),
)
def test_files_of_any_size_are_hashed_whole(
    tmp_path_factory: pytest.TempPathFactory, size: int, end: bytes
) -> None:
    path = tmp_path_factory.mktemp("h") / "f"
    path.write_bytes(bytes(size) + end)
    assert hash_file(str(path)).md5 == md5_of(bytes(size) + end)


def test_memory_does_not_grow_with_the_size_of_a_file(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(64 * BUFFER_BYTES)
    tracemalloc.start()
    try:
        hash_file(str(tmp_path / "sparse"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * BUFFER_BYTES


def test_a_file_that_grows_while_it_is_hashed_is_an_error_with_both_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    real = hashing.md5_of

    def md5_and_write(stream: object, size: int, check: Callable[[], None]) -> str:
        with path.open("ab") as end:
            end.write(b"de")
        return real(stream, size, check)  # type: ignore[arg-type]

    monkeypatch.setattr(hashing, "md5_of", md5_and_write)
    with pytest.raises(FileChangedError, match="while its md5 was taken") as caught:
        hash_file(str(path))
    assert caught.value.path == str(path)
    assert caught.value.expected.startswith("3 bytes")
    assert caught.value.actual.startswith("5 bytes")


def test_a_write_of_the_same_size_while_a_file_is_hashed_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    os.utime(path, ns=(0, 0))

    def write() -> None:
        path.write_bytes(b"xyz")
        os.utime(path, ns=(0, 1))

    with pytest.raises(FileChangedError, match="while its md5 was taken"):
        hash_file(str(path), write)


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidPathError, match="gone cannot be read"):
        hash_file(str(tmp_path / "gone"))


def test_a_contradiction_names_the_md5_that_was_and_the_one_that_is(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    file = hash_file(str(path))
    assert contradiction(file, "then") is None
    path.write_bytes(b"xyz")
    error = contradiction(file, "then")
    assert error is not None
    assert (error.expected, error.actual) == (md5_of(b"abc"), md5_of(b"xyz"))
    path.unlink()
    error = contradiction(file, "then")
    assert error is not None
    assert error.actual == "no longer readable"


def test_a_file_that_does_not_hold_still_contradicts_whatever_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    file, real = hash_file(str(path)), hashing.md5_of

    def md5_and_write(stream: object, size: int, check: Callable[[], None]) -> str:
        with path.open("ab") as end:
            end.write(b"de")
        return real(stream, size, check)  # type: ignore[arg-type]

    monkeypatch.setattr(hashing, "md5_of", md5_and_write)
    error = contradiction(file, "then")
    assert error is not None
    assert error.expected == file.md5
    assert error.actual.startswith("still changing (5 bytes")


def read_all(body: FileBody, step: int) -> bytes:
    content = b""
    while block := body.read(step):
        content += block
    return content


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_body_is_the_range_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("b") / "f"
    path.write_bytes(content)
    offset = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(0, len(content) - offset))
    with FileBody(hash_file(str(path)), offset, length, Cancellation()) as body:
        assert read_all(body, data.draw(st.integers(1, 50))) == content[offset : offset + length]


def test_a_body_of_a_file_that_was_written_to_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc")
    file = hash_file(str(path))
    path.write_bytes(b"abcd")
    with pytest.raises(FileChangedError, match="between hashing and upload"):
        FileBody(file, 0, 3, Cancellation())
    path.unlink()
    with pytest.raises(FileChangedError, match="No such file"):
        FileBody(file, 0, 3, Cancellation())


@pytest.mark.parametrize("size", [1, 5, 20], ids=["shorter", "shorter by more", "longer"])
def test_a_body_notices_a_file_that_changes_under_it(tmp_path: Path, size: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(10))
    with FileBody(hash_file(str(path)), 0, 10, Cancellation()) as body:
        body.read(4)
        os.truncate(path, size)
        with pytest.raises(FileChangedError):
            read_all(body, 4)


def test_a_body_ends_when_the_upload_is_abandoned(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(10))
    stop = Cancellation()
    with FileBody(hash_file(str(path)), 0, 10, stop) as body:
        body.read(4)
        stop.cancel()
        with pytest.raises(CancelledError):
            body.read(4)
    with pytest.raises(CancelledError):
        FileBody(hash_file(str(path)), 0, 10, stop)


def test_a_body_that_is_to_be_checked_is_not_given_out_to_its_end_when_its_md5_is_another(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    # Written to without a trace in the stat: only the bytes tell.
    sly = hash_file(str(path)).with_md5("AAAAAAAAAAAAAAAAAAAAAA==")
    with FileBody(sly, 0, 10, Cancellation(), check_md5=True) as body:
        assert body.read(6) == b"012345"
        with pytest.raises(FileChangedError, match="between hashing and upload"):
            body.read(6)
    with FileBody(hash_file(str(path)), 0, 10, Cancellation(), check_md5=True) as body:
        assert body.read() == b"0123456789"


def test_a_body_tells_how_much_of_it_was_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    told: list[int] = []
    with FileBody(hash_file(str(tmp_path / "a")), 2, 8, Cancellation(), tell_read=told.append) as body:
        while body.read(3):
            pass
    assert told == [3, 6, 8, 8]


def test_hashing_a_large_file_ends_when_it_is_cancelled(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(3 * BUFFER_BYTES))
    stop, blocks = Cancellation(), list[int]()

    def cancel_at_the_first() -> None:
        blocks.append(len(blocks))
        stop.cancel()
        stop.check()

    with pytest.raises(CancelledError):
        hash_file(str(tmp_path / "large"), cancel_at_the_first)
    assert blocks == [0]


@pytest.mark.skipif(
    not Path("/proc/version").exists(), reason="Linux has files whose size is not what they hold"
)
@pytest.mark.parametrize(
    "path", ["/proc/version", "/proc/self/status", "/sys/kernel/mm/transparent_hugepage/enabled"]
)
def test_a_file_whose_size_is_not_what_it_holds_is_refused_with_both_numbers(path: str) -> None:
    if not Path(path).exists():
        pytest.skip("not on this machine")
    with pytest.raises(InvalidPathError, match=rf"{path} has \d+ bytes as its disk says, and \d+ when"):
        hash_file(path)
