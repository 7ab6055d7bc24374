"""What a GET or HEAD of a file is answered with: preconditions (RFC 9110 13) and ranges (RFC 9110 14)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime

_TAG = re.compile(r'[ \t]*(?:(W/)?"([^"]*)"[ \t]*(?=,|$)|[^,]*)')
_RANGE = re.compile(r"(\d+)-(\d*)|-(\d+)", re.ASCII)
Header = Callable[[str], "str | None"]
"""The value of a header of the request by its name; None where it has none."""

_MANY_DIGITS = 18
"""Positions of more digits are behind the end of any file; Python would refuse to read thousands."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one content of a file from another: a strong entity tag (without quotes), and when it was stored.

    `modified_s` is in whole seconds since the epoch. A content that is named by its md5 never changes, so the date is
    as strong as the tag (RFC 9110 8.8.2.2).
    """

    etag: str
    modified_s: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The status, and for 200 and 206 the bytes to send: from `first` on, `count` of them.

    For 412 `failed` names the header that does not hold.
    """

    status: int
    first: int = 0
    count: int = 0
    failed: str = ""


def decide(method: str, header: Header, held: Validators, size: int) -> Decision:
    """The order is that of RFC 9110 13.2.2. Ranges are for GET alone (RFC 9110 14.2)."""
    if (wanted := header("If-Match")) is not None:
        if not _matches(wanted, held.etag, weakly=False):
            return Decision(412, failed="If-Match")
    elif _is_older(header("If-Unmodified-Since"), held.modified_s):
        return Decision(412, failed="If-Unmodified-Since")
    if (known := header("If-None-Match")) is not None:
        if _matches(known, held.etag, weakly=True):
            return Decision(304)
    elif _is_not_older(header("If-Modified-Since"), held.modified_s):
        return Decision(304)
    whole = Decision(200, 0, size)
    asked = header("Range")
    if method != "GET" or asked is None or not _still_meant(header("If-Range"), held):
        return whole
    return _part(asked, size) or whole


def _part(asked: str, size: int) -> Decision | None:
    """206 or 416; None where the header is to be passed over.

    That is so for another unit and for what is no range (RFC 9110 14.2 and 14.1.1), and allowed for several ranges,
    which object stores answer with the whole, too. An empty file has no last bytes, but is all of them.
    """
    unit, equals, text = asked.partition("=")
    ranges = [one for part in text.split(",") if (one := part.strip(" \t"))]
    if unit.lower() != "bytes" or not equals or len(ranges) != 1:
        return None
    match = _RANGE.fullmatch(ranges[0])
    if match is None:
        return None
    if match[3] is not None:
        count = min(_number(match[3]), size)
        if size == 0 and _number(match[3]) > 0:
            return None
        return Decision(206, size - count, count) if count else Decision(416)
    first, last = _number(match[1]), _number(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        return Decision(416)
    return Decision(206, first, min(last, size - 1) - first + 1)


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MANY_DIGITS else 10**_MANY_DIGITS


def _still_meant(condition: str | None, held: Validators) -> bool:
    """If-Range (RFC 9110 13.1.5): a strong tag, or the very date; whatever else means the whole."""
    if condition is None:
        return True
    if '"' in condition:
        return _matches(condition, held.etag, weakly=False)
    return _seconds(condition) == held.modified_s


def _matches(value: str, etag: str, *, weakly: bool) -> bool:
    """Whether `*` or one of the tags is meant (RFC 9110 8.8.3.2). What is no tag matches nothing."""
    return value.strip() == "*" or any(tag == etag and (weakly or not weak) for weak, tag in _tags(value))


def _tags(value: str) -> Iterator[tuple[bool, str]]:
    for match in _TAG.finditer(value):
        if match[2] is not None:
            yield match[1] is not None, match[2]


def _is_older(date: str | None, modified_s: int) -> bool:
    seconds = _seconds(date)
    return seconds is not None and modified_s > seconds


def _is_not_older(date: str | None, modified_s: int) -> bool:
    seconds = _seconds(date)
    return seconds is not None and modified_s <= seconds


def _seconds(date: str | None) -> int | None:
    """A date in any of its three forms (RFC 9110 5.6.7), in seconds since the epoch; None if it is none."""
    try:
        read = parsedate_to_datetime(date or "")
        return int((read if read.tzinfo else read.replace(tzinfo=timezone.utc)).timestamp())
    except (ValueError, OverflowError):
        return None
