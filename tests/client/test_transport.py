"""What happens on the socket: connections kept, replaced and broken, bodies, timeouts."""

from __future__ import annotations

import dataclasses
import io
import logging
import os
import platform
import shutil
import socket
import ssl
import sys
import traceback
from pathlib import Path
from typing import Any

import certifi
import pytest
import requests
import responses
import urllib3

from conductor.lib.api_client import ApiClient
from conductor.lib.cancellation import Cancellation
from conductor.lib.config import Config
from conductor.lib.exceptions import (
    Acted,
    BusyError,
    ConductorError,
    ConfigError,
    LoginError,
    OutcomeUnknownError,
    RefusedError,
    StopError,
    UnexpectedAnswerError,
    UnreachableError,
)
from conductor.lib.wire.call import Call, Sent
from conductor.lib.wire.operations import JOBS_CREATE, OBJECTS_PUT, OPERATIONS, PACKAGES_LIST, Operation
from conductor.lib.wire.transport import Transport, user_agent
from conductor.version import VERSION
from support.client_world import URL, FixedTokens, make_transport
from support.raw_server import RawServer, Step, answer, drop, hang_up, refuse_early, reset, stall, truncated

OK = answer(200)
CREATED = answer(201, b'{"jobid": "00001"}')
# Long enough never to be reached by a server that answers, short enough to be waited for once.
IMPATIENT = 0.05


def impatient(operation: Operation) -> Operation:
    return dataclasses.replace(operation, read_timeout=IMPATIENT)


def send(server: RawServer, operation: Operation = PACKAGES_LIST, body: bytes | None = None) -> Sent:
    with make_transport() as transport:
        return transport.send(Call(operation, f"{server.url}/jobs/", body=body))


def test_a_thread_keeps_its_connection() -> None:
    with RawServer([[OK, OK, OK]]) as server, make_transport() as transport:
        for _ in range(3):
            transport.send(Call(PACKAGES_LIST, f"{server.url}/x"))
    assert [request.connection for request in server.requests] == [0, 0, 0]


def test_a_stale_connection_is_replaced_at_once() -> None:
    waits: list[float] = []
    with RawServer([[OK, hang_up], [OK]]) as server, make_transport(waits) as transport:
        transport.send(Call(PACKAGES_LIST, f"{server.url}/x"))
        sent = transport.send(Call(PACKAGES_LIST, f"{server.url}/x"))
    assert sent.answer.status == 200
    assert [request.connection for request in server.requests] == [0, 1]
    assert waits == []


def test_a_connection_dropped_under_a_reused_request_is_replaced_at_once_and_then_with_waits() -> None:
    waits: list[float] = []
    with RawServer([[OK, drop], [drop], [OK]]) as server, make_transport(waits) as transport:
        transport.send(Call(PACKAGES_LIST, f"{server.url}/x"))
        sent = transport.send(Call(PACKAGES_LIST, f"{server.url}/x"))
    assert sent.attempted.attempts == 3
    assert waits == [0.5]


@pytest.mark.parametrize("step", [drop, reset, truncated])
def test_a_repeatable_request_survives_broken_connections(step: Step) -> None:
    waits: list[float] = []
    with RawServer([[step], [step], [OK]]) as server, make_transport(waits) as transport:
        sent = transport.send(Call(PACKAGES_LIST, f"{server.url}/x"))
    assert sent.attempted.attempts == 3
    assert waits == [0.5, 1.0]


def test_a_server_that_says_nothing_is_given_up_in_the_end() -> None:
    with RawServer([[stall]]) as server, pytest.raises(UnreachableError) as caught:
        send(server, impatient(PACKAGES_LIST))
    assert "no answer in time" in str(caught.value)
    assert caught.value.attempts == 5


@pytest.mark.parametrize("step", [drop, reset, truncated])
def test_a_job_is_never_sent_twice_after_its_bytes_went_out(step: Step) -> None:
    with RawServer([[step], [CREATED]]) as server, pytest.raises(OutcomeUnknownError) as caught:
        send(server, JOBS_CREATE, b"{}")
    assert len(server.requests) == 1
    assert (caught.value.acted, caught.value.attempts) == (Acted.UNKNOWN, 1)


def test_a_job_whose_answer_does_not_come_in_time_is_not_sent_again() -> None:
    with (
        RawServer([[stall], [CREATED]]) as server,
        pytest.raises(OutcomeUnknownError, match="unknown whether it was acted on"),
    ):
        send(server, impatient(JOBS_CREATE), b"{}")
    assert len(server.requests) == 1


def test_a_job_goes_out_on_a_connection_of_its_own() -> None:
    with RawServer([[OK, OK], [CREATED]]) as server, make_transport() as transport:
        transport.send(Call(PACKAGES_LIST, f"{server.url}/x"))
        # The server takes one connection after another: the pooled one must be let go first.
        transport.close()
        transport.send(Call(JOBS_CREATE, f"{server.url}/jobs/", body=b"{}"))
    assert [request.connection for request in server.requests] == [0, 1]


def test_two_jobs_do_not_share_a_connection() -> None:
    with RawServer([[CREATED, CREATED], [CREATED]]) as server, make_transport() as transport:
        for _ in range(2):
            transport.send(Call(JOBS_CREATE, f"{server.url}/jobs/", body=b"{}"))
    assert [request.connection for request in server.requests] == [0, 1]


@pytest.mark.parametrize("operation", [PACKAGES_LIST, JOBS_CREATE], ids=lambda operation: operation.id)
def test_a_refused_connection_is_tried_again_and_nothing_was_acted_on(operation: Operation) -> None:
    with RawServer([]) as server:
        url = server.url
    waits: list[float] = []
    with make_transport(waits) as transport, pytest.raises(UnreachableError) as caught:
        transport.send(Call(operation, f"{url}/jobs/", body=b"{}"))
    assert waits == [0.5, 1.0, 2.0, 4.0]
    assert (caught.value.acted, caught.value.attempts) == (Acted.NO, 5)
    said = str(caught.value)
    assert said.endswith(
        "Connection refused; nothing was sent; check that the service runs, and CONDUCTOR_URL"
    )
    assert "host=" not in said


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (b"<!DOCTYPE HTML><h1>Not found</h1>", "; that is a page: does CONDUCTOR_URL name the service?"),
        (b"no such job", " 404 Not Found: no such job"),
    ],
    ids=["page", "text"],
)
def test_a_page_of_another_server_is_told_as_one(body: bytes, end: str) -> None:
    call = [answer(404, body)]
    with RawServer([call]) as server, make_transport() as transport, pytest.raises(RefusedError) as caught:
        transport.send(Call(PACKAGES_LIST, f"{server.url}/packages"))
    assert str(caught.value).endswith(end)


class Stream(io.RawIOBase):
    """A body that notes whether it was closed."""

    def __init__(self, content: bytes, closed: list[bool]) -> None:
        self._content, self._closed = io.BytesIO(content), closed

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)

    def close(self) -> None:
        if not self.closed:
            self._closed.append(True)
        super().close()


@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_a_stream_is_sent_with_its_length_and_opened_anew_for_every_attempt(size: int) -> None:
    content, closed = bytes(size), list[bool]()
    with RawServer([[answer(500), OK]]) as server, make_transport() as transport:
        body = lambda: Stream(content, closed)  # noqa: E731 - a factory
        transport.send(Call(OBJECTS_PUT, f"{server.url}/put", body=body, length=size))
    assert [request.body for request in server.requests] == [content, content]
    assert [request.headers["content-length"] for request in server.requests] == [str(size)] * 2
    assert "transfer-encoding" not in server.requests[0].headers
    assert closed == [True, True]


def test_an_error_of_the_stream_comes_through_as_it_is() -> None:
    class Broken(Stream):
        def read(self, size: int = -1) -> bytes:
            raise ConductorError("the file changed")

    with (
        RawServer([[OK]]) as server,
        make_transport() as transport,
        pytest.raises(ConductorError, match="the file changed"),
    ):
        transport.send(Call(OBJECTS_PUT, f"{server.url}/put", body=lambda: Broken(b"", []), length=5))


def test_a_refusal_that_comes_before_the_body_is_sent_is_read_all_the_same() -> None:
    big = bytes(5_000_000)
    with (
        RawServer([[refuse_early(413)]]) as server,
        make_transport() as transport,
        pytest.raises(RefusedError) as caught,
    ):
        transport.send(Call(OBJECTS_PUT, f"{server.url}/put", body=lambda: Stream(big, []), length=len(big)))
    assert caught.value.status == 413


def test_every_request_says_who_asks() -> None:
    with RawServer([[OK]]) as server:
        send(server)
    agent = server.requests[0].headers["user-agent"]
    assert agent.startswith("conductor-client/")
    assert "(python " in agent


def test_netrc_and_proxies_of_the_environment_do_not_change_a_request_to_loopback(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login a password b")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with RawServer([[OK]]) as server, Transport(sleep=lambda _: None) as transport:
        transport.send(Call(PACKAGES_LIST, f"{server.url}/x", tokens=FixedTokens()))
    assert server.requests[0].headers["authorization"] == "Bearer token-1"


def test_a_proxy_that_cannot_be_reached_means_that_nothing_was_sent() -> None:
    with RawServer([]) as server:
        proxy = server.url
    transport = Transport(environ={"http_proxy": proxy}, sleep=lambda _: None)
    with transport, pytest.raises(UnreachableError, match="nothing was sent"):
        transport.send(Call(JOBS_CREATE, "http://conductor.test/jobs/", body=b"{}"))


def test_a_proxy_gets_the_whole_address() -> None:
    with RawServer([[OK]]) as server, Transport(environ={"HTTP_PROXY": server.url}) as transport:
        transport.send(Call(PACKAGES_LIST, "http://conductor.test/x"))
    assert server.requests[0].line == "GET http://conductor.test/x HTTP/1.1"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "does not exist"),
        (b"", "holds no certificates in PEM"),
        (b"no certificate", "holds no certificates in PEM"),
        (b"\x30\x82\x01\x0a\x00", "holds no certificates in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificates in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no certificates in PEM"),
    ],
)
def test_a_ca_bundle_that_cannot_be_read_is_an_error_before_anything_is_sent(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"{name} is '.*ca.pem', which {reason}") as caught:
        Transport(environ={name: str(path)}).send(Call(PACKAGES_LIST, "HTTPS://conductor.test/x"))
    assert caught.value.exit_code == 2


def test_a_client_of_a_service_of_https_is_not_made_with_a_ca_bundle_that_cannot_be_read(
    tmp_path: Path,
) -> None:
    bundle = {"CURL_CA_BUNDLE": str(tmp_path / "none.pem")}
    for urls in ({"CONDUCTOR_URL": "https://a.test"}, {"CONDUCTOR_API_URL": "https://b.test"}):
        config = Config.load(environ={"CONDUCTOR_URL": "http://c.test", **urls}, home=tmp_path)
        with pytest.raises(ConfigError, match=r"CURL_CA_BUNDLE is '.*none.pem', which does not exist"):
            ApiClient(config, transport=Transport(environ=bundle), tokens=FixedTokens())


def test_a_ca_bundle_is_not_looked_at_where_nothing_is_asked_by_https(tmp_path: Path) -> None:
    bundle = {"REQUESTS_CA_BUNDLE": str(tmp_path / "none.pem")}
    with RawServer([[OK]]) as server, Transport(environ=bundle) as transport:
        config = Config.load(environ={"CONDUCTOR_URL": server.url}, home=tmp_path)
        assert ApiClient(config, transport=transport, tokens=FixedTokens()).calls.packages_list()
        with pytest.raises(ConfigError, match="CA_BUNDLE is"):  # such as the URL of a file
            transport.branch(Cancellation()).send(Call(PACKAGES_LIST, "https://store.test/x"))


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
def test_a_ca_bundle_that_is_no_file_or_not_ours_to_read_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("fifo", "loop"):
        with pytest.raises(ConfigError, match=name):
            Transport(environ={"REQUESTS_CA_BUNDLE": str(tmp_path / name)}).check("https://conductor.test")
    Transport(environ={"REQUESTS_CA_BUNDLE": str(tmp_path)}).check(
        "https://conductor.test"
    )  # a folder of hashed names


def test_a_ca_bundle_is_read_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    shutil.copy(certifi.where(), path)
    reads = []

    class Counting(ssl.SSLContext):
        def load_verify_locations(self, *args: Any, **options: Any) -> None:
            reads.append(args)
            super().load_verify_locations(*args, **options)

    monkeypatch.setattr(ssl, "SSLContext", Counting)
    for _ in range(3):
        Transport(environ={"REQUESTS_CA_BUNDLE": str(path)}).check("https://conductor.test")
    assert len(reads) == 1
    path.write_bytes(b"no certificate")
    for _ in range(2):
        with pytest.raises(ConfigError, match="holds no certificates"):
            Transport(environ={"REQUESTS_CA_BUNDLE": str(path)}).check("https://conductor.test")
    shutil.copy(certifi.where(), path)
    Transport(environ={"REQUESTS_CA_BUNDLE": str(path)}).check("https://conductor.test")
    assert len(reads) == 4


def test_a_ca_bundle_of_the_environment_is_used(tmp_path: Path) -> None:
    shutil.copy(certifi.where(), tmp_path / "ca.pem")
    seen = {}

    def look(
        self: requests.Session, request: requests.PreparedRequest, **options: object
    ) -> requests.Response:
        seen.update(options)
        raise requests.ConnectionError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "send", look)
        transport = Transport(environ={"CURL_CA_BUNDLE": str(tmp_path / "ca.pem")}, sleep=lambda _: None)
        with transport, pytest.raises(UnreachableError):
            transport.send(Call(PACKAGES_LIST, "https://conductor.test/x"))
    assert seen["verify"] == str(tmp_path / "ca.pem")
    assert seen["timeout"] == (20.0, 60.0)


def test_the_user_agent_says_of_python_and_the_system_what_platform_says() -> None:
    system = f"python {platform.python_version()}; {platform.system()} {platform.release()}"
    assert user_agent() == f"conductor-client/{VERSION} ({system})"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.id)
def test_every_operation_has_a_timeout(operation: Operation) -> None:
    assert 0 < operation.read_timeout <= 300


@pytest.mark.parametrize(
    ("error", "kind", "acted"),
    [
        (requests.ConnectTimeout("slow"), UnreachableError, Acted.NO),
        (requests.ReadTimeout("slow"), OutcomeUnknownError, Acted.UNKNOWN),
        (requests.ConnectionError("reset"), OutcomeUnknownError, Acted.UNKNOWN),
        (requests.exceptions.ChunkedEncodingError("half"), OutcomeUnknownError, Acted.UNKNOWN),
        (requests.exceptions.ContentDecodingError("gzip"), OutcomeUnknownError, Acted.UNKNOWN),
        (
            requests.ConnectionError(
                urllib3.exceptions.MaxRetryError(
                    urllib3.HTTPConnectionPool("a"),
                    "/",
                    urllib3.exceptions.NameResolutionError(
                        "a", urllib3.connection.HTTPConnection("a"), socket.gaierror()
                    ),
                )
            ),
            UnreachableError,
            Acted.NO,
        ),
        (
            requests.exceptions.SSLError(ssl.SSLError(1, "CERTIFICATE_VERIFY_FAILED")),
            StopError,
            Acted.NO,
        ),
        (requests.exceptions.SSLError(ssl.SSLError(1, "EOF")), OutcomeUnknownError, Acted.UNKNOWN),
        (requests.exceptions.InvalidURL("odd"), StopError, Acted.NO),
        (urllib3.exceptions.LocationParseError("odd"), StopError, Acted.NO),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_failures_say_whether_a_job_may_have_been_made(
    error: Exception, kind: type[ConductorError], acted: Acted
) -> None:
    with responses.RequestsMock() as mock, make_transport() as transport:
        mock.add("POST", f"{URL}/jobs/", body=error)
        with pytest.raises(kind) as caught:
            transport.send(Call(JOBS_CREATE, f"{URL}/jobs/", body=b"{}"))
    assert type(caught.value) is kind
    assert caught.value.acted is acted
    assert caught.value.operation == "jobs.create"
    assert caught.value.status is None


def test_a_refused_token_is_renewed_once_and_the_request_repeated() -> None:
    tokens, waits = FixedTokens(), list[float]()
    with RawServer([[answer(401), OK]]) as server, make_transport(waits) as transport:
        transport.send(Call(PACKAGES_LIST, f"{server.url}/x", tokens=tokens))
    assert [request.headers["authorization"] for request in server.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]
    assert tokens.refused == ["token-1"]
    assert waits == []


def test_a_token_refused_twice_is_a_login_error() -> None:
    with (
        RawServer([[answer(401), answer(401, b'{"message": "who?"}')]]) as server,
        make_transport() as transport,
        pytest.raises(LoginError, match=r"401 Unauthorized: who\?") as caught,
    ):
        transport.send(Call(PACKAGES_LIST, f"{server.url}/x", tokens=FixedTokens()))
    assert (caught.value.attempts, caught.value.acted) == (2, Acted.NO)


def test_renewing_a_token_uses_up_no_attempt() -> None:
    busy = answer(500)
    with RawServer([[answer(401), busy, busy, busy, busy, OK]]) as server, make_transport() as transport:
        assert (
            transport.send(Call(PACKAGES_LIST, f"{server.url}/x", tokens=FixedTokens())).answer.status == 200
        )


def test_waits_obey_retry_after() -> None:
    waits: list[float] = []
    busy = answer(503, b"", "Retry-After: 7")
    with (
        RawServer([[busy, answer(429, b"", "Retry-After: 0"), OK]]) as server,
        make_transport(waits) as transport,
    ):
        transport.send(Call(PACKAGES_LIST, f"{server.url}/x"))
    assert waits == [7.0, 1.0]


def test_a_redirect_is_not_followed_and_says_what_to_configure() -> None:
    moved = answer(301, b"", "Location: https://elsewhere.test/x?token=1")
    with (
        RawServer([[moved]]) as server,
        make_transport() as transport,
        pytest.raises(UnexpectedAnswerError) as caught,
    ):
        transport.send(Call(PACKAGES_LIST, f"{server.url}/x", tokens=FixedTokens()))
    assert "redirects to https://elsewhere.test are not followed: set CONDUCTOR_URL" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b'{"status": "error", "message": "busy"}', "busy"),
        (
            b'{"message": "bad", "errors": [{"path": "/a", "message": "x"}, {"path": "", "message": "bad"}, 5]}',
            "bad (/a: x)",
        ),
        (b'{"message": "bad", "errors": "odd"}', "bad"),
        (b"plain\n  text", "plain text"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[1, 2]", "[1, 2]"),
        (b"x" * 5000, "x" * 600 + "..."),
        (b"[" * 100_000, "[" * 600 + "..."),
    ],
)
def test_the_servers_message_is_shown_whatever_its_form(content: bytes, shown: str) -> None:
    with RawServer([[answer(507, content)]]) as server, pytest.raises(BusyError) as caught:
        send(server)
    assert str(caught.value) == f"packages.list: {server.url} answered 507 Insufficient Storage: {shown}"


def test_a_server_that_repeats_a_secret_does_not_get_it_shown() -> None:
    echo = answer(403, b"token opaque-token is bad, Bearer abc, client_secret was ?client_secret=s3cret")
    with RawServer([[echo]]) as server, make_transport() as transport, pytest.raises(LoginError) as caught:
        transport.send(Call(PACKAGES_LIST, f"{server.url}/x", tokens=FixedTokens(["opaque-token"])))
    assert not any(secret in str(caught.value) for secret in ("opaque-token", "abc", "s3cret"))


@pytest.mark.parametrize("status", [500, None], ids=["answered", "refused"])
def test_no_secret_is_in_an_error_its_causes_or_the_log(
    status: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with RawServer([[answer(500)] * 5] if status else []) as server:
        if status:
            error = fail(server.url)
    if not status:
        error = fail(server.url)
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    everything = trace + caplog.text + repr(vars(error))
    link: BaseException | None = error
    while link is not None:
        everything += repr(link)
        link = link.__context__
    assert "trying again" in everything
    assert not any(secret in everything for secret in ("s1gnature", "p4th", "opaque-token"))


def fail(url: str) -> ConductorError:
    secret = Call(
        OBJECTS_PUT, f"{url}/p4th/x?X-Signature=s1gnature", body=b"x", tokens=FixedTokens(["opaque-token"])
    )
    with make_transport() as transport, pytest.raises(ConductorError) as caught:
        transport.send(secret)
    return caught.value
