"""Servers that share a database keep their contents in one bucket: what the one notes, no other takes away."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from conductor_mock.store import bucket_sweeper
from conductor_mock.store.bucket import Location
from conductor_mock.store.bucket_objects import BucketObjects
from conductor_mock.store.bucket_sending import PART
from conductor_mock.store.small_contents import SMALL_BYTES
from support.buckets import ACCOUNT, NAME, endpoint
from support.execution import eventually
from support.server import ApiCaller, Fake, md5_of
from support.workers import workers

SMALL = b"the content of a file"
CONTENT = SMALL * (SMALL_BYTES // 20)
DIGEST = hashlib.md5(CONTENT).digest()


@pytest.fixture
def two(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Fake]]:
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    prefix = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    with workers(tmp_path, objects=f"s3://{NAME}/{prefix}", objects_endpoint=endpoint()) as fakes:
        yield fakes


def at(fake: Fake, caller: ApiCaller) -> ApiCaller:
    """The same caller, with the same token, at another server."""
    return ApiCaller(fake.app, caller.client_id, caller.private_key, caller.token)


def test_what_one_server_stores_in_the_bucket_the_other_serves(two: list[Fake], tmp_path: Path) -> None:
    one, other = two
    large = bytes(range(256)) * (PART // 256 + 1)
    here = one.caller()
    here.upload("/small", SMALL)
    here.upload("/medium", CONTENT)
    here.upload("/large", large)
    assert at(other, here).files() == {
        "/small": md5_of(SMALL),
        "/medium": md5_of(CONTENT),
        "/large": md5_of(large),
    }
    for content in (SMALL, CONTENT, large):
        digest = hashlib.md5(content).digest()
        assert other.service.objects.read(digest) == content
        for fake in two:
            with fake.service.objects.open_checked(digest) as file:
                assert file.read() == content
    assert not [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert len(list((tmp_path / "fetched").iterdir())) == len(two), "each has a folder of its own"


def reset(fake: Fake) -> None:
    assert fake.caller("first").post("/_mock/reset", query={"account": "first"}).status == 204


def sweep(fake: Fake) -> None:
    assert fake.service.sweeping is not None
    fake.service.sweeping.sweep()


@pytest.mark.parametrize("content", [SMALL, CONTENT], ids=["small", "large"])
@pytest.mark.parametrize("take_away", [reset, sweep])
def test_what_a_server_is_about_to_note_is_not_taken_away_by_another_one(
    take_away: Callable[[Fake], None], content: bytes, two: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_sweeper, "GRACE_S", -1)
    one, other = two
    if take_away is reset:
        one.caller("first").upload("/a", content)
    second = other.caller("second")
    url = second.upload_url("/b", content)
    taking = Thread(target=take_away, args=(one,))
    commit = other.service.contents._database.commit_with_others

    def commit_late(work: Any) -> None:
        """Only when the other server has come to where it would delete, or has done so."""
        taking.start()
        eventually(lambda: one.service.objects.lock.waiting or not taking.is_alive())
        commit(work)

    monkeypatch.setattr(other.service.contents._database, "commit_with_others", commit_late)
    assert second.put(url, content, headers={"Content-Type": "application/octet-stream"}).status == 200
    taking.join()
    digest = hashlib.md5(content).digest()
    assert [fake.service.objects.read(digest) for fake in two] == [content, content]
    assert at(one, second).files() == {"/b": md5_of(content)}


def test_what_nobody_is_about_to_note_goes_with_the_reset_at_any_server(two: list[Fake]) -> None:
    one, other = two
    other.caller("first").upload("/a", CONTENT)
    reset(one)
    assert [fake.service.objects.has(DIGEST) for fake in two] == [False, False]


def test_a_server_whose_bucket_is_not_there_is_not_ready(
    two: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two
    for fake in two:
        fake.service.readiness.begin()
    assert one.anonymous().get("/_mock/health/ready").status == 200
    objects = one.service.objects
    assert isinstance(objects, BucketObjects)
    monkeypatch.setattr(objects.bucket, "location", Location("another", ""))
    refused = one.anonymous().get("/_mock/health/ready")
    assert (refused.status, b"the object store has no such bucket" in refused.content) == (503, True), refused
    assert other.anonymous().get("/_mock/health/ready").status == 200
