"""URLs as requests name them: taken apart where they are plain, which nearly all are, without a parser of URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import requests
from requests.structures import CaseInsensitiveDict

_ESCAPED = "%(?:2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[BCDF]|[0189A-F][0-9A-F])"  # but for what needs no escape
_PORT = "(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3})"
_KEPT = r"[A-Za-z0-9._~!$&'()*+,;=:@-]"
# requests would make the same URL of it: a host in lower case, no port that is out of range, no step of "." or "..",
# nothing escaped that needs it not, nothing left to escape.
_PLAIN = re.compile(
    rf"https?://[a-z0-9][a-z0-9.-]*(?::{_PORT})?"
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


_ORIGIN = re.compile(rf"https?://[A-Za-z0-9.-]+(?::{_PORT})?(?=[/?#]|\Z)")


def plain_origin(url: str) -> str:
    """Return what a URL says of its scheme, host and port; nothing where it takes a parser to tell."""
    found = _ORIGIN.match(url)
    return found.group() if found else ""


def origin_and_target(url: str) -> tuple[str, str]:
    """Return scheme, host and port of a URL that was prepared, as it writes them, and what a request line asks for."""
    begin = url.find("/", url.find("//") + 2)
    if begin < 0:
        return url, "/"
    return url[:begin], url[begin:].partition("#")[0]
