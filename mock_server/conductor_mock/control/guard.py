"""Who may use `/_mock/`: one rule, each branch with its reason.

The control API can wipe an account, and a web page that a developer happens to visit can send requests to a server on
that developer's machine. So a browser's cross-site request must never get through, whatever its shape.
"""

from __future__ import annotations

import ipaddress

from flask import request

from conductor_contracts.operation import JSON
from conductor_contracts.problems import Problem
from conductor_mock.context import host_name, service
from conductor_mock.context import origin as own_origin
from conductor_mock.control.validation import operation
from conductor_mock.errors import Refusal, forbidden, unsupported_media_type
from conductor_mock.store.keys import is_same

LOOPBACK_NAMES = frozenset({"localhost"})


def guard() -> None:
    """Refuse what must not reach the control API (403, 401, 415)."""
    known_host()
    _same_site()
    _json_write()
    _admin()


def known_host() -> None:
    """A DNS name that was rebound to 127.0.0.1 still carries its own name in Host."""
    name = host_name()
    if name in LOOPBACK_NAMES or _is_loopback(name) or name in map(str.lower, service().settings.allow_hosts):
        return
    message = f"the control API answers to loopback names only, not to {name[:80]!r} (see --allow-host)"
    raise forbidden(message, Problem("Host", message))


def _same_site() -> None:
    """Browsers say where a request comes from; programs say nothing."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in ("none", "same-origin"):
        message = f"a request from another site is refused (Sec-Fetch-Site: {site[:40]})"
        raise forbidden(message, Problem("Sec-Fetch-Site", message))
    origin = request.headers.get("Origin")
    if origin is not None and origin != own_origin():
        message = f"a request from another origin is refused: {origin[:80]!r}"
        raise forbidden(message, Problem("Origin", message))


def _json_write() -> None:
    """A page can send forms and plain text across sites without asking; for JSON it must ask, and is not granted.

    The same is true of a zip archive, which is what a bundle comes as.
    """
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    accepted = operation().request_media_types or {JSON}
    if request.mimetype not in accepted:
        raise unsupported_media_type(" or ".join(sorted(accepted)), request.headers.get("Content-Type"))


def _admin() -> None:
    """Beyond loopback anybody on the network could call."""
    settings = service().settings
    if not settings.admin_token:  # an empty one would let everybody in
        if settings.loopback:
            return
        raise forbidden("the control API is off: the server listens beyond loopback and has no --admin-token")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not is_same(given, settings.admin_token):
        message = "the control API needs 'Authorization: Bearer ADMIN_TOKEN'"
        raise Refusal(401, message, (Problem("Authorization", message),), {"WWW-Authenticate": "Bearer"})


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
