"""The head of a request, read once into a value: what RFC 9112 (HTTP/1.1) and RFC 9110 (HTTP) ask of a server.

Whatever can be read in two ways is refused: what a proxy in front took for one request must not be two here. Where the
RFCs leave a choice, the docstring of the rule says what was chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote_to_bytes

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/([0-9])\.([0-9])")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):([\t -~\x80-\xff]*)")
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]*)(.*)")
_HOST = re.compile(
    rb"(\[([0-9A-Fa-f:.]+|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]"
    rb"|([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(:[0-9]*)?"
)
_QUOTED_SLASH = re.compile(rb"%2f", re.IGNORECASE)
_WHOLE = re.compile(rb"[0-9]{1,18}")
"""As many digits as no file needs: nobody counts further (RFC 9110 8.6, numbers that overflow)."""

SINGLE = frozenset(
    {
        b"authorization",
        b"content-md5",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"if-modified-since",
        b"if-range",
        b"if-unmodified-since",
        b"origin",
        b"range",
        b"sec-fetch-site",
    }
)
"""Fields that are no lists and decide something here: twice is a mistake, and which one is meant cannot be told."""


class HeadError(ValueError):
    """A head that is refused: the status to answer with, and why."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestLine:
    """The first line. `target` is as it came; `authority` is that of a target in absolute form, else None."""

    method: bytes
    target: bytes
    major: int
    minor: int
    authority: bytes | None
    path: bytes
    query: bytes


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands below a request line. Names are in lower case; `length` is None for a chunked body."""

    values: dict[bytes, bytes]
    length: int | None
    keeps_alive: bool
    expects_continue: bool


class Lines:
    """The lines of a head, at most `limit` bytes of them; what follows the head stays in the stream."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def next(self, *, over: HTTPStatus) -> bytes:
        """The next line without its end, which is CR LF; `over` is the status where there are too many bytes.

        RFC 9112 2.2 allows to take a bare LF for an end, and forbids a bare CR: neither is taken. Raises EOFError where
        nothing comes any more.
        """
        line: bytes = self._stream.readline(self._left + 1)
        self._left -= len(line)
        if self._left < 0:
            raise HeadError(over, "the request line and the headers are longer than this server reads")
        if not line:
            raise EOFError
        if not line.endswith(b"\r\n"):
            raise _bad("each line of the head must end with CR LF")
        return line[:-2]


class Arriving:
    """Whether as much of a head has come as is needed to read it: its empty line, or what makes it none.

    Each byte is looked at once, however slowly they come.
    """

    def __init__(self, limit: int, usual: bytes = b"") -> None:
        """`limit` is that of `Lines`; `usual` are the fields that are likely to come, with their empty line."""
        self._limit = limit
        self._usual = usual
        self._begin = self._looked_at = 0
        self._may_be_empty = True
        self.line: RequestLine | None = None
        """The request line, once it has come and is one."""
        self.fields_at = 0
        """Where the fields begin."""
        self.end = 0
        """Where the body begins, once all lines have come and each is a field."""

    def is_enough(self, data: bytes | bytearray) -> bool:
        """`data` is all that has come of the head, and maybe more. Not to be asked again once it is enough."""
        while (end := data.find(b"\n", self._looked_at)) >= 0:
            line = bytes(data[self._begin : end + 1])
            self._begin = self._looked_at = end + 1
            if self._is_last(line):
                if line == b"\r\n" and self.line is not None and end < self._limit:
                    self.end = end + 1
                return True
            if not self.fields_at and self.line is not None:
                self.fields_at = end + 1
                behind = end + 1 + len(self._usual)
                if self._usual and behind <= self._limit and data.startswith(self._usual, end + 1):
                    self.end = behind
                    return True
        self._looked_at = len(data)
        return len(data) > self._limit

    def _is_last(self, line: bytes) -> bool:
        """Whether nothing behind this line changes what is answered."""
        if not line.endswith(b"\r\n"):
            return True
        if self.line is not None:
            return _FIELD.fullmatch(line, 0, len(line) - 2) is None
        if line == b"\r\n" and self._may_be_empty:
            self._may_be_empty = False
            return False
        try:
            self.line = _request_line(line[:-2])
        except HeadError:
            return True
        return False


def read_request_line(lines: Lines) -> RequestLine | None:
    """The first line of a request; None where the connection ends before it.

    One empty line before it is passed over (RFC 9112 2.2). Method, target and version are parted by one blank each, and
    nothing is put right (RFC 9112 3). Raises HeadError.
    """
    try:
        text = lines.next(over=HTTPStatus.REQUEST_URI_TOO_LONG)
        if not text:
            text = lines.next(over=HTTPStatus.REQUEST_URI_TOO_LONG)
    except EOFError:
        return None
    return _request_line(text)


def _request_line(text: bytes) -> RequestLine:
    match = _REQUEST_LINE.fullmatch(text)
    if match is None:
        raise _bad(f"no request line: {_shown(text)}; it is 'METHOD /path HTTP/1.1' in printable ASCII")
    method, target, major, minor = match.groups()
    if major != b"1":  # a higher minor version is understood as the highest known one (RFC 9110 2.5)
        raise HeadError(
            HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, f"this server speaks HTTP/1.1, not HTTP/{_shown(major)}"
        )
    if method == b"CONNECT" or method.upper() != method:  # methods are case-sensitive (RFC 9110 9.1)
        raise HeadError(HTTPStatus.NOT_IMPLEMENTED, f"there is no method {_shown(method)} here")
    authority, path, query = _target(method, target)
    return RequestLine(method, target, int(major), int(minor), authority, path, query)


def read_head(lines: Lines, line: RequestLine) -> Fields:
    """The fields below a request line, and what follows from them. Raises HeadError."""
    return _meant(line, _combined(_fields(lines)))


def read_fields(line: RequestLine, block: bytes) -> Fields:
    """`read_head` of fields that have come, with their empty line. Raises HeadError."""
    return _meant(line, _combined(map(field, block.split(b"\r\n")[:-2])))


def _meant(line: RequestLine, fields: dict[bytes, bytes]) -> Fields:
    _host(line, fields)
    is_old = line.minor == 0
    length = _length(fields, is_old=is_old)
    options = _members(fields.get(b"connection", b""))
    # RFC 9112 9.3: "close" wins over all; without it HTTP/1.1 goes on, and HTTP/1.0 only where it asks for it.
    keeps_alive = b"close" not in options and (not is_old or b"keep-alive" in options)
    return Fields(fields, length, keeps_alive, _expects_continue(fields, is_old=is_old))


def field(line: bytes) -> tuple[bytes, bytes]:
    """Name, in lower case, and value of one line.

    No blank may stand before the colon (RFC 9112 5.1), none at the beginning (a folded line, 5.2, which may be refused
    or unfolded), and no control character in the value (RFC 9110 5.5). Raises HeadError.
    """
    if line[:1] in (b" ", b"\t"):
        raise _bad("a line of the head begins with a blank: headers cannot be folded")
    match = _FIELD.fullmatch(line)
    if match is None:
        raise _bad(f"no header: {_shown(line)}; it is 'Name: value', without a blank before the colon")
    return match[1].lower(), match[2].strip(b" \t")


def _fields(lines: Lines) -> Iterator[tuple[bytes, bytes]]:
    try:
        while line := lines.next(over=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE):
            yield field(line)
    except EOFError:
        raise _bad("the head ends before its empty line") from None


def _combined(lines: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """All lines of one name as one value (RFC 9110 5.2 and 5.3).

    A name with an underscore is no other name with a hyphen, which WSGI would make of it: it is passed over.
    """
    fields: dict[bytes, bytes] = {}
    for name, value in lines:
        if name in SINGLE and name in fields:
            raise _bad(f"{_shown(name)} was sent twice")
        if b"_" not in name:
            fields[name] = b", ".join((fields[name], value)) if name in fields else value
    return fields


def _target(method: bytes, target: bytes) -> tuple[bytes | None, bytes, bytes]:
    """Authority, path without percent-encoding and query of a target (RFC 9112 3.2).

    Characters that are visible but stand in no URI are passed on, since clients send `[` as it is. `%2F` stays, for
    it parts no segments.
    """
    if b"#" in target:
        raise _bad("a fragment (#) is not sent to a server")
    authority, rest = None, target
    if target == b"*" and method == b"OPTIONS":
        return None, target, b""
    if not target.startswith(b"/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None:
            raise _bad(f"the target of a request begins with a slash: {_shown(target)}")
        scheme, authority, rest = absolute[1].lower(), absolute[2], absolute[3]
        if scheme != b"http":  # RFC 9110 7.4
            raise HeadError(
                HTTPStatus.MISDIRECTED_REQUEST, f"{_shown(scheme)} URLs are not served on this connection"
            )
        if not _HOST.fullmatch(authority) or authority[:1] in (b"", b":"):  # RFC 9110 4.2.1, 4.2.4
            raise _bad(f"no host: {_shown(authority)}")
    path, _, query = rest.partition(b"?")
    return authority, b"%2F".join(map(unquote_to_bytes, _QUOTED_SLASH.split(path or b"/"))), query


def _host(line: RequestLine, fields: dict[bytes, bytes]) -> None:
    """One Host, which is one (RFC 9112 3.2); HTTP/1.0 may do without.

    That of a target in absolute form wins (RFC 9112 3.2.2).
    """
    host = fields.get(b"host")
    if host is None and line.minor > 0:
        raise _bad("a request of HTTP/1.1 needs a Host header")
    if host is not None and not _HOST.fullmatch(host):
        raise _bad(f"no host: {_shown(host)}")
    if line.authority is not None:
        fields[b"host"] = line.authority


def _length(fields: dict[bytes, bytes], *, is_old: bool) -> int | None:
    """How long the body is, None where it is chunked (RFC 9112 6.1 to 6.3).

    Both framings at once may be an attack, and are refused. Lengths that are repeated are taken where all are the same.
    """
    transfer, lengths = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if transfer is not None:
        if is_old:
            raise _bad("HTTP/1.0 has no Transfer-Encoding")
        if lengths is not None:
            raise _bad("send either Content-Length or Transfer-Encoding, not both")
        codings = _members(transfer)
        if not codings or codings[-1] != b"chunked":
            raise _bad(f"Transfer-Encoding must end with 'chunked', not be {_shown(transfer)}")
        if b"chunked" in codings[:-1]:
            raise _bad("a body cannot be chunked twice")
        if codings[:-1]:
            raise HeadError(
                HTTPStatus.NOT_IMPLEMENTED, f"transfer coding {_shown(codings[0])} is not known here"
            )
        return None
    if lengths is None:
        return 0
    values = {value.strip(b" \t") for value in lengths.split(b",")}
    value = values.pop()
    if values or not _WHOLE.fullmatch(value):
        raise _bad(f"Content-Length must be one whole number of bytes, got {_shown(lengths)}")
    fields[b"content-length"] = value
    return int(value)


def _expects_continue(fields: dict[bytes, bytes], *, is_old: bool) -> bool:
    """Whether the client waits for "100 Continue" (RFC 9110 10.1.1). HTTP/1.0 expects nothing; other wishes are 417."""
    wishes = [] if is_old else _members(fields.get(b"expect", b""))
    for wish in wishes:
        if wish != b"100-continue":
            raise HeadError(
                HTTPStatus.EXPECTATION_FAILED, f"Expect: {_shown(wish)} cannot be met, only 100-continue"
            )
    return bool(wishes)


def _members(value: bytes) -> list[bytes]:
    """The members of a list in lower case; empty ones do not count (RFC 9110 5.6.1)."""
    return [member for part in value.split(b",") if (member := part.strip(b" \t").lower())]


def _bad(text: str) -> HeadError:
    return HeadError(HTTPStatus.BAD_REQUEST, text)


def _shown(value: bytes) -> str:
    return repr(value[:60].decode("latin-1"))
