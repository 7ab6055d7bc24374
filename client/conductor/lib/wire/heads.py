"""Heads of answers that are as nearly all are, read without the parser of mails that http.client reads them with."""

from __future__ import annotations

import http.client
import re
from typing import Any, NamedTuple

_END = b"\r\n\r\n"
_STATUS = re.compile(r"HTTP/1\.1 ([2-5][0-9]{2}) ([ -~]*)")
# A name and a value as every reader of HTTP takes them: no folded line, no space before the colon or at the end.
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[!-~](?:[ -~\t]*[!-~])?)?)")
_MAX_FIELDS = 100
_MAX_DIGITS = 18
_WITHOUT_BODY = frozenset({204, 304})


# The one that HTTPMessage has; email.policy, which names it, loads as much as all of this library's wire.
_Policy: Any = type(http.client.HTTPMessage().policy)


class _AsItIs(_Policy):  # type: ignore[misc]
    """For texts that hold nothing which a reader of them could be misled by."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        """Return the value."""
        return value


_AS_IT_IS = _AsItIs()


class PlainHead(NamedTuple):
    """The head of an answer whose body has ``length`` bytes, on a connection that stays. ``size``: of the head."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    length: int
    size: int


def plain_head(received: bytes) -> PlainHead | None:
    """Read the head of an answer to anything but HEAD, from the bytes that came so far.

    None for one that is not whole, or says anything that a reader has to think about: another version, a body
    whose end is told in another way than by Content-Length, a connection that closes, lines of another form.
    """
    end = received.find(_END)
    if end < 0:
        return None
    lines = received[:end].decode("latin-1").split("\r\n")
    status = _STATUS.fullmatch(lines[0])
    if status is None or len(lines) > _MAX_FIELDS or int(status[1]) in _WITHOUT_BODY:
        return None
    headers = http.client.HTTPMessage(policy=_AS_IT_IS)
    length = -1
    for line in lines[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            return None
        name, value = field.groups()
        lower = name.lower()
        if lower == "content-length":
            if length >= 0 or not (value.isdigit() and len(value) <= _MAX_DIGITS):
                return None
            length = int(value)
        elif lower == "transfer-encoding" or (lower == "connection" and value.lower() != "keep-alive"):
            return None
        headers.set_raw(name, value)
    if length < 0:
        return None
    return PlainHead(int(status[1]), status[2].strip(), headers, length, end + len(_END))
