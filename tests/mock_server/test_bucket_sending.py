"""How a body gets into a bucket: at once or in parts, what the store made of it, and whose fault other bytes are."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import IO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_mock.store import bucket_sending
from conductor_mock.store.bucket import BucketError, Found, Location
from conductor_mock.store.bucket_sending import (
    PART,
    InParts,
    forget_names,
    is_damaged,
    is_whole,
    part_bytes,
    send,
    send_file,
)
from conductor_mock.store.content_store import BLOCK
from support.memory_bucket import Kept, MemoryBucket

MIB = 1 << 20
CONTENT = b"the content of a file, in three parts"
PIECE = 16


def digest(content: bytes) -> bytes:
    return hashlib.md5(content).digest()


class Store(MemoryBucket):
    """Notes what it was asked for; what it makes of bodies and what becomes of them can be turned."""

    def __init__(self) -> None:
        super().__init__(Location("contents", ""), Kept())
        self.asked: list[str] = []
        self.handed_out: list[IO[bytes]] = []
        self.etag: str | None = None
        """What it calls every body."""
        self.kept_as: Callable[[bytes], bytes] = lambda body: body
        self.way: Callable[[bytes], bytes] = lambda body: body
        """What becomes of a body on its way from the store."""
        self.refuses: set[str] = set()
        """Names that it does not take away."""

    def put(self, name: str, body: bytes, *, md5: bytes, is_new: bool = False) -> str:
        self.asked.append("put")
        kept = self.kept_as(body)
        etag = super().put(name, kept, md5=digest(kept))
        return self.etag or etag

    def get(self, name: str, first: int = 0, count: int | None = None) -> IO[bytes]:
        self.asked.append("get")
        with super().get(name, first, count) as body:
            self.handed_out.append(io.BytesIO(self.way(body.read())))
        return self.handed_out[-1]

    def head(self, name: str) -> Found:
        found = super().head(name)
        return Found(name, found.size, self.etag or found.etag, found.modified_s, found.age_s)

    def delete(self, name: str) -> None:
        self.asked.append(f"delete {name}")
        if name in self.refuses:
            raise BucketError("it does not answer")
        super().delete(name)

    def put_part(self, name: str, upload: str, number: int, body: bytes, *, md5: bytes) -> str:
        self.asked.append(f"part of {len(body)}")
        return super().put_part(name, upload, number, body, md5=md5)

    def join_parts(self, name: str, upload: str, etags: list[str]) -> str:
        etag = super().join_parts(name, upload, etags)
        kept = self.kept_as(self.body(name))
        if self.etag is not None or kept != self.body(name):
            super().put(name, kept, md5=digest(kept))
        return self.etag or etag

    def forget_parts(self, name: str, upload: str) -> None:
        self.asked.append("forget")
        super().forget_parts(name, upload)
        if name in self.refuses:
            raise BucketError("it does not answer")

    def body(self, name: str) -> bytes:
        """What lies there."""
        return self._kept.bodies[name][0]

    def has(self, name: str) -> bool:
        return name in self._kept.bodies


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """What is larger than some bytes is sent in parts."""
    monkeypatch.setattr(bucket_sending, "PART", PIECE)
    return Store()


def flipped(body: bytes) -> bytes:
    return bytes([body[0] ^ 1]) + body[1:]


@given(st.integers(1, 5 << 40))
@example(1)
@example(10_000 * PART)
@example(10_000 * PART + 1)
@example(5 << 40)
def test_parts_are_as_many_and_as_large_as_s3_takes(size: int) -> None:
    part = part_bytes(size)
    assert -(-size // part) <= 10_000
    assert 5 * MIB <= part <= 5 << 30
    assert part == PART or part * 9_999 < size, "no larger than they have to be"


@pytest.mark.parametrize(
    ("size", "asked"),
    [(0, ["put"]), (1, ["put"]), (16, ["put"]), (17, ["part of 16", "part of 1"]), (32, ["part of 16"] * 2)],
)
def test_a_file_is_sent_from_its_beginning_at_once_or_in_parts(
    size: int, asked: list[str], store: Store
) -> None:
    content = CONTENT[:size]
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    send_file(store, "a", file, size, md5=digest(content))
    assert store.body("a") == content
    assert store.asked == asked, "what has the ETag that it should have is not read back"


@pytest.mark.parametrize("content", [CONTENT[:PIECE], CONTENT])
def test_what_a_store_calls_otherwise_is_read_back_and_is_there_if_it_is_what_was_sent(
    content: bytes, store: Store
) -> None:
    store.etag = "opaque"
    send_file(store, "a", io.BytesIO(content), len(content), md5=digest(content))
    assert (store.body("a"), store.asked[-1]) == (content, "get")
    assert [body.closed for body in store.handed_out] == [True]
    send(store, "b", content, md5=digest(content))
    assert store.body("b") == content


@pytest.mark.parametrize("content", [CONTENT[:PIECE], CONTENT])
def test_what_a_store_made_something_else_of_is_not_there(content: bytes, store: Store) -> None:
    store.kept_as, store.etag = flipped, "opaque"
    with pytest.raises(BucketError, match="kept other bytes than it was sent"):
        send_file(store, "a", io.BytesIO(content), len(content), md5=digest(content))
    assert not store.has("a")


def test_a_part_is_sent_as_soon_as_it_is_whole_and_what_is_left_at_the_end(store: Store) -> None:
    with InParts(store, "a", 100) as body:
        body.write(CONTENT[:PIECE])
        assert store.asked == ["part of 16"]
        body.write(CONTENT[PIECE:20])
        assert store.asked == ["part of 16"]
        body.end()
        body.end()
        assert store.asked == ["part of 16", "part of 4"]
        assert not store.has("a"), "it has no name before it is joined"
        body.join(digest(CONTENT[:20]))
        assert store.body("a") == CONTENT[:20]
    assert store.asked == ["part of 16", "part of 4"], "what is joined is not given up"


def test_one_block_may_have_many_parts(store: Store) -> None:
    with InParts(store, "a", len(CONTENT)) as body:
        body.write(CONTENT)
        assert store.asked == ["part of 16"] * 2
        body.end()
        body.join(digest(CONTENT))
    assert store.body("a") == CONTENT


@pytest.mark.parametrize("answers", [True, False])
def test_of_a_body_that_was_not_joined_nothing_stays(answers: bool, store: Store) -> None:
    """Whether or not the store answers to its being given up: the sweeper comes by."""
    if not answers:
        store.refuses = {"a"}
    with InParts(store, "a", 100) as body:
        body.write(CONTENT)
    assert (list(store.begun()), store.has("a")) == ([], False)
    with pytest.raises(KeyError), InParts(store, "a", 100) as body:
        raise KeyError
    assert list(store.begun()) == []


def test_what_somebody_else_has_given_up_is_given_up(store: Store) -> None:
    with InParts(store, "a", 100) as body:
        body.write(CONTENT)
        ((name, upload, _),) = store.begun()
        store.forget_parts(name, upload)
    assert list(store.begun()) == []


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_names_that_nothing_means_are_taken_away_each_once_and_those_that_cannot_be_stay(
    count: int, store: Store
) -> None:
    names = [f"{number}" for number in range(count)]
    for name in names:
        store.put(name, b"", md5=digest(b""))
    store.refuses = {"0"}
    store.asked.clear()
    forget_names(store, names)
    assert sorted(store.asked) == [f"delete {name}" for name in names]
    assert [name for name in names if store.has(name)] == names[:1]


def test_a_body_is_whole_if_it_is_there_and_what_it_is_named(store: Store) -> None:
    assert is_whole(store, "a", digest(CONTENT)) is False
    store.put("a", CONTENT, md5=digest(CONTENT))
    assert is_whole(store, "a", digest(CONTENT)) is True
    assert is_whole(store, "a", digest(b"other")) is False
    assert [body.closed for body in store.handed_out] == [True, True]


def in_parts(*pieces: bytes) -> str:
    together = digest(b"".join(map(digest, pieces)))
    return f"{together.hex()}-{len(pieces)}"


OTHER = flipped(CONTENT)
PIECES = [CONTENT[:16], CONTENT[16:32], CONTENT[32:]]


@pytest.mark.parametrize(
    ("sent", "etag", "is_so"),
    [
        (OTHER, digest(OTHER).hex(), True),
        (OTHER, in_parts(flipped(CONTENT)[:16], *PIECES[1:]), True),
        (OTHER, "opaque", True),
        (OTHER, digest(CONTENT).hex(), False),
        (OTHER, in_parts(*PIECES), False),
        (CONTENT, digest(CONTENT).hex(), False),
        (CONTENT, in_parts(*PIECES), False),
        (CONTENT, "opaque", False),
        (CONTENT[:20], in_parts(*PIECES), False),
        (b"", digest(CONTENT).hex(), False),
    ],
)
@pytest.mark.parametrize("block", [5, BLOCK])
def test_a_content_is_damaged_where_the_store_holds_what_it_sends(
    block: int, sent: bytes, etag: str, is_so: bool, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says of it in its ETag is held against what comes: else the way is at fault."""
    monkeypatch.setattr(bucket_sending, "BLOCK", block)
    store.put("a", CONTENT, md5=digest(CONTENT))
    store.etag, store.way = etag, lambda _: sent
    assert is_damaged(store, "a", digest(CONTENT)) is is_so
    assert [body.closed for body in store.handed_out] == [True]


def test_of_what_is_not_there_nobody_says_that_it_is_damaged(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        is_damaged(store, "a", digest(CONTENT))
