"""Parts of uploads: sent twice, completed twice, and arriving while all that they belong to is removed."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE
from typing import Any
from weakref import WeakValueDictionary

import pytest

from conductor_mock.store.objects import WrongContentError
from conductor_mock.store.parts import (
    Multipart,
    Parts,
    PartsError,
    PartsReader,
    ReceivedPart,
    UnknownUploadError,
)
from support.server import Answer, ApiCaller, Fake, md5_of, running

CONTENT = b"eight by eight it comes"
PIECES = [CONTENT[start : start + 8] for start in range(0, len(CONTENT), 8)]
WAIT_S = 30


class Meanwhile:
    """A body during whose last read something happens."""

    def __init__(self, data: bytes, happens: Callable[[], object]) -> None:
        self._data = io.BytesIO(data)
        self._happens = happens

    def read(self, size: int | None = -1, /) -> bytes:
        block = self._data.read(size)
        if not block:
            self._happens()
        return block


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Fake]:
    with running(data_dir=tmp_path, part_size=8) as opened:
        yield opened


@pytest.fixture
def caller(fake: Fake) -> ApiCaller:
    return fake.caller()


def begin(caller: ApiCaller) -> dict[str, Any]:
    files = [{"path": "/proj/a", "hash": md5_of(CONTENT), "size": len(CONTENT)}]
    answer = caller.post("/api/v2/files/get_upload_urls", {"upload_files": files, "project": None})
    (record,) = answer.json()["multiPartURLs"]
    for part, piece in zip(record["parts"], PIECES, strict=True):
        assert caller.put(part["url"], piece).status == 200
    return dict(record)


def complete(caller: ApiCaller, record: dict[str, Any]) -> int:
    parts = [
        {"partNumber": number, "etag": hashlib.md5(piece).hexdigest()}
        for number, piece in enumerate(PIECES, 1)
    ]
    body = {"uploadID": record["uploadID"], "hash": md5_of(CONTENT), "completedParts": parts, "project": None}
    return caller.post("/api/v2/files/multipart/complete", body).status


def left_over(folder: Path) -> list[Path]:
    """Files of parts, and what was being received."""
    return [path for name in ("parts", "incoming") for path in (folder / name).rglob("*") if path.is_file()]


def put_again(caller: ApiCaller, record: dict[str, Any], happens: Callable[[], object]) -> Answer:
    """Send the second part once more; while its body is on its way, something happens."""
    body = {"wsgi.input": Meanwhile(PIECES[1], happens), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    return caller.request(
        "PUT", record["parts"][1]["url"], headers={"Transfer-Encoding": "chunked"}, environ=body
    )


def test_a_part_sent_twice_that_comes_when_the_upload_is_whole_is_acknowledged_and_not_kept(
    caller: ApiCaller, tmp_path: Path
) -> None:
    record = begin(caller)
    done: list[int] = []
    answer = put_again(caller, record, lambda: done.append(complete(caller, record)))

    assert (answer.status, done) == (200, [200])
    assert answer.headers["ETag"] == f'"{hashlib.md5(PIECES[1]).hexdigest()}"'
    assert left_over(tmp_path) == []


def test_a_part_that_comes_while_the_account_is_reset_is_refused_and_not_kept(
    caller: ApiCaller, tmp_path: Path
) -> None:
    record = begin(caller)
    query = {"account": caller.client_id}
    meanwhile = put_again(caller, record, lambda: caller.post("/_mock/reset", query=query))
    later = caller.put(record["parts"][1]["url"], PIECES[1])

    assert left_over(tmp_path) == []
    for answer in (meanwhile, later):
        assert (answer.status, "was reset" in answer.message) == (404, True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (PIECES[1][:-1], "the body has 7 bytes, part 2 has 8"),
        (PIECES[1] + b"!", "the body is larger than the 8 bytes of part 2"),
        (b"", "the body has 0 bytes, part 2 has 8"),
    ],
    ids=["shorter", "longer", "empty"],
)
def test_a_part_of_another_size_is_refused_and_not_kept(
    fake: Fake, tmp_path: Path, body: bytes, said: str
) -> None:
    parts = fake.service.parts
    upload = parts.begin("5001", md5=md5_of(CONTENT), size=len(CONTENT), part_size=8)
    with pytest.raises(WrongContentError, match=said), parts.receive("5001", upload, 2, io.BytesIO(body)):
        pytest.fail("it was taken")
    assert left_over(tmp_path) == []


def test_the_last_part_is_what_is_left(fake: Fake, tmp_path: Path) -> None:
    parts = fake.service.parts
    upload = parts.begin("5001", md5=md5_of(CONTENT), size=len(CONTENT), part_size=8)
    assert [upload.size_of(number) for number in range(1, upload.count + 1)] == [8, 8, 7]
    for number, piece in enumerate(PIECES, 1):
        with parts.receive("5001", upload, number, io.BytesIO(piece)) as part, parts.turn(upload):
            assert part.etag == hashlib.md5(piece).hexdigest()
            parts.keep(part)
    etags = [(number, hashlib.md5(piece).hexdigest()) for number, piece in enumerate(PIECES, 1)]
    lying = {
        path.name: path.read_bytes() for path in (tmp_path / "parts" / "5001" / upload.upload_id).iterdir()
    }
    assert lying == {f"{number:05d}-{etag}": PIECES[number - 1] for number, etag in etags}
    whole = parts.joined("5001", upload, etags)
    assert b"".join(iter(whole.read, b"")) == CONTENT
    for wrong, said in (
        (etags[:2], r"the upload has the parts 1 to 3; got \[1, 2\]"),
        (etags[::-1], r"got \[3, 2, 1\]"),
        ([*etags[:2], (3, "0" * 32)], "part 3 with the ETag '0{32}' was not received"),
    ):
        with pytest.raises(PartsError, match=said):
            parts.joined("5001", upload, wrong)
    parts.forget("5001", upload.upload_id)
    with pytest.raises(PartsError, match="part 1"):
        parts.joined("5001", upload, etags)


def test_a_part_is_put_in_place_in_the_turn_of_its_upload(
    caller: ApiCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it could come between the look at what there is and the removal of all of it."""
    turn, keep = Parts.turn, Parts.keep
    in_turn: list[str] = []
    kept: list[bool] = []

    @contextmanager
    def seen_turn(self: Parts, upload: Multipart) -> Iterator[None]:
        with turn(self, upload):
            in_turn.append(upload.upload_id)
            yield
            in_turn.pop()

    def seen_keep(self: Parts, part: ReceivedPart) -> None:
        kept.append(in_turn == [part.upload.upload_id])
        keep(self, part)

    monkeypatch.setattr(Parts, "turn", seen_turn)
    monkeypatch.setattr(Parts, "keep", seen_keep)
    begin(caller)

    assert kept == [True] * len(PIECES)


def test_an_account_is_forgotten_one_upload_at_a_time_each_in_its_turn(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of which nothing arrived too, and those of nobody else."""
    parts = fake.service.parts
    size: dict[str, int] = {"size": len(CONTENT), "part_size": 8}
    mine = [parts.begin("5001", md5=md5_of(text), **size) for text in (b"1", b"2")]
    begun = parts.begin("5001", md5=md5_of(CONTENT), **size)
    other = parts.begin("5002", md5=md5_of(CONTENT), **size)
    for account, upload in (("5001", begun), ("5002", other)):
        with parts.receive(account, upload, 1, io.BytesIO(PIECES[0])) as part, parts.turn(upload):
            parts.keep(part)
    turn, forget = Parts.turn, Parts.forget
    in_turn: list[str] = []
    forgotten: list[tuple[str, list[str]]] = []

    @contextmanager
    def seen_turn(self: Parts, upload: Multipart) -> Iterator[None]:
        with turn(self, upload):
            in_turn.append(upload.upload_id)
            yield
            in_turn.pop()

    def seen_forget(self: Parts, account_id: str, upload_id: str) -> None:
        forgotten.append((upload_id, list(in_turn)))
        forget(self, account_id, upload_id)

    monkeypatch.setattr(Parts, "turn", seen_turn)
    monkeypatch.setattr(Parts, "forget", seen_forget)
    parts.forget_all("5001")

    assert sorted(forgotten) == sorted((one.upload_id, [one.upload_id]) for one in (*mine, begun))
    assert [path.parent.name for path in left_over(tmp_path)] == [other.upload_id]
    assert parts.get("5002", other.upload_id) == other
    with pytest.raises(UnknownUploadError):
        parts.get("5001", begun.upload_id)


def test_of_a_part_that_is_sent_again_the_last_one_stays(fake: Fake, tmp_path: Path) -> None:
    parts = fake.service.parts
    upload = parts.begin("5001", md5=md5_of(CONTENT), size=len(CONTENT), part_size=8)
    for number, body in ((1, b"as it is"), (2, b"the next"), (1, b"as it is"), (1, b"changed!")):
        with parts.receive("5001", upload, number, io.BytesIO(body)) as part, parts.turn(upload):
            parts.keep(part)
    assert {path.read_bytes() for path in left_over(tmp_path)} == {b"changed!", b"the next"}


def test_everybody_who_comes_for_an_upload_waits_for_the_same_turn(fake: Fake) -> None:
    """A dictionary of weak references is none that two threads may use at once."""
    parts = fake.service.parts
    alone: list[bool] = []

    class Watched(WeakValueDictionary[str, Any]):
        def setdefault(self, key: str, default: Any = None) -> Any:
            alone.append(parts._guard.locked())
            return super().setdefault(key, default)

    parts._turns = Watched()
    with parts.turn(Multipart("a" * 32, "", 1, 1)):
        assert list(parts._turns) == ["a" * 32]
    assert alone == [True]
    assert list(parts._turns) == [], "nobody holds it, and it takes no memory"


def test_parts_that_an_earlier_version_left_open_to_others_are_closed_at_the_start(tmp_path: Path) -> None:
    with running(data_dir=tmp_path):
        assert not (tmp_path / "parts").exists()
    (tmp_path / "parts").mkdir(mode=0o755)
    with running(data_dir=tmp_path):
        assert S_IMODE((tmp_path / "parts").stat().st_mode) == 0o700


def test_an_upload_completed_twice_at_once_is_joined_once(
    fake: Fake, caller: ApiCaller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that repeats what it had no answer to; the first one has not finished yet."""
    record = begin(caller)
    joined, turn = Parts.joined, Parts.turn_to_complete
    joins: list[str] = []
    came = threading.Semaphore(0)

    def one_join(
        self: Parts, account: str, upload: Multipart, etags: Sequence[tuple[int, str]]
    ) -> PartsReader:
        joins.append(upload.upload_id)
        for _ in range(2):
            assert came.acquire(timeout=WAIT_S)
        return joined(self, account, upload, etags)

    def seen_turn(self: Parts, upload: Multipart) -> Any:
        came.release()
        return turn(self, upload)

    monkeypatch.setattr(Parts, "joined", one_join)
    monkeypatch.setattr(Parts, "turn_to_complete", seen_turn)
    with ThreadPoolExecutor(2) as pool:
        other = ApiCaller(caller.app, caller.client_id, caller.private_key, caller.token)
        statuses = list(pool.map(lambda one: complete(one, record), [caller, other]))

    assert statuses == [200, 200]
    assert joins == [record["uploadID"]]
    assert left_over(tmp_path) == []
    assert caller.files() == {"/proj/a": md5_of(CONTENT)}


def test_an_upload_is_known_by_its_account_its_content_and_how_it_is_cut(fake: Fake) -> None:
    """The same one whenever it is asked for, and never that of another."""
    parts = fake.service.parts
    same: dict[str, Any] = {"md5": md5_of(CONTENT), "size": 23, "part_size": 8}
    first = parts.begin("5001", **same)
    assert parts.begin("5001", **same) == first
    others = [
        parts.begin("5002", **same),
        parts.begin("5001", **{**same, "md5": md5_of(b"")}),
        parts.begin("5001", **{**same, "size": 24}),
        parts.begin("5001", **{**same, "part_size": 9}),
    ]
    assert len({one.upload_id for one in (first, *others)}) == 5
    assert parts.get("5002", others[0].upload_id) == others[0]
    with pytest.raises(UnknownUploadError):
        parts.get("5002", first.upload_id)


def test_two_uploads_do_not_wait_for_each_other(fake: Fake) -> None:
    parts = fake.service.parts
    first, second = (Multipart(name * 32, "", 1, 1) for name in "ab")
    with parts.turn(first), ThreadPoolExecutor(1) as pool:

        def take() -> bool:
            with parts.turn(second):
                return True

        assert pool.submit(take).result(timeout=WAIT_S)
