"""Keeping tokens, private keys and signatures out of logs and messages.

Three things are secret: the bearer token, the API key's private key (which the protocol sends as a
query parameter, wire reference 1.1) and signed URLs, where anything after the host may be a signature.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterable
from functools import cache
from urllib.parse import quote, quote_plus, urlsplit

from conductor.lib.wire.operations import known_paths
from conductor.lib.wire.urls import plain_origin
from conductor.lib.wire.wrapped import DEPTH, hide_json_values, hide_wrapped

HIDDEN = "***"

_SECRETS = (
    re.compile(r"(?i)(bearer(?:\s|\+|\\+[nrt])+)[^\s\"',;}]+"),
    re.compile(r"(://[^\s/@:\"']*:)[^\s/@\"']+(?=@)"),
    re.compile(
        r"(?i)((?<![\w-])--[\w-]*(?:secret|token|passw(?:or)?d|(?:api|private)-?key)[ =])(?!-)[^\s\"',]+"
    ),
    re.compile(r"(?s)()-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)"),
    re.compile(r"()\beyJ[\w-]+\.[\w-]*\.[\w-]*"),
    re.compile(r"(?i)([?&][^=&\s\"']*(?:secret|signature|token|sig|key|credential)[^=&\s\"']*=)[^&\s\"')]+"),
    re.compile(
        r"(?i)((?:(?<![\w-])|(?<=\\[nrt]))(?:proxy-authorization|authorization|(?:set-)?cookie|[\w-]*api-?key|x-[\w-]*(?:token|signature))"
        r"[\"']?: ?[\"']?)(?!\*\*\*)[^\"'\r\n]+"
    ),
)
_FIELDS = r"[\w-]*(?:private[_-]?key|client[_-]?secret|(?:access|id|refresh)[_-]?token|api[_-]?key)"
_URL_TARGET = re.compile(r"(?<![\w:/])(/[^\s\"'?)]*)(\?[^\s\"')]*)?|(https?://[^\s\"')]+)")


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text with what looks like a secret, and the given ones, replaced by ``***``."""
    return _scrubbed(text, tuple(filter(None, secrets)), DEPTH)


def _scrubbed(text: str, secrets: tuple[str, ...], depth: int) -> str:
    for secret in secrets:
        for written in _spellings(secret):
            text = text.replace(written, HIDDEN)
    text = hide_json_values(text, _FIELDS, HIDDEN)
    for pattern in _SECRETS:
        text = pattern.sub(rf"\g<1>{HIDDEN}", text)
    if not depth:
        return text
    return hide_wrapped(text, lambda inner: _scrubbed(inner, secrets, depth - 1) != inner, HIDDEN)


def _spellings(secret: str) -> Iterable[str]:
    """Return a secret as it is, and as URLs, JSON and base64 write it."""
    as_base64 = base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode().rstrip("=")
    written = (secret, quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace"))
    return dict.fromkeys((*written, json.dumps(secret)[1:-1], as_base64))


def host_of(url: str) -> str:
    """Return ``scheme://host:port`` of a URL: all of a signed URL that may be shown."""
    plain = plain_origin(url)
    if plain:
        return plain
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def without_user(url: str) -> str:
    """Return a URL with what stands before its host, a name and perhaps a password, hidden."""
    user, _, rest = url.rpartition("@")
    return f"{HIDDEN}@{rest}" if user else url


def scrub_urls(text: str, known: Iterable[str] = ()) -> str:
    """Return the text with every query hidden, and every URL path that does not begin with a known one.

    The path of a signed URL can itself be the signature, so only paths that are known to be ordinary stay.
    """
    known = tuple(known)

    def hide(match: re.Match[str]) -> str:
        path, query, url = match.groups()
        if url is not None:
            parts = urlsplit(url)
            return host_of(url) + _target(parts.path, f"?{parts.query}" if parts.query else "", known)
        return _target(path, query or "", known)

    return _URL_TARGET.sub(hide, text)


def _target(path: str, query: str, known: tuple[str, ...]) -> str:
    shown = path if not path or path == "/" or path.startswith(known) else f"/{HIDDEN}"
    return shown + (f"?{HIDDEN}" if query else "")


class _UrlFilter(logging.Filter):
    """Rewrites urllib3's records, which hold whole request targets, before any handler sees them."""

    def __init__(self, known: tuple[str, ...]) -> None:
        super().__init__()
        self._known = known

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = scrub(scrub_urls(record.getMessage(), self._known))
        record.args = ()
        return True


@cache
def guard_http_logs() -> None:
    """Make urllib3's debug log safe: it writes request targets, and with them client_secret and signatures.

    A logging filter is the only seam it offers; loggers belong to the process, so that is done once in it.
    """
    filter_ = _UrlFilter(known_paths())
    for name in ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(filter_)
