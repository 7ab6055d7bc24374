"""Requests as `requests` prepares them, without the steps that change nothing of a plain one, as nearly all are."""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests
from requests.structures import CaseInsensitiveDict

from conductor.lib.wire.urls import PORT

_ESCAPED = "%(?:2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[BCDF]|[0189A-F][0-9A-F])"  # but for what needs no escape
_KEPT = r"[A-Za-z0-9._~!$&'()*+,;=:@-]"
# requests would make the same URL of it: a host in lower case, no port that is out of range, no step of "." or "..",
# nothing escaped that needs it not, nothing left to escape.
_PLAIN = re.compile(
    rf"https?://[a-z0-9][a-z0-9.-]*(?::{PORT})?"
    rf"(?:/(?!\.)(?:{_KEPT}|{_ESCAPED})*)+(?:\?(?:{_KEPT}|[/?]|{_ESCAPED})+)?"
)
# Of headers, with NUL between them, which none of these holds: what is refused nowhere.
_PLAIN_VALUES = re.compile(r"[!-~][ -~]*(?:\0[!-~][ -~]*)*")


def prepare(method: str, url: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
    """Return a request without its body, as ``requests`` prepares it, its headers' names being known to be right.

    Raises the errors of ``requests``.
    """
    prepared = requests.PreparedRequest()
    if not _PLAIN.fullmatch(url):
        prepared.prepare(method, url, headers=headers)
        return prepared
    # Without the steps that look for parameters, cookies, and a user in the URL, where there are none.
    prepared.method, prepared.url = method, url
    if _PLAIN_VALUES.fullmatch("\0".join(headers.values())):
        prepared.headers = CaseInsensitiveDict(headers)
    else:
        prepared.prepare_headers(headers)
    return prepared
