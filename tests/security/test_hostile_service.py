"""The client against a service that means harm: what it writes, keeps in memory, waits for and counts with."""

from __future__ import annotations

import dataclasses
import gzip
import io
import itertools
import json
import os
import re
import socket
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib import accounts, jobs, logs, tasks, usage
from conductor.lib.api_client import ApiClient
from conductor.lib.download.file import WHOLE_ATTEMPTS
from conductor.lib.download.partial_file import PartialFile, partial_path
from conductor.lib.download.records import pages
from conductor.lib.downloader import Downloader
from conductor.lib.exceptions import ConductorError, LoginError, OutcomeUnknownError, UnexpectedAnswerError
from conductor.lib.login.api_keys import ApiKey
from conductor.lib.login.credentials import TokenStore
from conductor.lib.upload.claims import next_claim
from conductor.lib.upload.plan import plan_of
from conductor.lib.wire import limits, operations
from conductor.lib.wire.call import Call
from conductor.lib.wire.connections import OpenConnections
from conductor.lib.wire.operations import OPERATIONS
from support import security_page
from support.client_world import URL, make_client, make_transport, md5_of
from support.fake_outputs import FakeOutputs, here
from support.raw_server import RawServer, Step, answer

CONTENT = bytes(range(256)) * 40
MD5 = md5_of(CONTENT)
HUGE = "9" * 400


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[FakeOutputs]:
    service = FakeOutputs(str(tmp_path / "out"))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        service.install(mock)
        yield service


def test_the_table_of_limits_says_what_the_client_holds_to() -> None:
    said = security_page.limits("client")
    assert said["bytes of an answer"] == f"{limits.SMALL_ANSWER_BYTES // limits.MEBIBYTE} MiB"
    assert said["bytes of a list, a log, upload URLs"] == f"{limits.LISTING_BYTES // limits.MEBIBYTE} MiB"
    assert said["bytes that are read of an error"] == f"{limits.ERROR_BYTES // limits.MEBIBYTE} MiB"
    assert f"each {limits.LEAST_BYTES_PER_SECOND:,} bytes" in said["time for an answer"]
    assert said["digits of a whole number"] == str(limits.DIGITS)
    assert float(said["a number that is counted with"]) == limits.LARGEST
    assert said["lifetime of a token, in seconds"] == f"{limits.LIFETIME_SECONDS:,}"
    assert said["pages of a listing"].startswith(f"{limits.PAGES:,},")
    assert len(said) == 11


# What lies at the name of a part file


def part_of(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return partial_path(tmp_path / "out" / "a.png", MD5)


@pytest.mark.parametrize("held", [b"", b"somebody's own text", CONTENT[:100], CONTENT])
def test_another_name_of_a_file_is_not_written_through(
    outputs: FakeOutputs, tmp_path: Path, held: bytes
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(held)
    os.link(elsewhere, part_of(tmp_path))
    outputs.add("a.png", CONTENT)
    with make_client(tmp_path) as client:
        assert Downloader(client).download(["1"]).complete
    assert elsewhere.read_bytes() == held
    assert here(tmp_path / "out") == {"a.png": CONTENT}
    assert (tmp_path / "out" / "a.png").stat().st_nlink == 1


@pytest.mark.parametrize("target", ["elsewhere", "missing", "out", "/dev/null"])
def test_a_link_is_refused_and_not_followed(outputs: FakeOutputs, tmp_path: Path, target: str) -> None:
    (tmp_path / "elsewhere").write_bytes(b"somebody's own text")
    part_of(tmp_path).symlink_to(tmp_path / target)
    outputs.add("a.png", CONTENT)
    with make_client(tmp_path) as client:
        (problem,) = Downloader(client).download(["1"]).problems
    assert "symbolic link" in problem.reason
    assert (tmp_path / "elsewhere").read_bytes() == b"somebody's own text"
    assert not (tmp_path / "missing").exists()


def test_a_pipe_is_not_written_to(outputs: FakeOutputs, tmp_path: Path) -> None:
    os.mkfifo(part_of(tmp_path))
    outputs.add("a.png", CONTENT)
    with make_client(tmp_path) as client:
        assert Downloader(client).download(["1"]).complete
    assert here(tmp_path / "out") == {"a.png": CONTENT}


# More than was promised


@given(
    sizes=st.lists(st.integers(1, 300), max_size=40), promised=st.integers(0, 2000), held=st.integers(0, 500)
)
def test_no_byte_is_written_behind_the_promised_size(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], promised: int, held: int
) -> None:
    target = tmp_path_factory.mktemp("out") / "a.png"
    partial_path(target, MD5).write_bytes(CONTENT[:held])
    partial = PartialFile(target, size=promised, md5=MD5, wait=lambda _: None)
    begun = partial.count
    headers = {"Content-Range": f"bytes {begun}-{promised}/{promised}"}
    partial.receive(206 if begun else 200, headers, (b"x" * size for size in sizes))
    assert partial.path.stat().st_size == partial.count <= promised
    assert partial.overrun == (begun + sum(sizes) > promised)
    assert not (partial.overrun and partial.right)
    partial.close()


def test_an_endless_file_is_given_up_at_its_promised_size(tmp_path: Path) -> None:
    taken = iter(range(1000))  # enough of an end for a test that fails

    def endless() -> Iterator[bytes]:
        for _ in taken:
            yield b"x" * 1000

    partial = PartialFile(tmp_path / "a.png", size=10, md5=None, wait=lambda _: None)
    partial.receive(200, {}, endless())
    assert next(taken) == 1
    assert partial.path.stat().st_size == 0
    assert not partial.right
    partial.close()


def test_a_file_that_goes_on_has_failed_and_leaves_nothing(tmp_path: Path) -> None:
    outputs = FakeOutputs(str(tmp_path / "out")).add("a.png", CONTENT)
    with make_client(tmp_path) as client, responses.RequestsMock() as mock:
        for _ in range(WHOLE_ATTEMPTS):
            mock.add("GET", re.compile(r"http://store\.test/.*"), body=CONTENT + b"more")
        mock.assert_all_requests_are_fired = False
        outputs.install(mock)
        (problem,) = Downloader(client).download(["1"]).problems
    assert f"got more than {len(CONTENT)}" in problem.reason
    assert list((tmp_path / "out").iterdir()) == []


def chunked(blocks: Iterator[bytes], *headers: str) -> Step:
    """Send chunks until the client has gone."""

    def act(connection: socket.socket, _: object) -> None:
        lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", *headers, "", ""]
        try:
            connection.sendall("\r\n".join(lines).encode())
            for block in blocks:
                connection.sendall(b"%x\r\n%b\r\n" % (len(block), block))
            connection.sendall(b"0\r\n\r\n")
        except OSError:
            pass  # it has

    return Step(act)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of an answer as low as a test can reach without a wait."""
    for name in ("PACKAGES_LIST", "PROJECTS_LIST", "JOBS_CREATE"):
        limited = dataclasses.replace(getattr(operations, name), answer_bytes=limits.MEBIBYTE)
        monkeypatch.setattr(operations, name, limited)


@pytest.mark.usefixtures("small")
def test_an_endless_answer_is_given_up_at_its_limit() -> None:
    with RawServer([[chunked(itertools.repeat(b" " * 65536))]]) as server, make_transport() as transport:
        with pytest.raises(UnexpectedAnswerError, match="more than 1048576 bytes"):
            transport.send(Call(operations.PACKAGES_LIST, f"{server.url}/x"))
        assert len(server.requests) == 1


@pytest.mark.usefixtures("small")
def test_of_a_job_whose_answer_has_no_end_nothing_is_claimed() -> None:
    with RawServer([[chunked(itertools.repeat(b" " * 65536))]]) as server, make_transport() as transport:
        call = Call(operations.JOBS_CREATE, f"{server.url}/jobs/", body=b"{}")
        # The status of the scripted answer is one that jobs.create does not know; the body is what matters.
        with pytest.raises(ConductorError) as caught:
            transport.send(call)
    assert isinstance(caught.value, (OutcomeUnknownError, UnexpectedAnswerError))


def test_an_endless_error_is_cut_off(tmp_path: Path) -> None:
    def act(connection: socket.socket, closing: object) -> None:
        connection.sendall(b"HTTP/1.1 400 No\r\n\r\n")
        try:
            while True:
                connection.sendall(b"no " * 20000)
        except OSError:
            pass  # the client has gone

    with (
        RawServer([[Step(act)]]) as server,
        make_transport() as transport,
        pytest.raises(ConductorError, match="no no") as caught,
    ):
        transport.send(Call(operations.PACKAGES_LIST, f"{server.url}/x"))
    assert len(str(caught.value)) < 1000


def refused(step: Step, because: str) -> None:
    with (
        RawServer([[step]]) as server,
        make_transport() as transport,
        pytest.raises(UnexpectedAnswerError, match=because),
    ):
        transport.send(Call(operations.PACKAGES_LIST, f"{server.url}/x"))


def bomb(mebibytes: int, pack: str) -> bytes:
    blank = b" " * limits.MEBIBYTE
    if pack == "gzip":
        stream = io.BytesIO()
        with gzip.GzipFile(fileobj=stream, mode="wb") as out:
            for _ in range(mebibytes):
                out.write(blank)
        return stream.getvalue()
    squeeze = zlib.compressobj()
    return b"".join([*(squeeze.compress(blank) for _ in range(mebibytes)), squeeze.flush()])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("pack", ["gzip", "deflate"])
def test_a_little_that_unpacks_to_very_much_is_not_unpacked(pack: str) -> None:
    body = bomb(300, pack)
    assert len(body) < limits.MEBIBYTE
    tracemalloc.start()
    try:
        refused(answer(200, body, f"Content-Encoding: {pack}"), "more than")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 150 * limits.MEBIBYTE


@pytest.mark.parametrize("packed", ["gzip, gzip", "gzip,deflate", "br", "zstd", "x", "gzip, " * 5 + "gzip"])
def test_an_answer_that_is_packed_otherwise_is_none(packed: str) -> None:
    refused(answer(200, b"{}", f"Content-Encoding: {packed}"), "packed")


# Answers that take for ever


class Drip:
    """A server that sends one byte whenever somebody reads, and a clock that a second passes on for each."""

    def __init__(self, text: bytes, seconds: float) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.theirs.settimeout(60.0)
        self._bytes, self._seconds, self.now, self.sent = iter(text), seconds, 0.0, 0

    def clock(self) -> float:
        self.now += self._seconds
        with_one_more = next(self._bytes, None)
        if with_one_more is not None:
            self.ours.sendall(bytes([with_one_more]))
            self.sent += 1
        return self.now


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
ENDLESS_HEAD = b"HTTP/1.1 200 OK\r\n" + b"X-More: of it\r\n" * 5000


@pytest.mark.parametrize(
    "text", [HEAD + b"x" * 100_000, ENDLESS_HEAD, b"HTTP/1.1 100 Continue\r\n\r\n" * 5000]
)
@pytest.mark.parametrize("seconds", [1.0, 10.0, 59.0])
def test_an_answer_that_drips_ends(text: bytes, seconds: float) -> None:
    drip = Drip(text, seconds)
    kind = OpenConnections(drip.clock).pool_classes["http"].ConnectionCls
    with drip.ours, drip.theirs:
        answered = kind.response_class(drip.theirs, method="GET")  # type: ignore[attr-defined]
        with pytest.raises(socket.timeout, match="bytes came in"):  # noqa: PT012 - wherever it is noticed
            answered.begin()
            answered.read()
        answered.close()
    assert drip.now <= 2 * 60.0 + drip.sent / limits.LEAST_BYTES_PER_SECOND + 2 * seconds


def test_a_slow_answer_is_waited_for() -> None:
    text = b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n" + b"x" * 30
    drip = Drip(text, 1.0)  # 70 bytes, a second for each
    kind = OpenConnections(drip.clock).pool_classes["http"].ConnectionCls
    with drip.ours, drip.theirs:
        answered = kind.response_class(drip.theirs, method="GET")  # type: ignore[attr-defined]
        answered.begin()
        assert answered.read() == b"x" * 30
        answered.close()


def test_both_kinds_of_connections_are_paced_and_every_operation_has_a_time() -> None:
    for pool in OpenConnections().pool_classes.values():
        assert "Response" in pool.ConnectionCls.response_class.__qualname__  # type: ignore[attr-defined]
    for operation in OPERATIONS:
        assert 0 < operation.read_timeout <= 300
        assert 0 < operation.answer_bytes <= limits.LISTING_BYTES


# Listings without an end


@pytest.mark.parametrize(
    "cursors", [["a", "b", "a"], ["a", "b", "c", "b"], list("abcdefgha"), ["a", "", "a"]]
)
def test_cursors_that_come_round_are_not_followed(tmp_path: Path, cursors: list[str]) -> None:
    with make_client(tmp_path) as client, responses.RequestsMock() as mock:
        bodies = ({"downloads": [], "next_cursor": cursor} for cursor in itertools.cycle(cursors))
        mock.add_callback(
            "POST", re.compile(rf"{URL}/jobs/.*"), lambda _: (200, {}, json.dumps(next(bodies)))
        )
        if "" in cursors:
            assert len(list(pages(client.calls, "00001"))) == 2
            return
        with pytest.raises(UnexpectedAnswerError, match="listed before"):
            list(pages(client.calls, "00001"))
        assert len(mock.calls) <= len(cursors) + 1


def test_a_listing_that_always_has_another_page_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conductor.lib.download.records.PAGES", 20)
    numbers = itertools.count()
    with make_client(tmp_path) as client, responses.RequestsMock() as mock:
        mock.add_callback(
            "POST",
            re.compile(rf"{URL}/jobs/.*"),
            lambda _: (200, {}, json.dumps({"downloads": [], "next_cursor": str(next(numbers))})),
        )
        with pytest.raises(UnexpectedAnswerError, match="more than 20 pages"):
            list(pages(client.calls, "00001"))


@pytest.mark.parametrize("cursor", ["\ud800", "\n", "\x00", 5, ["a"], {"a": 1}])
def test_a_cursor_that_is_no_text_is_none(tmp_path: Path, cursor: Any) -> None:
    with make_client(tmp_path) as client, responses.RequestsMock() as mock:
        mock.add("POST", re.compile(rf"{URL}/jobs/.*"), body=json.dumps({"next_cursor": cursor}))
        with pytest.raises(UnexpectedAnswerError, match="next_cursor must be text"):
            list(pages(client.calls, "00001"))


# Numbers

NUMBERS = ["1e999", "-1e999", HUGE, f"-{HUGE}", f"1.{HUGE}", "NaN", "Infinity", "-1", '"1e999"', f'"{HUGE}"', "1e308",
           "null", "[]", "{}", "true", '"x"', "9" * 5000]  # fmt: skip


@pytest.mark.parametrize("seconds", [text for text in NUMBERS if text not in ("true", f"1.{HUGE}")])
def test_a_lifetime_out_of_range_is_no_answer(tmp_path: Path, seconds: str) -> None:
    with make_client(tmp_path) as client, responses.RequestsMock() as mock:
        body = f'{{"access_token": "a.b.c", "expires_in": {seconds}}}'
        mock.add("GET", re.compile(rf"{URL}/api/oauth_jwt.*"), body=body)
        with pytest.raises((UnexpectedAnswerError, LoginError)):
            client.fetch_token(ApiKey("id", "key"))


@pytest.mark.parametrize("expiration", NUMBERS)
def test_a_credentials_file_with_an_odd_number_is_passed_over(tmp_path: Path, expiration: str) -> None:
    path = tmp_path / "credentials"
    path.write_text(f'{{"access_token": "a.b.c", "expiration": {expiration}}}')
    TokenStore(path).read()


def ask(client: ApiClient, what: str) -> object:
    day = date(2026, 11, 1)
    questions: dict[str, Any] = {
        "jobs": lambda: jobs.list_jobs(client=client),
        "tasks": lambda: tasks.list_tasks(1, client=client),
        "logs": lambda: logs.get_log(1, 1, client=client),
        "usage": lambda: usage.get_compute_usage(day, day, client=client),
        "storage": lambda: usage.get_storage_usage(day, day, client=client),
        "account": lambda: accounts.list_account_environment(client=client),
        "packages": client.list_packages,
        "token": lambda: client.fetch_token(ApiKey("id", "key")),
        "downloads": lambda: list(pages(client.calls, "00001")),
        "claim": lambda: next_claim(client.calls),
        "urls": lambda: plan_of(client.calls.files_get_upload_urls({"/a": (MD5, 5)}, None), {"/a": 5}),
        "job": lambda: client.create_job({"job_title": "a"}),
    }
    return questions[what]()


WHAT = [
    "jobs",
    "tasks",
    "logs",
    "usage",
    "storage",
    "account",
    "packages",
    "token",
    "downloads",
    "claim",
    "urls",
    "job",
]
NAMES = re.findall(
    r"\w+",
    """
    data jid tasks total_runtime running runtime logs log new_num_lines timestamp start_time minutes cost account_id env
    cost_per_day gibs_per_day gibs_used access_token expires_in downloads next_cursor files size md5 job_id task_id
    download_id url output_dir relative_path id upload_files multiPartURLs singlePartURLs filePath partSize uploadID
    parts partNumber jobid created jobLabel taskLabel
    """,
)
NO_DATE = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"
URLS = ["http://[", "http://a:99999/x", "http://store.test/x"]
TEXTS = st.sampled_from(
    ["", "00001", "/a", NO_DATE, "1e999", HUGE, "\ud800", "NaN", MD5, "0001-01-01T00:00:00+23:59", *URLS]
)
SCALARS = st.sampled_from([*NUMBERS, "0", "1", "1e-999", "9" * 39]) | TEXTS.map(json.dumps)


def as_object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in pairs) + "}"


BODIES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda texts: f"[{', '.join(texts)}]")
        | st.lists(st.tuples(st.sampled_from(NAMES), inner), max_size=6).map(as_object)
    ),
    max_leaves=30,
)
RECORDS = st.lists(st.tuples(st.sampled_from(NAMES), BODIES), min_size=1, max_size=8).map(as_object)
ENVELOPES = RECORDS.map(
    lambda record: (
        f'{{"data": [{record}], "downloads": [{record}], "logs": [{record}], "multiPartURLs": [{record}]}}'
    )
)


@given(
    what=st.sampled_from(WHAT),
    body=BODIES | RECORDS | ENVELOPES,
    when=TEXTS.filter(str.isprintable),
    retry=st.sampled_from(["", HUGE, "1e999", "-1", NO_DATE]),
    status=st.sampled_from([200, 200, 200, 201, 204, 400, 429, 503]),
)
def test_whatever_is_answered_is_read_or_complained_about(
    tmp_path_factory: pytest.TempPathFactory, what: str, body: str, when: str, retry: str, status: int
) -> None:
    with make_client(tmp_path_factory.mktemp("world")) as client, responses.RequestsMock() as mock:
        headers = {"Date": when.encode("ascii", "ignore").decode(), "Retry-After": retry}
        for method in (responses.GET, responses.POST, responses.PUT):
            mock.add(method, re.compile(rf"{URL}/.*"), body=body, status=status, headers=headers)
        mock.assert_all_requests_are_fired = False
        try:
            ask(client, what)
        except ConductorError as error:
            assert str(error)  # noqa: PT017 - any of them will do, no other
