"""The doors of the server: who comes in where without a bearer token. docs/security.md has the same as one table.

A web page that a developer happens to visit can send requests to a server on that developer's machine, and a DNS name
of its own that was rebound to 127.0.0.1 even lets it read the answers. So what is not opened by a key or a token is
opened to names of this machine only, and not to a browser that comes from another site.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Mapping

from flask import Response, g, request

from conductor_contracts.problems import Problem
from conductor_mock.auth.forms import FormProofs
from conductor_mock.context import host_name, service
from conductor_mock.context import origin as own_origin
from conductor_mock.errors import Refusal, forbidden, too_many_requests
from conductor_mock.store.keys import is_same

LOOPBACK_NAMES = frozenset({"localhost"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})
NEVER_FRAMED: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self' http://localhost:* http://127.0.0.1:*"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every page: no other site shows one as part of its own, and none runs a script."""
OWN_SCRIPT = "; script-src 'self'; connect-src 'self'"
"""What the policy of the dashboard's pages has more: they run the server's own script file, which asks it alone."""
FORM_COOKIE = "conductor_mock_form"
FORM_FIELD = "proof"
FORM_BYTES = 64 * 1024
"""Of a form that a page sends."""


def known_host() -> None:
    """Refuse (403) a Host that is no name of this machine and none of `--allow-host`.

    A DNS name that was rebound to 127.0.0.1 still carries its own name there.
    """
    name = host_name()
    if name in LOOPBACK_NAMES or _is_loopback(name) or name in map(str.lower, service().settings.allow_hosts):
        return
    message = (
        f"only names of this machine are answered here, and not {name[:80]!r}; start the server with "
        "--allow-host NAME for another one"
    )
    raise forbidden(message, Problem("Host", message))


def same_site() -> None:
    """Refuse (403) what a page of another site sends. Browsers say where a request comes from; programs say nothing."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in ("none", "same-origin"):
        message = f"a request from another site is refused (Sec-Fetch-Site: {site[:40]})"
        raise forbidden(message, Problem("Sec-Fetch-Site", message))
    origin = request.headers.get("Origin")
    if origin is not None:
        _own(origin)


def no_page_of_another_site() -> None:
    """Refuse (403) a page of another site alone. What programs with pages of their own send has another scheme."""
    origin = request.headers.get("Origin", "")
    if origin.startswith(("http:", "https:")):
        _own(origin)


def not_framed() -> None:
    """Refuse (403) to be shown as part of another page, where a person would not see what is agreed to."""
    kind = request.headers.get("Sec-Fetch-Dest", "")
    if kind in FRAMES:
        message = f"this page is not shown inside another one (Sec-Fetch-Dest: {kind})"
        raise forbidden(message, Problem("Sec-Fetch-Dest", message))


def opened_as_page() -> bool:
    """Whether a browser opens this as a page of its own, as by a link in a chat: the link's page sees nothing of it."""
    return (
        request.method in READING
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") == "document"
    )


def administrator(*, browser: bool) -> None:
    """Refuse (401, 403, 429) whoever does not know the admin token, where there is one or must be.

    Programs send it as a bearer token; a `browser` asks its user for it, as a password with any name.
    """
    settings = service().settings
    if not settings.admin_token:  # an empty one would let everybody in
        if settings.loopback:
            return
        raise forbidden(
            "control API and pages are off: the server listens beyond loopback and has no --admin-token"
        )
    given = _given()
    if given:
        wait_s = service().admin_attempts.wait_s(_address(), service().wall())
        if wait_s:
            raise too_many_requests(
                f"the admin token was wrong too often; no one is let in from here for {wait_s} s", wait_s
            )
    if is_same(given, settings.admin_token):
        return
    if given:
        service().admin_attempts.wrong(_address())
    message = "this needs 'Authorization: Bearer ADMIN_TOKEN', or in a browser the admin token as password"
    challenge = 'Basic realm="conductor-mock", charset="UTF-8"' if browser else "Bearer"
    raise Refusal(401, message, (Problem("Authorization", message),), {"WWW-Authenticate": challenge})


def page_guard() -> None:
    """Refuse what must not see a page (401, 403)."""
    known_host()
    not_framed()
    if not opened_as_page():
        same_site()
    administrator(browser=True)


def dashboard_guard() -> None:
    """The same for the dashboard, whose writes are forms that this server showed in this browser (403 else)."""
    page_guard()
    if request.method not in READING:
        request.max_content_length = FORM_BYTES
        _form_of_ours()


def form_proof() -> str:
    """What a form of the page that is being made holds; the answer brings the cookie that it fits."""
    cookie = request.cookies.get(FORM_COOKIE, "")
    if not FormProofs.is_cookie(cookie):
        cookie = g.form_cookie = g.get("form_cookie") or FormProofs.cookie()
    return FormProofs(service().keys.signing_key).proof(cookie)


def page_headers(response: Response) -> Response:
    """Every page's headers."""
    response.headers.update(NEVER_FRAMED)
    return response


def dashboard_headers(response: Response) -> Response:
    """The headers of the dashboard's pages."""
    page_headers(response).headers["Content-Security-Policy"] += OWN_SCRIPT
    if "form_cookie" in g:
        path = request.root_path or "/"
        response.set_cookie(FORM_COOKIE, g.form_cookie, path=path, httponly=True, samesite="Strict")
    return response


def _address() -> str:
    return request.remote_addr or ""


def _own(origin: str) -> None:
    if origin != own_origin():
        message = f"a request from another origin is refused: {origin[:80]!r}"
        raise forbidden(message, Problem("Origin", message))


def _form_of_ours() -> None:
    """Refuse (403) a write that no page of this server sent: browsers say where a form comes from, and it has proof."""
    site = request.headers.get("Sec-Fetch-Site")
    if site not in (None, "same-origin") or (site is None and "Origin" not in request.headers):
        message = "this is for forms of the pages; a program uses the control API under /_mock/"
        raise forbidden(message, Problem("Origin", message))
    proofs = FormProofs(service().keys.signing_key)
    if not proofs.proves(request.form.get(FORM_FIELD, ""), request.cookies.get(FORM_COOKIE, "")):
        message = (
            "the form is not one that this server showed in this browser; load the page again and repeat it"
        )
        raise forbidden(message, Problem(FORM_FIELD, message))


def _given() -> str:
    header = request.headers.get("Authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return header.strip()  # the token alone, as people write it at a prompt
    try:
        return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
