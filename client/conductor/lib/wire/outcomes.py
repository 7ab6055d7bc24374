"""What one request came to: an answer, or a failure that says whether the server may have seen it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

import requests
import urllib3

from conductor.lib.wire.limits import read_json
from conductor.lib.wire.redaction import scrub, scrub_urls

_SHOWN = 600


class Answer(NamedTuple):
    """A response, wholly read unless ``flaw`` says why not. Header names are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    attempts: int = 1
    flaw: str = ""

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.content)} bytes)"

    def json(self) -> Any:
        """Return the body as JSON. Raises ValueError if it is not, or has a number out of range."""
        return read_json(self.content)

    @property
    def is_page(self) -> bool:
        """Whether it is for people, in HTML or XML, as web servers answer that know nothing of the protocol."""
        return self.content.lstrip().startswith(b"<")

    def message(self) -> str:
        """Return what the server says about itself in an error, safe to show.

        The documented shape is ``{"status": "error", "message": ..., "errors": [{"path", "message"}]}``;
        the real service sends free text (wire reference 2.8), which is shown as it is, shortened.
        """
        try:
            text = _error_text(self.json())
        except ValueError:
            text = self.content[: 2 * _SHOWN].decode("utf-8", "replace")
        text = scrub(" ".join(text.split()))
        return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _error_text(body: Any) -> str:
    if not isinstance(body, dict) or not isinstance(body.get("message"), str):
        return json.dumps(body)
    message = str(body["message"])
    errors = body.get("errors")
    entries = [entry for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
    details = [
        ": ".join(str(entry[key]) for key in ("path", "message") if entry.get(key) not in (None, "", message))
        for entry in entries
    ]
    details = [detail for detail in details if detail]
    return message + (f" ({'; '.join(details)})" if details else "")


class FailureKind(Enum):
    """Why no answer came, by what it says about the request."""

    NOT_CONNECTED = "no connection"  # refused, name not found, no route, connect timeout, proxy not reached
    TIMEOUT = "no answer in time"
    DROPPED = "connection dropped"
    TLS = "no trusted connection"
    INVALID = "request could not be made"


class Failure(NamedTuple):
    """A request without an answer. ``text`` is safe to show."""

    kind: FailureKind
    text: str

    @property
    def may_have_been_sent(self) -> bool:
        """Whether any byte of the request can have reached the server."""
        return self.kind in (FailureKind.TIMEOUT, FailureKind.DROPPED)

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.text}"


def failure_from(error: requests.RequestException) -> Failure:
    """Return the failure for an exception of requests."""
    return Failure(_kind(error), _explain(error))


def _kind(error: requests.RequestException) -> FailureKind:
    causes = list(_causes(error))
    if isinstance(error, requests.ConnectTimeout):
        return FailureKind.NOT_CONNECTED
    if any(
        isinstance(cause, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProxyError))
        for cause in causes
    ):
        return FailureKind.NOT_CONNECTED
    if isinstance(error, requests.exceptions.SSLError):
        # A refused certificate ends the handshake; other TLS errors can come at any time.
        unverified = "CERTIFICATE_VERIFY_FAILED" in str(error) or "WRONG_VERSION_NUMBER" in str(error)
        return FailureKind.TLS if unverified else FailureKind.DROPPED
    if isinstance(error, requests.Timeout) or any(isinstance(cause, TimeoutError) for cause in causes):
        return FailureKind.TIMEOUT
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return FailureKind.DROPPED
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return FailureKind.DROPPED
    return FailureKind.INVALID


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions packed inside one another by requests and urllib3."""
    yield error
    inner: list[object] = [getattr(error, "reason", None), *error.args]
    for candidate in inner:
        if isinstance(candidate, BaseException) and candidate is not error:
            yield from _causes(candidate)


def _explain(error: BaseException) -> str:
    """Return the innermost reason in one line; the outer texts repeat the URL and its secrets."""
    innermost = list(_causes(error))[-1]
    text = " ".join(f"{innermost}".split())
    if isinstance(innermost, urllib3.exceptions.NewConnectionError):
        text = text.partition(": ")[2]  # it begins with the connection, as an object of Python
    return scrub(scrub_urls(text)) or type(innermost).__name__
