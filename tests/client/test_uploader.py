"""Uploading: what is asked for, what is sent, what is left out, and what goes wrong."""

from __future__ import annotations

import json
import os
import socket
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import responses
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.lib.exceptions import BusyError, FileChangedError, InvalidPathError, RefusedError
from conductor.lib.files.hashing import hash_file
from conductor.lib.files.local import LocalFile, look_at
from conductor.lib.md5_cache import Md5Cache
from conductor.lib.upload import run, single
from conductor.lib.upload.file_body import FileBody
from conductor.lib.uploader import Uploader, UploadReport
from support.client_world import FixedTokens, make_client, md5_of
from support.fake_service import FakeService
from support.raw_server import RawServer, Step, answer


def upload(
    tmp_path: Path, contents: dict[str, bytes], threads: int = 4, cache: Md5Cache | None = None
) -> UploadReport:
    """Write the files and upload them."""
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = look_at(str(tmp_path / name) for name in contents)
    with make_client(tmp_path, threads=threads) as client:
        return Uploader(client, project="film", cache=cache).upload(files)


@pytest.mark.parametrize("threads", [1, 4])
def test_files_arrive_whole_and_are_reported_in_order(
    tmp_path: Path, service: FakeService, threads: int
) -> None:
    contents = {"b": b"bbb", "a": b"", "c": bytes(100_000)}
    report = upload(tmp_path, contents, threads)
    assert service.bodies == {str(tmp_path / name): content for name, content in contents.items()}
    assert [(file.path, file.md5) for file in report.files] == [
        (str(tmp_path / name), md5_of(content)) for name, content in contents.items()
    ]
    assert (len(report.sent), report.bytes_sent, report.skipped) == (3, 100_003, 0)
    assert {batch["project"] for batch in service.batches} == {"film"}


@pytest.mark.parametrize("known", [False, True], ids=["hashed now", "known from before"])
@pytest.mark.parametrize("wrong", [0, 24, 49])
@pytest.mark.parametrize("threads", [1, 4])
def test_of_files_one_of_which_is_not_the_enforced_one_nothing_is_sent(
    tmp_path: Path, service: FakeService, threads: int, wrong: int, known: bool
) -> None:
    """Not even those that are right and come first, nor are URLs asked for."""
    for number in range(50):
        (tmp_path / str(number)).write_bytes(b"%d" % number)
    files = look_at(str(tmp_path / str(number)) for number in range(50))
    enforced = {
        file.path: md5_of(b"%d" % number) for number, file in enumerate(files) if number % 2 == wrong % 2
    }
    enforced[files[wrong].path] = md5_of(b"as it was")
    cache = Md5Cache(tmp_path / "cache", now_ns=lambda: 2**62)
    if known:
        cache.remember(hash_file(file.path) for file in files)
    with make_client(tmp_path, threads=threads) as client, pytest.raises(FileChangedError) as caught:
        Uploader(client, cache=cache).upload(files, enforced=enforced)
    assert (caught.value.path, caught.value.expected, caught.value.actual) == (
        files[wrong].path,
        md5_of(b"as it was"),
        md5_of(b"%d" % wrong),
    )
    assert (service.batches, service.bodies) == ([], {})


def test_enforced_md5s_of_files_that_are_not_there_keep_nobody_waiting(
    tmp_path: Path, service: FakeService
) -> None:
    (tmp_path / "a").write_bytes(b"a")
    files = look_at([str(tmp_path / "a")])
    with make_client(tmp_path) as client:
        Uploader(client).upload(files, enforced={files[0].path: md5_of(b"a"), "/elsewhere": md5_of(b"b")})
    assert service.bodies == {files[0].path: b"a"}


@settings(max_examples=20)
@given(st.integers(0, 70), st.integers(1, 6))
def test_any_number_of_files_goes_up_in_batches_of_twenty_at_most(
    tmp_path_factory: pytest.TempPathFactory, count: int, threads: int
) -> None:
    folder = tmp_path_factory.mktemp("u")
    service = FakeService()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        service.install(mock)
        report = upload(folder, {f"f{n}": str(n).encode() for n in range(count)}, threads)
    assert len(report.sent) == len(service.bodies) == count
    sizes = [len(batch["upload_files"]) for batch in service.batches]
    assert all(1 <= size <= 20 for size in sizes)
    assert sum(sizes) == count


def test_many_small_files_fill_their_batches(tmp_path: Path, service: FakeService) -> None:
    upload(tmp_path, {f"f{n}": str(n).encode() for n in range(400)})
    assert len(service.batches) <= 25


def test_what_the_service_has_is_not_sent(tmp_path: Path, service: FakeService) -> None:
    service.held = {md5_of(b"old")}
    report = upload(tmp_path, {"old": b"old", "new": b"new"})
    assert [*service.bodies] == [str(tmp_path / "new")]
    assert (report.sent, report.skipped) == (frozenset({str(tmp_path / "new")}), 1)


def test_equal_files_are_sent_once(tmp_path: Path, service: FakeService) -> None:
    report = upload(tmp_path, {"a": b"same", "b": b"same", "c": b"same"}, threads=1)
    assert [*service.bodies] == [str(tmp_path / "a")]
    assert [file.md5 for file in report.files] == [md5_of(b"same")] * 3


def test_no_files_are_no_requests(tmp_path: Path, service: FakeService) -> None:
    assert upload(tmp_path, {}) == UploadReport((), frozenset(), 0)
    assert service.batches == []


@pytest.mark.parametrize("threads", [1, 4])
def test_a_large_file_goes_up_in_parts_and_is_completed_once_all_are_there(
    tmp_path: Path, service: FakeService, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH_BYTES", 1000)
    service.part_size = 1000
    content = os.urandom(3500)
    report = upload(tmp_path, {"big": content, "small": b"s"}, threads)
    path = str(tmp_path / "big")
    parts = [content[start : start + 1000] for start in range(0, 3500, 1000)]
    assert [service.bodies[f"{path}#{number}"] for number in (1, 2, 3, 4)] == parts
    assert service.completed == [
        {
            "uploadID": f"up{path}",
            "hash": md5_of(content),
            "completedParts": [
                {"partNumber": number, "etag": md5_of(part)} for number, part in enumerate(parts, 1)
            ],
            "project": None,
        }
    ]
    assert report.bytes_sent == 3501


@pytest.mark.parametrize(("style", "declared"), [("gcs", True), ("s3", False)])
def test_both_styles_of_storage_are_spoken(
    tmp_path: Path, service: FakeService, style: str, declared: bool
) -> None:
    service.style = style
    upload(tmp_path, {"a": b"abc", "empty": b""})
    assert sorted(headers["content-length"] for headers in service.put_headers) == ["0", "3"]
    for headers in service.put_headers:
        assert ("content-md5" in headers) is declared
        assert "authorization" not in headers


def hashed(path: Path, content: bytes) -> LocalFile:
    path.write_bytes(content)
    return hash_file(str(path))


class StaleCache(Md5Cache):
    """Knows files as they were before they were written to."""

    def __init__(self, *files: LocalFile) -> None:
        super().__init__(Path("/nowhere"))
        self.files = {file.path: file for file in files}
        self.remembered: list[LocalFile] = []

    def known(self, files: Any) -> dict[str, LocalFile]:
        return self.files

    def remember(self, files: Any, *, seen_ns: int | None = None) -> None:
        self.remembered += files


def test_a_file_that_changed_since_its_md5_was_taken_is_an_error_with_both_md5s(
    tmp_path: Path, service: FakeService
) -> None:
    old = hashed(tmp_path / "a", b"before")
    with pytest.raises(FileChangedError, match="between hashing and upload") as caught:
        upload(tmp_path, {"a": b"after!!"}, cache=StaleCache(old))
    assert caught.value.path == str(tmp_path / "a")
    assert (caught.value.expected, caught.value.actual) == (md5_of(b"before"), md5_of(b"after!!"))
    assert md5_of(b"before") in str(caught.value)
    assert md5_of(b"after!!") in str(caught.value)
    assert service.bodies == {}


def test_a_body_that_the_service_finds_to_be_another_is_explained_by_the_md5s(
    tmp_path: Path, service: FakeService
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"after!")
    # Written to without a trace in the stat: only the service notices.
    sly = LocalFile(str(path), path.stat(), md5_of(b"before"))
    with make_client(tmp_path) as client, pytest.raises(FileChangedError) as caught:
        Uploader(client, cache=StaleCache(sly)).upload([sly])
    assert (caught.value.expected, caught.value.actual) == (md5_of(b"before"), md5_of(b"after!"))


def test_a_refusal_of_an_unchanged_file_names_it_and_says_that_it_did_not_change(
    tmp_path: Path, service: FakeService
) -> None:
    service.put_status = 403
    with pytest.raises(RefusedError) as caught:
        upload(tmp_path, {"a": b"abc"})
    assert f"objects.put of {tmp_path / 'a'}" in str(caught.value)
    assert f"still has the md5 {md5_of(b'abc')}" in str(caught.value)
    assert (caught.value.operation, caught.value.status) == ("objects.put", 403)


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_failure_ends_the_upload_and_what_was_hashed_is_remembered(
    tmp_path: Path, service: FakeService, threads: int
) -> None:
    service.put_status = 500
    cache = StaleCache()
    with pytest.raises(BusyError, match="500"):
        upload(tmp_path, {f"f{n}": str(n).encode() for n in range(200)}, threads, cache)
    assert cache.remembered
    assert len(service.put_headers) < 200 * 5


def test_a_failure_ends_uploads_that_are_under_way(
    tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    being_read, stopped = threading.Event(), list[bool]()

    class Watched(FileBody):
        """Of two bodies one is read on only when the other has failed."""

        def read(self, size: int = -1) -> bytes:
            if self._file.path.endswith("fails"):
                being_read.wait(timeout=30)
                raise InvalidPathError("this one fails")
            being_read.set()
            stopped.append(self._stop.wait(30))
            return super().read(size)

    monkeypatch.setattr(single, "FileBody", Watched)
    with pytest.raises(InvalidPathError, match="this one fails"):
        upload(tmp_path, {"slow": bytes(100), "fails": b"x"}, threads=2)
    assert stopped == [True]
    assert service.bodies == {}


def test_a_file_that_goes_away_before_it_is_hashed_is_an_error_that_names_it(
    tmp_path: Path, service: FakeService
) -> None:
    (tmp_path / "a").touch()
    files = look_at([str(tmp_path / "a")])
    (tmp_path / "a").unlink()
    with make_client(tmp_path) as client, pytest.raises(InvalidPathError, match="a cannot be read"):
        Uploader(client).upload(files)


def test_the_cache_saves_hashing(
    tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Md5Cache(tmp_path / "cache", now_ns=lambda: 2**62)
    first = upload(tmp_path, {"a": b"abc"}, cache=cache)

    def refuse(path: str) -> LocalFile:
        raise AssertionError(path)

    monkeypatch.setattr(run, "hash_file", refuse)
    files = look_at([str(tmp_path / "a")])
    with make_client(tmp_path) as client:
        again = Uploader(client, cache=cache).upload(files)
    assert [file.md5 for file in again.files] == [file.md5 for file in first.files]


def test_tokens_are_not_sent_to_the_store(tmp_path: Path, service: FakeService) -> None:
    (tmp_path / "a").write_bytes(b"x")
    with make_client(tmp_path, tokens=FixedTokens(["secret-token"])) as client:
        Uploader(client).upload(look_at([str(tmp_path / "a")]))
    assert "secret-token" not in str(service.put_headers)


def test_memory_does_not_grow_with_the_size_of_a_file(tmp_path: Path) -> None:
    path, size = tmp_path / "sparse", 64 * 1024 * 1024
    with path.open("wb") as stream:
        stream.truncate(size)

    def plan(connection: socket.socket, closing: threading.Event) -> None:
        record = {"filePath": str(path), "fileSize": size, "preSignedURL": f"{server.url}/put"}
        answer(200, json.dumps({"singlePartURLs": [record]}).encode()).act(connection, closing)

    server = RawServer([[Step(plan), answer(200)]])
    with server, make_client(tmp_path, url=server.url, threads=1) as client:
        tracemalloc.start()
        try:
            Uploader(client).upload(look_at([str(path)]))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert server.requests[1].size == size
    assert peak < 8 * 1024 * 1024
