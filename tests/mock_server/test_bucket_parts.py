"""Uploads in parts at servers that share a database and a bucket, and no disk: a part may come to any of them."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.cli.program import main
from conductor_mock.farm.ids import account_id
from conductor_mock.settings import Quotas
from conductor_mock.store import bucket, bucket_parts, bucket_sending
from conductor_mock.store.bucket import Bucket, BucketError
from conductor_mock.store.bucket_objects import BucketObjects
from conductor_mock.store.bucket_parts import BucketParts
from conductor_mock.store.parts import Parts
from conductor_mock.store.sweeper import GIVEN_UP_S
from conductor_mock.store.tables import PARTS
from support.buckets import ACCOUNT, NAME, endpoint
from support.examples import examples
from support.memory_bucket import Kept, MemoryBucket
from support.server import Answer, ApiCaller, Fake, ManualWall, md5_of, running

SIZE = 8
"""Bytes of a part."""
PIECES = [b"%08d" % number for number in range(3)] + [b"rest"]
CONTENT = b"".join(PIECES)
_names = count()


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Fake]]:
    """Three servers, each with a folder of its own, and a store that costs nothing."""
    folder, kept = tmp_path_factory.mktemp("three"), Kept()
    with ExitStack() as stack:
        wall = ManualWall()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bucket, "Bucket", lambda location, _: MemoryBucket(location, kept))
            fakes = [stack.enter_context(server(folder, number, wall)) for number in range(3)]
        yield fakes


def server(folder: Path, number: int, wall: ManualWall | None = None, **options: Any) -> Any:
    return running(wall, **{**where(folder, number), "shared": True, "part_size": SIZE, **options})


def where(folder: Path, number: int) -> dict[str, Any]:
    place = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return {
        "data_dir": folder / str(number),
        "database_url": f"sqlite:///{folder / 'conductor.db'}",
        "objects": f"s3://{NAME}/{place}",
        "objects_endpoint": endpoint(),
    }


def bucket_of(fake: Fake) -> Bucket:
    assert isinstance(fake.service.objects, BucketObjects)
    return fake.service.objects.bucket


@dataclass
class Upload:
    """One upload of an account of its own, whose calls go to whichever server is named."""

    fakes: list[Fake]
    content: bytes = CONTENT
    client_id: str = field(default_factory=lambda: f"studio-{next(_names)}")

    def __post_init__(self) -> None:
        first = self.fakes[0].caller(self.client_id)
        self.callers = [
            ApiCaller(fake.app, first.client_id, first.private_key, first.token) for fake in self.fakes
        ]
        self.record = self.begin(0)

    @property
    def account(self) -> str:
        return account_id(self.client_id)

    @property
    def pieces(self) -> list[bytes]:
        return [self.content[start : start + SIZE] for start in range(0, len(self.content), SIZE)]

    def begin(self, server: int) -> dict[str, Any]:
        files = [{"path": "/proj/a", "hash": md5_of(self.content), "size": len(self.content)}]
        answer = self.callers[server].post(
            "/api/v2/files/get_upload_urls", {"upload_files": files, "project": None}
        )
        (record,) = answer.json()["multiPartURLs"]
        return dict(record)

    def put(self, server: int, number: int, body: bytes | None = None) -> Answer:
        piece = self.pieces[number - 1] if body is None else body
        return self.callers[server].put(self.record["parts"][number - 1]["url"], piece)

    def complete(self, server: int, etags: list[str] | None = None) -> Answer:
        etags = etags or [hashlib.md5(piece).hexdigest() for piece in self.pieces]
        parts = [{"partNumber": number, "etag": etag} for number, etag in enumerate(etags, 1)]
        body = {"uploadID": self.record["uploadID"], "hash": md5_of(self.content), "project": None}
        return self.callers[server].post(
            "/api/v2/files/multipart/complete", {**body, "completedParts": parts}
        )

    def rows(self) -> list[str]:
        """The names of its parts in the database."""
        with self.fakes[-1].service.contents._database.read() as connection:
            return list(
                connection.execute(sa.select(PARTS.c.name).where(PARTS.c.account == self.account)).scalars()
            )

    def objects(self) -> list[str]:
        """The names of its parts in the bucket."""
        return [found.name for found in bucket_of(self.fakes[-1]).listed(f"parts/{self.account}/")]


SENDING = st.tuples(
    st.integers(0, 2), st.integers(1, len(PIECES)), st.sampled_from(["right", "wrong", "long"])
)


@examples(10, full=20)
@given(
    sent=st.lists(SENDING, max_size=8),
    gone=st.sampled_from([None, 0, 1, 2]),
    chance=st.randoms(use_true_random=False),
)
def test_parts_that_any_server_got_in_any_order_make_one_content_at_any_of_them(
    three: list[Fake], sent: list[tuple[int, int, str]], gone: int | None, chance: random.Random
) -> None:
    """What is repeated, wrong, replaced or too long; from then on a server is `gone`; two complete it at once."""
    upload = Upload(three)
    there: dict[int, bytes] = {}
    for place, number, kind in sent:
        piece = upload.pieces[number - 1]
        body = {"right": piece, "wrong": piece[::-1][:-1] + b"!", "long": piece + b"!"}[kind]
        answer = upload.put(place, number, body)
        assert answer.status == (400 if kind == "long" else 200), answer
        if kind != "long":
            there[number] = body
            assert answer.headers["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
        assert sorted(upload.rows()) == upload.objects()
        assert len(upload.rows()) == len(there), "of a part the last one that came"

    living = [place for place in range(3) if place != gone]
    if any(there.get(number) != piece for number, piece in enumerate(upload.pieces, 1)):
        got = [hashlib.md5(there.get(number, b"")).hexdigest() for number in range(1, len(PIECES) + 1)]
        refused = upload.complete(chance.choice(living), got)
        assert (refused.status, "the parts do not make the file" in refused.message) == (400, True)
        assert len(upload.objects()) == len(there), "what came is there still"
    missing = [number for number, piece in enumerate(upload.pieces, 1) if there.get(number) != piece]
    chance.shuffle(missing)
    assert upload.begin(chance.choice(living))["uploadID"] == upload.record["uploadID"]
    for number in missing:
        assert upload.put(chance.choice(living), number).status == 200
    with ThreadPoolExecutor(2) as threads:
        assert [one.status for one in threads.map(upload.complete, living[-2:])] == [200, 200]

    late = upload.put(chance.choice(living), chance.randint(1, len(PIECES)))
    assert late.status == 200, "a part that comes late is acknowledged, and not kept"
    assert (upload.rows(), upload.objects()) == ([], [])
    for place in living:
        assert upload.callers[place].files() == {"/proj/a": md5_of(CONTENT)}
        assert three[place].service.objects.read(hashlib.md5(CONTENT).digest()) == CONTENT
    assert not [
        path
        for fake in three
        for name in ("parts", "incoming")
        for path in (fake.service.directory / name).rglob("*")
    ]


def test_the_parts_of_a_server_that_is_gone_with_its_disk_make_the_whole_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    wall = ManualWall()
    with server(tmp_path, 1, wall) as stays:
        with server(tmp_path, 0, wall) as goes:
            upload = Upload([goes, stays])
            for number in range(1, len(PIECES) + 1):
                assert upload.put(0, number).status == 200
        shutil.rmtree(tmp_path / "0")
        assert upload.complete(1).status == 200
        assert upload.callers[1].files() == {"/proj/a": md5_of(CONTENT)}


def test_a_large_whole_goes_from_the_store_to_the_store_and_no_file_of_the_server_has_it(
    three: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts, and bodies that are sent, larger than what is sent at once."""
    monkeypatch.setattr(bucket_sending, "PART", 5)
    upload = Upload(three)
    for number in range(1, len(PIECES) + 1):
        assert upload.put(number % 3, number).status == 200
    monkeypatch.setattr(BucketObjects, "scratch", None)
    assert upload.complete(1).status == 200
    assert three[2].service.objects.read(hashlib.md5(CONTENT).digest()) == CONTENT
    assert list(bucket_of(three[0]).begun()) == []


def test_a_whole_of_other_bytes_than_its_parts_had_is_not_stored(
    three: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One part lies in the bucket with other bytes, another one is gone from it."""
    monkeypatch.setattr(bucket_sending, "PART", 5)
    content = CONTENT.replace(b"0", b"x")
    upload = Upload(three, content)
    for number in range(1, len(PIECES) + 1):
        assert upload.put(0, number).status == 200
    bucket, (first, *_) = bucket_of(three[0]), upload.objects()
    bucket.put(first, b"eight by", md5=hashlib.md5(b"eight by").digest())
    damaged = upload.complete(1)
    bucket.delete(first)
    gone = upload.complete(1)

    assert (damaged.status, gone.status) == (400, 400)
    assert "the md5 of the body is" in damaged.message
    assert "part 1 is gone from the object store: send it again" in gone.message
    assert not three[0].service.objects.has(hashlib.md5(content).digest())
    assert list(bucket.begun()) == []
    assert upload.put(2, 1).status == 200
    assert upload.complete(0).status == 200


def test_parts_in_the_bucket_count_against_the_quota_of_their_account_at_every_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        wall = ManualWall()
        two = [
            stack.enter_context(server(tmp_path, number, wall, quotas=Quotas(account_bytes=len(CONTENT))))
            for number in range(2)
        ]
        upload = Upload(two)
        for number in (1, 2):
            assert upload.put(0, number).status == 200
        stored = two[1].service.contents.stored_bytes
        stored.forget(upload.account)
        assert stored._counted(upload.account)[0] == 2 * SIZE
        other = ApiCaller(
            two[1].app, upload.client_id, upload.callers[0].private_key, upload.callers[0].token
        )
        files = [{"path": "/b", "hash": md5_of(b"x" * 13), "size": 13}]
        refused = other.post("/api/v2/files/get_upload_urls", {"upload_files": files, "project": None})
        assert refused.status == 507


def test_a_reset_takes_the_parts_away_and_one_that_comes_late_is_refused_and_not_kept(
    three: list[Fake],
) -> None:
    upload = Upload(three)
    for number in (1, 2):
        assert upload.put(number, number).status == 200
    assert len(upload.objects()) == 2
    assert upload.callers[0].post("/_mock/reset", query={"account": upload.client_id}).status == 204
    late = upload.put(1, 3)
    assert (late.status, "was reset" in late.message) == (404, True)
    assert (upload.rows(), upload.objects()) == ([], [])


# What a killed server leaves


@pytest.mark.parametrize("moment", ["before the row", "before the rows go", "before the parts go"])
def test_what_a_killed_server_leaves_of_parts_is_swept_by_another_one(
    moment: str, three: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_parts, "GRACE_S", -1)
    upload = Upload(three)
    wanted = Upload(three)
    assert wanted.put(0, 1).status == 200
    with monkeypatch.context() as patch:
        if moment == "before the row":
            patch.setattr(BucketParts, "keep", killed)
            patch.setattr(bucket_parts, "forget_names", killed)
            with suppress(KeyboardInterrupt):
                upload.put(0, 1)
        else:
            for number in range(1, len(PIECES) + 1):
                assert upload.put(0, number).status == 200
            if moment == "before the rows go":
                patch.setattr(BucketParts, "forget", killed)
            else:
                patch.setattr(bucket_parts, "forget_names", killed)
            with suppress(KeyboardInterrupt):
                upload.complete(0)
    left = len(upload.objects())
    assert left == (1 if moment == "before the row" else len(PIECES))
    sweeping = three[1].service.sweeping
    assert sweeping is not None
    assert sweeping.sweep() == (1 if moment == "before the rows go" else left)
    assert (upload.rows(), upload.objects()) == ([], [])
    assert wanted.objects() == wanted.rows() != []
    if moment != "before the row":
        assert upload.complete(2).status == 200, "it is whole: its client repeats what it had no answer to"


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_an_upload_of_which_no_part_came_for_a_week_is_given_up_and_can_be_sent_again(
    three: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Upload(three)
    assert upload.put(0, 1).status == 200
    parts, sweeping = three[1].service.parts, three[1].service.sweeping
    assert sweeping is not None
    assert isinstance(parts, BucketParts)
    now_s = parts._rows_s()
    monkeypatch.setattr(parts, "_rows_s", lambda: now_s + GIVEN_UP_S - 10)
    sweeping.sweep()
    assert len(upload.rows()) == 1
    monkeypatch.setattr(parts, "_rows_s", lambda: now_s + GIVEN_UP_S + 10)
    sweeping.sweep()
    assert (upload.rows(), upload.objects()) == ([], [])
    refused = upload.complete(2)
    assert (refused.status, "part 1 with the ETag" in refused.message) == (400, True)
    for number in range(1, len(PIECES) + 1):
        assert upload.put(2, number).status == 200
    assert upload.complete(1).status == 200


def test_a_part_that_waited_for_its_turn_so_long_that_a_sweeper_may_have_come_by_is_not_acknowledged(
    three: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Upload(three)
    parts = three[0].service.parts
    assert isinstance(parts, BucketParts)
    clock = iter([0.0, bucket_parts.LONGEST_TURN_S + 1])
    monkeypatch.setattr(parts, "_monotonic_s", lambda: next(clock))
    assert upload.put(0, 1).status == 503
    assert (upload.rows(), upload.objects()) == ([], [])


# Commands, and data of before


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The options of one server that shares with nobody."""
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    options = where(tmp_path, 0)
    options["database_url"] = None
    return options


def test_parts_that_an_earlier_version_left_in_the_folder_make_a_whole_with_those_in_the_bucket(
    alone: dict[str, Any],
) -> None:
    with running(**alone, part_size=SIZE) as fake:
        upload = Upload([fake])
        before = Parts(fake.service.contents._database, fake.service.directory)
        multipart = before.get(upload.account, upload.record["uploadID"])
        with (
            before.receive(upload.account, multipart, 1, io.BytesIO(PIECES[0])) as part,
            before.turn(multipart),
        ):
            before.keep(part)
        for number in range(2, len(PIECES) + 1):
            assert upload.put(0, number).status == 200
        assert upload.complete(0).status == 200
        assert not [path for path in (fake.service.directory / "parts").rglob("*") if path.is_file()]


def test_a_copy_has_the_parts_as_files_and_goes_on_without_the_bucket(
    alone: dict[str, Any], tmp_path: Path
) -> None:
    with running(**alone, part_size=SIZE) as fake:
        upload = Upload([fake])
        for number in range(1, len(PIECES)):
            assert upload.put(0, number).status == 200
    copied = command("backup", *options(alone), str(tmp_path / "copy"))
    assert f"{len(PIECES) - 1} parts of uploads" in copied
    with running(data_dir=tmp_path / "copy", part_size=SIZE) as fake:
        again = Upload([fake], client_id=upload.client_id)
        assert again.put(0, len(PIECES)).status == 200
        assert again.complete(0).status == 200


def test_a_check_reads_the_parts_in_the_bucket_and_prune_takes_away_those_of_no_use(
    alone: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_parts, "GRACE_S", -1)
    with running(**alone, part_size=SIZE) as fake:
        upload = Upload([fake])
        for number in (1, 2):
            assert upload.put(0, number).status == 200
        bucket, (first, second) = bucket_of(fake), upload.objects()
        bucket.put("parts/1/2/nobodys", b"nobody's", md5=hashlib.md5(b"nobody's").digest())
    assert command("check", *options(alone)).startswith("0 damaged")
    assert command("prune", "--dry-run", *options(alone)).startswith("would remove 0 contents and 1 part, 8")
    assert command("prune", *options(alone)).startswith("removed 0 contents and 1 part, 8 bytes")
    bucket.put(first, b"damaged!", md5=hashlib.md5(b"damaged!").digest())
    assert "part 1 of the upload" in command("check", *options(alone))
    command("check", "--repair", *options(alone))
    assert command("check", *options(alone)).startswith("0 damaged")
    assert command("prune", *options(alone)).startswith("removed 0 contents and 1 part, 8 bytes")
    assert [found.name for found in bucket.listed("parts/")] == [second]


def options(alone: dict[str, Any]) -> list[str]:
    given_ = ("data_dir", "objects", "objects_endpoint")
    return [text for name in given_ for text in (f"--{name.replace('_', '-')}", str(alone[name]))]


def command(*arguments: str) -> str:
    return CliRunner().invoke(main, arguments, catch_exceptions=False).output


def test_a_store_that_refuses_a_part_is_503_and_nothing_of_it_is_kept(
    three: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = Upload(three)

    def refuse(*_: object, **__: object) -> None:
        raise BucketError("its object store is overloaded")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryBucket, "put", refuse)
        assert upload.put(0, 1).status == 503
    assert (upload.rows(), upload.objects()) == ([], [])
    assert upload.put(0, 1).status == 200
