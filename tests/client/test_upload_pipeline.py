"""An upload that is watched, cancelled, refused for its old URLs, or ended in the middle and begun again."""

from __future__ import annotations

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import requests
import responses

from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.exceptions import BusyError, FileChangedError, RefusedError
from conductor.lib.files.hashing import hash_file
from conductor.lib.files.local import LocalFile, look_at
from conductor.lib.md5_cache import Md5Cache
from conductor.lib.progress import Progress
from conductor.lib.transfers.work_pool import SEVERAL
from conductor.lib.upload import run
from conductor.lib.upload.progress import LOG_SECONDS, Meter
from conductor.lib.uploader import Uploader, UploadReport
from conductor.lib.wire.call import Call
from conductor.lib.wire.operations import OBJECTS_PUT
from conductor.lib.wire.transport import Transport
from support.client_world import client_threads, make_client, md5_of
from support.fake_service import FakeService, Reply
from support.raw_server import RawServer, Step, answer, stall

PATIENCE_S = 60


def write(folder: Path, contents: dict[str, bytes]) -> list[LocalFile]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return look_at(str(folder / name) for name in contents)


def upload(
    tmp_path: Path,
    files: list[LocalFile],
    *,
    threads: int = 2,
    cache: Md5Cache | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancellation: Cancellation | None = None,
) -> UploadReport:
    with make_client(tmp_path, threads=threads) as client:
        uploader = Uploader(client, cache=cache, progress=progress, cancellation=cancellation)
        return uploader.upload(files)


# Order


def many(tmp_path: Path, count: int) -> list[LocalFile]:
    return write(tmp_path, {f"{number:03}": str(number).encode() for number in range(count)})


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_first_file_is_there_before_the_last_one_is_hashed(
    tmp_path: Path, service: FakeService, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[int] = []

    def hash_noted(path: str, check: Callable[[], None]) -> LocalFile:
        there.append(len(service.bodies))
        return hash_file(path, check)

    monkeypatch.setattr(run, "hash_file", hash_noted)
    upload(tmp_path, many(tmp_path, 300), threads=threads)
    assert there[0] == 0
    assert there[-1] > 0
    assert len(service.bodies) == 300


def test_while_one_file_is_being_sent_all_others_are_hashed_asked_for_and_sent(
    tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = many(tmp_path, 130)
    first, others = threading.Event(), threading.Event()
    put = service._put

    def put_slowly(request: requests.PreparedRequest) -> Reply:
        if not first.is_set():
            first.set()
            assert others.wait(PATIENCE_S), "the others waited for the one that is being sent"
            return put(request)
        reply = put(request)
        # Up to SEVERAL small ones are one piece of work with the first.
        if len(service.bodies) >= len(files) - SEVERAL:
            others.set()
        return reply

    monkeypatch.setattr(service, "_put", put_slowly)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        service.install(mock)
        upload(tmp_path, files, threads=2)
    assert len(service.bodies) == len(files)


def test_no_more_threads_send_than_there_are_files_or_were_asked_for(
    tmp_path: Path, service: FakeService
) -> None:
    senders: set[int] = set()
    put = service._put

    def noted(request: requests.PreparedRequest) -> Reply:
        senders.add(threading.get_ident())
        return put(request)

    service._put = noted  # type: ignore[method-assign]
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        service.install(mock)
        upload(tmp_path, many(tmp_path, 90), threads=3)
    assert 1 <= len(senders) <= 3


# Progress


@pytest.mark.parametrize(("watched", "level"), [(True, logging.DEBUG), (False, logging.INFO)])
def test_the_log_says_how_far_it_is_where_nobody_else_is_told(
    caplog: pytest.LogCaptureFixture, watched: bool, level: int
) -> None:
    caplog.set_level(logging.DEBUG, "conductor")
    now = [0.0]
    told: list[Progress] = []
    meter = Meter([], told.append if watched else None, lambda: now[0])
    now[0] = LOG_SECONDS
    meter.report_now_and_then()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (level, "0 of 0 files done, 0 of 0 bytes")
    ]
    assert len(told) == watched


def test_progress_begins_at_nothing_ends_with_everything_and_never_goes_back(
    tmp_path: Path, service: FakeService
) -> None:
    service.held = {md5_of(b"held already")}
    files = write(tmp_path, {"a": b"aaa", "b": bytes(5000), "held": b"held already", "twin": b"aaa"})
    seen: list[Progress] = []
    upload(tmp_path, files, progress=seen.append)
    size = sum(file.size for file in files)
    assert (seen[0].done_files, seen[0].done_bytes, seen[0].files, seen[0].bytes) == (0, 0, 4, size)
    assert (seen[-1].done_files, seen[-1].done_bytes, seen[-1].finished) == (4, size, True)
    assert [event.done_bytes for event in seen] == sorted(event.done_bytes for event in seen)


def test_what_the_watcher_raises_ends_the_upload_and_its_threads(
    tmp_path: Path, service: FakeService
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.finished:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(tmp_path, write(tmp_path, {"a": b"aaa"}), progress=interrupt)
    assert client_threads() == []


# Cancelling


class Stalled:
    """A server that says where a file goes, takes it, and never answers."""

    def __init__(self, file: LocalFile) -> None:
        self.server = RawServer([[Step(self._plan), stall]])
        self._file = file

    def _plan(self, connection: socket.socket, closing: threading.Event) -> None:
        url = f"{self.server.url}/put"
        record = {"filePath": self._file.path, "fileSize": self._file.size, "preSignedURL": url}
        answer(200, json.dumps({"singlePartURLs": [record]}).encode()).act(connection, closing)


def test_another_thread_ends_an_upload_that_waits_for_an_answer(tmp_path: Path) -> None:
    (file,) = write(tmp_path, {"a": bytes(1000)})
    stalled, cancellation = Stalled(file), Cancellation()
    helpers: list[threading.Thread] = []

    def cancel_when_sent(progress: Progress) -> None:
        if progress.done_bytes == file.size and not helpers:
            helpers.append(threading.Thread(target=cancellation.cancel))
            helpers[0].start()

    with stalled.server, make_client(tmp_path, url=stalled.server.url, threads=1) as client:
        uploader = Uploader(client, progress=cancel_when_sent, cancellation=cancellation)
        with pytest.raises(CancelledError, match="0 of 1 files are there"):
            uploader.upload([file])
        assert client_threads() == []
    helpers[0].join(PATIENCE_S)


def test_ctrl_c_ends_an_upload_that_waits_for_an_answer(tmp_path: Path) -> None:
    (file,) = write(tmp_path, {"a": bytes(1000)})
    stalled = Stalled(file)

    def interrupt_when_sent(progress: Progress) -> None:
        if progress.done_bytes == file.size:
            raise KeyboardInterrupt

    with stalled.server, make_client(tmp_path, url=stalled.server.url, threads=1) as client:
        with pytest.raises(KeyboardInterrupt):
            Uploader(client, progress=interrupt_when_sent).upload([file])
        assert client_threads() == []


def test_what_was_cancelled_before_sends_nothing(tmp_path: Path, service: FakeService) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(CancelledError):
        upload(tmp_path, write(tmp_path, {"a": b"aaa"}), cancellation=cancellation)
    assert service.bodies == {}


def test_a_wait_before_another_attempt_ends_when_cancelled(service: FakeService) -> None:
    waits: list[float] = []

    class CancelledWhileItWaits(Cancellation):
        def wait(self, seconds: float) -> bool:
            waits.append(seconds)
            self.cancel()
            return True

    service.put_status = 503
    with Transport(environ={}, random=lambda: 1.0) as transport:
        branch = transport.branch(CancelledWhileItWaits())
        with branch, pytest.raises(CancelledError):
            branch.send(Call(OBJECTS_PUT, "http://store.test/bucket/a?part=0", body=b"a", length=1))
    assert waits == [0.5]
    assert len(service.put_headers) == 1


# Old URLs


def test_a_url_that_expired_is_asked_for_again(tmp_path: Path, service: FakeService) -> None:
    files = write(tmp_path, {"a": b"aaa", "b": b"bbb"})
    service.statuses = {str(tmp_path / "a"): [403]}
    report = upload(tmp_path, files)
    assert service.bodies == {str(tmp_path / "a"): b"aaa", str(tmp_path / "b"): b"bbb"}
    asked = [[entry["path"] for entry in batch["upload_files"]] for batch in service.batches]
    assert asked == [[str(tmp_path / "a"), str(tmp_path / "b")], [str(tmp_path / "a")]]
    assert len(report.sent) == 2


def at_the_second_question(
    service: FakeService, monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]
) -> AbstractContextManager[None]:
    """The service is another when URLs are asked for the second time."""
    urls = service._urls

    def changed(request: requests.PreparedRequest) -> Reply:
        if service.batches:
            change()
        return urls(request)

    @contextmanager
    def installed() -> Iterator[None]:
        monkeypatch.setattr(service, "_urls", changed)
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            service.install(mock)
            yield

    return installed()


def test_a_file_that_was_refused_whole_may_be_wanted_in_parts(
    tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write(tmp_path, {"a": b"aaaa"})
    service.statuses = {str(tmp_path / "a"): [403]}
    with at_the_second_question(service, monkeypatch, lambda: setattr(service, "part_size", 3)):
        report = upload(tmp_path, files)
    assert service.bodies == {f"{tmp_path / 'a'}#1": b"aaa", f"{tmp_path / 'a'}#2": b"a"}
    assert (len(service.completed), report.bytes_sent) == (1, 4)


def test_a_file_that_was_refused_may_have_been_sent_by_somebody_else(
    tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write(tmp_path, {"a": b"aaaa", "b": b"b"})
    service.statuses = {str(tmp_path / "a"): [403]}
    seen: list[Progress] = []
    with at_the_second_question(service, monkeypatch, lambda: service.held.add(md5_of(b"aaaa"))):
        report = upload(tmp_path, files, progress=seen.append)
    assert service.bodies == {str(tmp_path / "b"): b"b"}
    assert report.sent == frozenset({str(tmp_path / "b")})
    assert (seen[-1].done_files, seen[-1].done_bytes) == (2, 5)


def test_a_url_that_is_refused_again_is_an_error(tmp_path: Path, service: FakeService) -> None:
    service.statuses = {str(tmp_path / "a"): [403, 403]}
    with pytest.raises(RefusedError, match="403"):
        upload(tmp_path, write(tmp_path, {"a": b"aaa"}))
    assert len(service.batches) == 2


def test_a_file_that_changed_is_not_asked_about_again(tmp_path: Path, service: FakeService) -> None:
    (file,) = write(tmp_path, {"a": b"after!"})

    class Sly(Md5Cache):
        """Knows the file by the md5 of what it held before, as if the stat were the same."""

        def known(self, files: object) -> dict[str, LocalFile]:
            return {file.path: file.with_md5(md5_of(b"before"))}

    with pytest.raises(FileChangedError):
        upload(tmp_path, [file], cache=Sly(tmp_path / "cache"))
    assert len(service.batches) == 1


def test_a_store_that_is_not_told_the_md5_never_gets_the_end_of_a_file_that_changed(
    tmp_path: Path, service: FakeService
) -> None:
    service.style = "s3"
    (file,) = write(tmp_path, {"a": b"after!"})

    class Sly(Md5Cache):
        def known(self, files: object) -> dict[str, LocalFile]:
            return {file.path: file.with_md5(md5_of(b"before"))}

    with pytest.raises(FileChangedError) as caught:
        upload(tmp_path, [file], cache=Sly(tmp_path / "cache"))
    assert (caught.value.expected, caught.value.actual) == (md5_of(b"before"), md5_of(b"after!"))
    assert service.bodies == {}


# Files in parts


@pytest.fixture
def large(tmp_path: Path, service: FakeService) -> LocalFile:
    service.part_size = 1000
    (file,) = write(tmp_path, {"large": bytes(range(256)) * 14})  # 3584 bytes, four parts
    return file


def sent_parts(service: FakeService) -> list[int]:
    """The numbers of the parts that are there, then begin to count again."""
    numbers = [int(path.partition("#")[2]) for path in service.bodies]
    service.bodies.clear()
    return sorted(numbers)


def test_an_upload_that_was_ended_goes_on_at_the_part_where_it_stopped(
    tmp_path: Path, service: FakeService, large: LocalFile
) -> None:
    cache = Md5Cache(tmp_path / "cache", now_ns=lambda: 2**62)
    service.statuses = {f"{large.path}#3": [500] * 5}
    with pytest.raises(BusyError, match="part 3"):
        upload(tmp_path, [large], threads=1, cache=cache)
    assert sent_parts(service) == [1, 2]
    report = upload(tmp_path, [large], threads=1, cache=cache)
    assert sent_parts(service) == [3, 4]
    assert [part["partNumber"] for part in service.completed[0]["completedParts"]] == [1, 2, 3, 4]
    assert (report.bytes_sent, report.bytes_resumed) == (1584, 2000)


def test_an_upload_whose_parts_are_all_there_is_completed_and_nothing_is_sent(
    tmp_path: Path, service: FakeService, large: LocalFile
) -> None:
    cache = Md5Cache(tmp_path / "cache", now_ns=lambda: 2**62)
    service.statuses = {"complete": [500] * 5}
    with pytest.raises(BusyError, match="complete_multipart"):
        upload(tmp_path, [large], threads=1, cache=cache)
    assert sent_parts(service) == [1, 2, 3, 4]
    report = upload(tmp_path, [large], threads=1, cache=cache)
    assert sent_parts(service) == []
    assert len(service.completed) == 1
    assert (report.bytes_sent, report.bytes_resumed) == (0, 3584)


def test_parts_of_an_upload_that_is_over_do_not_count_for_the_next(
    tmp_path: Path, service: FakeService, large: LocalFile
) -> None:
    cache = Md5Cache(tmp_path / "cache", now_ns=lambda: 2**62)
    for _ in range(2):
        report = upload(tmp_path, [large], threads=1, cache=cache)
        assert sent_parts(service) == [1, 2, 3, 4]
        assert report.bytes_resumed == 0


def test_parts_are_remembered_for_one_upload_of_one_service_only(
    tmp_path: Path, service: FakeService, large: LocalFile
) -> None:
    cache = Md5Cache(tmp_path / "cache", now_ns=lambda: 2**62)
    service.statuses = {f"{large.path}#4": [500] * 5}
    with pytest.raises(BusyError):
        upload(tmp_path, [large], threads=1, cache=cache)
    assert sent_parts(service) == [1, 2, 3]
    service.upload_serial = 1
    report = upload(tmp_path, [large], threads=1, cache=cache)
    assert sent_parts(service) == [1, 2, 3, 4]
    assert report.bytes_resumed == 0


def test_parts_that_the_service_dropped_are_sent_again(
    tmp_path: Path, service: FakeService, large: LocalFile
) -> None:
    cache = Md5Cache(tmp_path / "cache", now_ns=lambda: 2**62)
    service.statuses = {f"{large.path}#4": [500] * 5}
    with pytest.raises(BusyError):
        upload(tmp_path, [large], threads=1, cache=cache)
    sent_parts(service)
    service.statuses = {"complete": [400]}
    report = upload(tmp_path, [large], threads=1, cache=cache)
    assert sent_parts(service) == [1, 2, 3, 4]
    assert len(service.completed) == 1
    assert (report.bytes_sent, report.bytes_resumed) == (3584, 0)


def test_parts_that_make_no_file_are_an_error_and_not_sent_for_ever(
    tmp_path: Path, service: FakeService, large: LocalFile
) -> None:
    service.statuses = {"complete": [400] * 3}
    with pytest.raises(RefusedError, match="complete_multipart"):
        upload(tmp_path, [large], threads=1)
    assert sent_parts(service) == [1, 2, 3, 4]


@pytest.mark.parametrize("threads", [1, 4])
def test_parts_whose_urls_expired_get_new_ones(
    tmp_path: Path, service: FakeService, large: LocalFile, threads: int
) -> None:
    service.valid_from = 2
    report = upload(tmp_path, [large], threads=threads)
    assert sent_parts(service) == [1, 2, 3, 4]
    assert len(service.completed) == 1
    assert report.bytes_sent == large.size


def test_a_part_that_is_refused_with_new_urls_too_is_an_error(
    tmp_path: Path, service: FakeService, large: LocalFile
) -> None:
    service.statuses = {f"{large.path}#1": [403] * 9}
    with pytest.raises(RefusedError, match="403"):
        upload(tmp_path, [large], threads=1)


def test_new_urls_of_another_upload_begin_it_anew(
    tmp_path: Path, service: FakeService, large: LocalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.statuses = {f"{large.path}#3": [404]}

    serials, urls = iter([0, 7]), service._urls

    def with_another_id(request: requests.PreparedRequest) -> Reply:
        service.upload_serial = next(serials)
        return urls(request)

    monkeypatch.setattr(service, "_urls", with_another_id)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        service.install(mock)
        upload(tmp_path, [large], threads=1)
    assert sent_parts(service) == [1, 2, 3, 4]
    assert service.completed[0]["uploadID"].endswith("-7")
