"""What an exception of the requests library says about the request, and what an answer without success leaves open."""

from __future__ import annotations

import pytest
import requests
import urllib3

from conductor.lib.wire.operations import JOBS_CREATE
from conductor.lib.wire.outcomes import Answer, Failure, FailureKind, failure_from
from conductor.lib.wire.retry import Doubt, doubt_of

_POOL = urllib3.HTTPConnectionPool("host")
_ABORTED = urllib3.exceptions.ProtocolError("aborted", ConnectionResetError(104, "reset"))
_STALLED = urllib3.exceptions.ProtocolError("aborted", TimeoutError("timed out"))
_NO_ROUTE = urllib3.exceptions.MaxRetryError(
    _POOL,
    "/",
    urllib3.exceptions.NewConnectionError(_POOL, "no route"),  # type: ignore[arg-type]
)
_NO_PROXY = urllib3.exceptions.MaxRetryError(_POOL, "/", urllib3.exceptions.ProxyError("no", OSError("x")))
NOT_CONNECTED, TIMEOUT, DROPPED = FailureKind.NOT_CONNECTED, FailureKind.TIMEOUT, FailureKind.DROPPED


@pytest.mark.parametrize(
    ("error", "kind", "doubt"),
    [
        (requests.ConnectTimeout("slow"), NOT_CONNECTED, Doubt.NONE),
        (requests.ConnectionError(_NO_ROUTE), NOT_CONNECTED, Doubt.NONE),
        (requests.exceptions.ProxyError(_NO_PROXY), NOT_CONNECTED, Doubt.NONE),
        (requests.ReadTimeout("slow"), TIMEOUT, Doubt.OPEN),
        # The body was still being sent, or the answer being read: the server may be at it.
        (requests.ConnectionError(_STALLED), TIMEOUT, Doubt.OPEN),
        (
            requests.ConnectionError(urllib3.exceptions.ReadTimeoutError(_POOL, "/", "slow")),
            DROPPED,
            Doubt.SETTLED,
        ),
        (requests.ConnectionError(_ABORTED), DROPPED, Doubt.SETTLED),
        (requests.exceptions.ChunkedEncodingError("short"), DROPPED, Doubt.SETTLED),
        (requests.exceptions.ContentDecodingError("no gzip"), DROPPED, Doubt.SETTLED),
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), FailureKind.TLS, Doubt.NONE),
        (requests.exceptions.SSLError("WRONG_VERSION_NUMBER"), FailureKind.TLS, Doubt.NONE),
        (requests.exceptions.SSLError("bad record mac"), DROPPED, Doubt.SETTLED),
        (requests.exceptions.InvalidHeader("no"), FailureKind.INVALID, Doubt.NONE),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_failure_is_judged_by_what_the_server_may_have_had_of_the_request(
    error: requests.RequestException, kind: FailureKind, doubt: Doubt
) -> None:
    failure = failure_from(error)
    assert failure.kind is kind
    assert doubt_of(JOBS_CREATE, failure) is doubt


def test_what_an_answer_leaves_open_depends_on_who_can_have_sent_it() -> None:
    settled, not_done = {500, 501, 503, 505, 507}, {*range(300, 303), *range(304, 500)}
    accepted = set(JOBS_CREATE.ok)
    for status in range(200, 600):
        expected = Doubt.SETTLED if status in settled else Doubt.OPEN
        if status in not_done or status in accepted:
            expected = Doubt.NONE
        assert doubt_of(JOBS_CREATE, Answer(status, {}, b"")) is expected, status
    assert doubt_of(JOBS_CREATE, Answer(503, {"Retry-After": "1"}, b"")) is Doubt.NONE
    assert doubt_of(JOBS_CREATE, Answer(502, {"Retry-After": "1"}, b"")) is Doubt.OPEN


def test_what_a_failure_says_is_its_innermost_reason_without_secrets() -> None:
    assert str(failure_from(requests.ConnectionError(_ABORTED))) == "connection dropped: [Errno 104] reset"
    secret = requests.ConnectionError("for http://host/get?token=abcdefgh12345678")
    assert "abcdefgh12345678" not in str(failure_from(secret))
    assert failure_from(requests.ConnectionError()).text == "ConnectionError"
    assert str(failure_from(requests.ConnectionError(_NO_ROUTE))) == "no connection: no route"
    assert str(failure_from(requests.exceptions.ProxyError(_NO_PROXY))) == "no connection: x"
    silent = urllib3.exceptions.NewConnectionError(_POOL, "")  # type: ignore[arg-type]
    assert str(failure_from(requests.ConnectionError(silent))) == "no connection: NewConnectionError"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": "no", "errors": [{"path": "/a", "message": "is b"}]}', "no (/a: is b)"),
        (b'{"message": "no", "errors": [{"path": "/a"}, {"message": "no"}, {}, 7]}', "no (/a)"),
        (b'{"message": "no", "errors": [{"path": "Authorization", "message": "no"}]}', "no (Authorization)"),
        (b'{"message": "no", "errors": 7}', "no"),
        (b'{"message": 7}', '{"message": 7}'),
        (b'["odd", {"message": "no"}]', '["odd", {"message": "no"}]'),
        (b"['odd']\n  text", "['odd'] text"),
        (b"\xff odd", "\ufffd odd"),
        (b"x" * 600, "x" * 600),
        (b"x" * 601, "x" * 600 + "..."),
        (b"x" * 10_000, "x" * 600 + "..."),
        (b"[" * 100_000, "[" * 600 + "..."),
    ],
    ids=[
        "details",
        "odd details",
        "details that repeat the message",
        "no details",
        "no message",
        "a list",
        "free text",
        "not UTF-8",
        "just fitting",
        "a letter too long",
        "long",
        "deep",
    ],
)
def test_what_the_server_says_of_an_error_is_one_short_line(body: bytes, said: str) -> None:
    assert Answer(400, {}, body).message() == said


@pytest.mark.parametrize(
    ("body", "is_page"),
    [(b"<!doctype html>", True), (b" \n<html>", True), (b"{}", False), (b"a < b", False), (b"", False)],
)
def test_what_begins_as_markup_does_is_a_page(body: bytes, is_page: bool) -> None:
    assert Answer(404, {}, body).is_page is is_page


def test_only_failures_after_the_connection_may_have_been_sent() -> None:
    assert {kind for kind in FailureKind if Failure(kind, "").may_have_been_sent} == {TIMEOUT, DROPPED}


def test_a_failure_that_names_itself_as_its_cause_is_told_all_the_same() -> None:
    error = requests.ConnectionError("odd")
    error.reason = error  # type: ignore[attr-defined]
    assert failure_from(error).text == "odd"


def test_an_answer_came_at_the_first_attempt_unless_it_says_otherwise() -> None:
    assert Answer(200, {}, b"").attempts == 1
    assert "secret" not in repr(Answer(200, {}, b"secret"))
