"""Sending requests: pooled connections, timeouts on everything, retries, no secrets in the log.

Measured on the way to this shape: a Session per thread beats a shared one, ``trust_env=False`` saves the
proxy and netrc lookups that requests otherwise makes for every request, and blocks of 64 KiB down and 256 KiB
up beat smaller ones.
"""

from __future__ import annotations

import io
import logging
import math
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import Any, cast

import requests
import urllib3

from conductor.lib.cancellation import Cancellation
from conductor.lib.exceptions import ConductorError
from conductor.lib.wire.call import Call, OpenBody, Sent, Tokens
from conductor.lib.wire.certificates import Authorities
from conductor.lib.wire.connections import WHOLE_BYTES, OpenConnections
from conductor.lib.wire.limits import ENCODINGS, ERROR_BYTES
from conductor.lib.wire.operations import Operation
from conductor.lib.wire.outcomes import Answer, Failure, FailureKind, failure_from
from conductor.lib.wire.preparing import prepare
from conductor.lib.wire.proxies import Proxies
from conductor.lib.wire.redaction import guard_http_logs, host_of
from conductor.lib.wire.refusals import Attempted, error_for, unexpected
from conductor.lib.wire.retry import Do, Doubt, Progress, RetryPolicy, doubt_of, next_step
from conductor.lib.wire.session import Session
from conductor.version import VERSION

logger = logging.getLogger(__name__)

SENT_BYTES = 256 * 1024
# What a broken connection costs at most when a file is fetched; the rest of it is not asked for again.
RECEIVED_BYTES = 64 * 1024
# Also the time that each block of an upload may take, since urllib3 keeps it until the body is sent.
CONNECT_SECONDS = 20.0
IDEMPOTENCY_KEY = "Idempotency-Key"
# What a service that honours keys names the header in, on every answer. The real service is not known to.
ANNOUNCEMENT = "X-Conductor-Mock-Idempotency"


class Transport:
    """Sends calls and returns their answers.

    Safe to use from several threads. ``sleep`` (seconds), ``random`` (a number in [0, 1)), ``now`` (epoch
    seconds) and ``clock`` (seconds, from any beginning) can be replaced in tests. ``read_timeout`` (seconds)
    shortens those of all operations.
    """

    def __init__(
        self,
        *,
        retry: RetryPolicy | None = None,
        environ: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        cancellation: Cancellation | None = None,
        read_timeout: float = math.inf,
    ) -> None:
        environ = os.environ if environ is None else environ
        self._retry = retry or RetryPolicy()
        self._proxies = Proxies.from_environment(environ)
        self._authorities = Authorities(environ)
        self._sleep, self._random, self.now = sleep, random, now
        self.clock = clock
        self._read_timeout = read_timeout
        self._honours: set[str] = set()
        self._agent = user_agent()
        self._local = threading.local()
        self._lock = threading.Lock()
        self._sessions: list[requests.Session] = []
        self._cancellation = cancellation
        self._connections = OpenConnections()
        guard_http_logs()

    def check(self, url: str) -> None:
        """Raise ConfigError where this URL cannot be asked: one of https, with a CA bundle that cannot be read."""
        self._authorities.for_url(url)

    def branch(self, cancellation: Cancellation) -> Transport:
        """Return a transport of the same settings, with connections of its own. Close both.

        Its calls end with CancelledError when cancelled: one that waits before it tries again does so at once, one
        that sends or waits for an answer has its connection broken by ``break_off``.
        """
        branch = copy(self)
        branch._local = threading.local()
        branch._lock = threading.Lock()
        branch._sessions = []
        branch._cancellation = cancellation
        branch._connections = OpenConnections()
        return branch

    def break_off(self) -> None:
        """Break every connection, whoever uses it. The transport is of no use afterwards."""
        self._connections.break_all()

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection. The transport can be used again afterwards."""
        with self._lock:
            sessions, self._sessions = self._sessions, []
            self._local = threading.local()
        for session in sessions:
            session.close()

    def send(self, call: Call) -> Sent:
        """Send the call, again where ``retry`` says so, and return the answer.

        Raises the ConductorError that ``refusals`` chooses, CancelledError when cancelled, ConfigError as ``check``.
        Nothing secret is in it, nor in its context.
        """
        attempts = tries = 0
        policy = self._retry._replace(attempts=1) if call.once else self._retry
        renewed = False
        doubt = Doubt.NONE
        token = call.tokens.token() if call.tokens else ""
        origin = host_of(call.url)
        while True:
            attempts, tries = attempts + 1, tries + 1
            self._check_cancelled()
            outcome, reused = self._attempt(call, token, origin)
            progress = Progress(tries, may_renew=bool(token) and not renewed, may_be_stale=reused)
            step = next_step(policy, self._repeatable(call), outcome, progress, self._random, self.now)
            doubt = max(doubt, doubt_of(call.operation, outcome))
            attempted = _attempted(call, origin, attempts, token, doubt)
            if step.do is Do.RETURN and isinstance(outcome, Answer):
                if outcome.flaw:
                    raise unexpected(outcome.flaw, outcome, attempted)
                return Sent(outcome, attempted)
            if step.do is Do.FAIL:
                self._check_cancelled()  # a broken connection is then what was asked for
                raise error_for(outcome, attempted)
            if step.do is Do.RENEW and call.tokens:
                fresh = _renewed(call.tokens, token)
                if isinstance(fresh, ConductorError):
                    raise fresh if doubt is Doubt.NONE else error_for(outcome, attempted)
                token, renewed = fresh, True
            else:
                self._check_cancelled()
                _log_retry(attempted, outcome, step.wait)
                if step.wait > 0:
                    self.pause(step.wait)
            tries -= 0 if step.counts and step.do is Do.AGAIN else 1

    def _check_cancelled(self) -> None:
        if self._cancellation is not None:
            self._cancellation.check()

    def pause(self, seconds: float) -> None:
        """Wait; raise CancelledError when cancelled."""
        if self._cancellation is not None and self._sleep is time.sleep:
            self._cancellation.wait(seconds)
        else:
            self._sleep(seconds)

    def honours_keys(self, url: str) -> bool:
        """Say whether the last answer from this host announced that it honours Idempotency-Key."""
        return host_of(url) in self._honours

    def _repeatable(self, call: Call) -> Operation:
        """Return the operation, as a repeatable one where its key makes it so."""
        if call.key and self.honours_keys(call.url):
            return replace(call.operation, repeatable=True)
        return call.operation

    def _attempt(self, call: Call, token: str, origin: str) -> tuple[Answer | Failure, bool]:
        """Send once. Return the outcome, and whether an idle pooled connection may have carried it."""
        verify = self._authorities.for_url(call.url)
        with self._session_for(call) as session, _opened(call.body, call.length) as body:
            reused = origin in session.used
            session.used.discard(origin)
            started = time.monotonic()
            try:
                response = session.send(
                    self._prepare(call, token, body),
                    timeout=(CONNECT_SECONDS, min(call.operation.read_timeout, self._read_timeout)),
                    allow_redirects=False,
                    proxies=self._proxies.for_url(call.url),
                    verify=verify,
                    stream=True,
                )
                answer = _received(call, response)
            except requests.RequestException as error:
                return failure_from(error), reused
            except (urllib3.exceptions.HTTPError, UnicodeError) as error:
                # What requests does not translate: names and headers that cannot be written.
                return Failure(FailureKind.INVALID, type(error).__name__), False
            session.used.add(origin)
            announced = answer.headers.get(ANNOUNCEMENT, "").lower() == IDEMPOTENCY_KEY.lower()
            (self._honours.add if announced else self._honours.discard)(origin)
        if logger.isEnabledFor(logging.DEBUG):
            elapsed = (time.monotonic() - started) * 1000
            about = f" {call.about}" if call.about else ""
            logger.debug("%s%s -> %d in %.0f ms", call.operation.id, about, answer.status, elapsed)
        return answer, False

    def _prepare(self, call: Call, token: str, body: bytes | io.RawIOBase | None) -> requests.PreparedRequest:
        headers = {"User-Agent": self._agent, "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}
        headers.update(call.headers)
        if call.into is not None:
            headers.update(call.into.missing())
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if call.key:
            headers[IDEMPOTENCY_KEY] = call.key
        # A stream's by hand: requests would choose chunks for an empty one, and ask the file system for a length.
        length = len(body) if isinstance(body, bytes) else call.length if body is not None else 0
        if length or call.operation.method != "GET":
            headers["Content-Length"] = str(length)
        prepared = prepare(call.operation.method, call.url, headers)
        prepared.body = cast("Any", body) if length else None
        return prepared

    @contextmanager
    def _session_for(self, call: Call) -> Iterator[Session]:
        """Give this thread's session, or for what must not be repeated a new one, so a new connection."""
        if not call.operation.repeatable:
            with Session(self._connections, SENT_BYTES) as session:
                yield session
            return
        own: Session | None = getattr(self._local, "session", None)
        if own is None:
            own = self._local.session = Session(self._connections, SENT_BYTES)
            with self._lock:
                self._sessions.append(own)
        yield own


@contextmanager
def _opened(body: bytes | OpenBody | None, length: int) -> Iterator[bytes | io.RawIOBase | None]:
    """Give what is to be sent: of a small stream its bytes, all of them, so that head and body are one send."""
    if body is None or isinstance(body, bytes):
        yield body
        return
    with body() as stream:
        yield _whole(stream, length) if length <= WHOLE_BYTES else stream


def _whole(stream: io.RawIOBase, length: int) -> bytes:
    content = stream.read(length) or b""
    while len(content) < length and (more := stream.read(length - len(content))):
        content += more
    return content


def _received(call: Call, response: requests.Response) -> Answer:
    """Read the body, into the call's sink if it has one and the call was done."""
    with response:
        status = response.status_code
        packed = response.headers.get("Content-Encoding", "").strip().lower()
        if packed not in ENCODINGS:
            return Answer(status, response.headers, b"", flaw="it is packed in a way that was not asked for")
        blocks = response.iter_content(RECEIVED_BYTES)
        if not call.operation.accepts(status):
            return Answer(status, response.headers, _read(blocks, ERROR_BYTES)[0])
        if call.into is not None:
            call.into.receive(status, response.headers, blocks)
            return Answer(status, response.headers, b"")
        content, whole = _read(blocks, call.operation.answer_bytes)
        flaw = "" if whole else f"its body has more than {call.operation.answer_bytes} bytes"
        return Answer(status, response.headers, content, flaw=flaw)


def _read(blocks: Iterator[bytes], limit: int) -> tuple[bytes, bool]:
    """Return what comes, at most this many bytes, and whether that was all of it."""
    content = bytearray()
    for block in blocks:
        content += block
        if len(content) > limit:
            return bytes(content[:limit]), False
    return bytes(content), True


def _renewed(tokens: Tokens, refused: str) -> str | ConductorError:
    """Return another token, or why there is none."""
    try:
        return tokens.renew(refused)
    except ConductorError as error:
        return error


def _attempted(call: Call, origin: str, attempts: int, token: str, doubt: Doubt) -> Attempted:
    return Attempted(
        operation=call.operation,
        host=origin,
        attempts=attempts,
        about=call.about,
        advice=call.advice,
        doubt=doubt,
        secrets=(token,),
    )


def _log_retry(attempted: Attempted, outcome: Answer | Failure, wait: float) -> None:
    happened = f"status {outcome.status}" if isinstance(outcome, Answer) else str(outcome)
    about = f" {attempted.about}" if attempted.about else ""
    logger.info("%s%s: %s, trying again in %.1f s", attempted.operation.id, about, happened, wait)


def user_agent() -> str:
    """Return ``conductor-client/VERSION (python V; SYSTEM RELEASE)`` (form of wire reference 0.4)."""
    return f"conductor-client/{VERSION} (python {sys.version.split()[0]}; {_system()})"


def _system() -> str:
    """Return what ``platform`` says, which takes longer to load than a request to be made."""
    if sys.platform != "linux":
        import platform

        return f"{platform.system()} {platform.release()}"
    names = os.uname()
    return f"{names.sysname} {names.release}"
