"""What a view knows of its request: the server's parts, the caller, the origin that the caller used."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import cast

from flask import Flask, Request, current_app, g, request

from conductor_contracts.problems import Problem
from conductor_mock.auth.authentication import identify
from conductor_mock.auth.tokens import Identity
from conductor_mock.catalog import Catalog
from conductor_mock.catalog.served import ServedCatalog
from conductor_mock.errors import bad_request
from conductor_mock.service import Service

EXTENSION = "conductor_mock"
GUARDED_ELSEWHERE = frozenset({"consent", "control", "metrics", "pages"})
"""Blueprints with a rule of their own."""
MAX_WARNINGS = 50
"""Kept of one request: a job may name a million unknown packages."""
WARNINGS = "X-Conductor-Mock-Warnings"
LONGEST_HEADER = 4096
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*", re.ASCII)
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?", re.ASCII)


def service_of(app: Flask) -> Service:
    """The parts that an app was made of."""
    return cast(Service, app.extensions[EXTENSION])


def service() -> Service:
    """The parts of the server that answers this request."""
    return cast(Service, current_app.extensions[EXTENSION])


def caller() -> Identity:
    """Whom the request's token speaks for; only for operations that want one."""
    return cast(Identity, g.identity)


def asked() -> Request:
    """The request itself, for whoever looks at several things of it: each look through Flask's name for it costs."""
    return cast(Request, request._get_current_object())  # type: ignore[attr-defined]  # that of a proxy of werkzeug's


def guarded_elsewhere(asked_: Request) -> bool:
    """Whether a request is to a blueprint with a rule of its own, or to one inside such a blueprint."""
    return not GUARDED_ELSEWHERE.isdisjoint(asked_.blueprints)


def speaker(header: str) -> Identity:
    """Whom the token in an Authorization header speaks for. Refuses (401)."""
    return identify(header, service().tokens, now_s=now_s())


def base_url() -> str:
    """Where the client reaches the service, as it spelled it: `aud` and signed URLs are made of it.

    That is its origin, and the prefix that a trusted proxy takes away (`--trust-proxy`). Looked at once for all URLs of
    an answer. Refuses (400) what could not stand in a URL.
    """
    found = g.get("base_url")
    if found is None:
        found = g.base_url = _base_url()
    return cast(str, found)


def _base_url() -> str:
    prefix = request.root_path
    if not _PREFIX.fullmatch(prefix):
        message = f"not a usable prefix of a path: {prefix[:80]!r}"
        raise bad_request(message, Problem("X-Forwarded-Prefix", message))
    return origin() + prefix


def origin() -> str:
    """Scheme and host as the client spelled them. Refuses (400) what could not stand in a URL."""
    if not host_name():
        message = f"not a usable host name: {_host()[:80]!r}"
        raise bad_request(message, Problem("Host", message))
    scheme = request.scheme.lower()
    if scheme not in ("http", "https"):
        message = f"must be http or https, got {request.scheme[:80]!r}"
        raise bad_request(message, Problem("X-Forwarded-Proto", message))
    return f"{scheme}://{_host()}"


def host_name() -> str:
    """The name in the Host header without the port, in lower case; empty when it could not stand in a URL."""
    match = _HOST.fullmatch(_host())
    return match["name"].strip("[]").lower() if match else ""


def _host() -> str:
    """The Host header as it came: Flask takes no name with an underscore, which containers have."""
    return request.headers.get("Host", request.host)


def catalog() -> Catalog:
    """What the caller's account offers: its own catalogue if the control API gave it one, else the server's."""
    return served().catalog


def served() -> ServedCatalog:
    """`catalog()` with the answers that it gives, made once."""
    current = service()
    identity = g.get("identity")
    return current.catalogs.default if identity is None else current.served_for(identity.account_id)


def now_s() -> float:
    """Wall time in seconds: lifetimes of tokens and URLs are measured with it."""
    return service().wall() / 1_000_000


def warn(text: str) -> None:
    """Note a contract warning: the request is served, and the journal shows what was odd about it."""
    if len(warnings()) < MAX_WARNINGS:
        warnings().append(text)
    elif len(warnings()) == MAX_WARNINGS:
        warnings().append("there is more to warn about, which is left out")


def warnings_header() -> Mapping[str, str]:
    """The header that tells the client of the contract warnings of this request, if there are any (own extension).

    A list of texts as JSON, in ASCII; what would make it longer than a client takes is left out.
    """
    told = list(g.get("warnings", ()))
    while told and len(json.dumps(told)) > LONGEST_HEADER:
        told.pop()
    return {WARNINGS: json.dumps(told)} if told else {}


def warnings() -> list[str]:
    """The contract warnings of this request so far."""
    return cast(list[str], g.setdefault("warnings", []))
