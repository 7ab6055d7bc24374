"""The browser login: a page asks, a redirect takes the token to the client's own web server (wire reference 1.2)."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from conductor_mock.api.doors import (
    administrator,
    known_host,
    not_framed,
    opened_as_page,
    page_guard,
    page_headers,
    same_site,
)
from conductor_mock.api.signing_in import sign_in, token_of
from conductor_mock.auth.consent import SECONDS, Consent, Question
from conductor_mock.auth.unnamed import PROMPT_NONE, secret
from conductor_mock.context import now_s, service
from conductor_mock.errors import forbidden, wrong_value
from conductor_mock.version import version

consent = Blueprint("consent", __name__)
consent.before_request(page_guard)

PATH = "/login"
COOKIE = "conductor_mock_login"
MAX_SCOPE = 200
_TARGET = re.compile(r"http://(localhost|127\.0\.0\.1)(:\d{1,5})?(/[!$-;=?-\[\]_a-z~%]*)?", re.ASCII)


def browser_login(redirect_uri: str) -> ResponseReturnValue:
    """A page that asks whether the program at `redirect_uri` may have a token of the default account.

    `prompt=none`, as OpenID Connect calls it, asks nobody, and so gives a token of an account that is nobody's. A token
    goes to this machine only: the client waits on a loopback port, and anywhere else would be somebody else's.
    """
    known_host()
    not_framed()
    target = loopback_url(redirect_uri)
    if not service().settings.loopback:
        raise forbidden("the browser login is for a server on a loopback address; use an API key")
    scope = (request.args.get("scope") or "user")[:MAX_SCOPE]
    if request.args.get("prompt") == "none":
        if not opened_as_page():
            same_site()
        return sent_back(target, PROMPT_NONE, secret(service().keys.signing_key, PROMPT_NONE), scope)
    administrator(browser=True)
    return consent_page(target, scope)


def consent_page(target: str, scope: str) -> Response:
    """The page that asks, in words; what its form sends proves that it was this page, in this browser, and lately."""
    answers = Consent(service().keys.signing_key)
    question = Question(target, scope, request.cookies.get(COOKIE) or answers.cookie())
    page = render_template(
        "login.html",
        account=service().keys.client_id,
        executing=service().settings.execute,
        proof=answers.proof(question, now_s=now_s()),
        scope=scope,
        target=target,
        version=version(),
    )
    response = page_headers(make_response(page))
    response.set_cookie(COOKIE, question.cookie, max_age=SECONDS, path=PATH, httponly=True, samesite="Strict")
    return response


@consent.post(PATH)
def agree() -> ResponseReturnValue:
    """A person agreed: the token of the default account goes to the program that waits."""
    if not service().settings.loopback:
        raise forbidden("the browser login is for a server on a loopback address; use an API key")
    target = loopback_url(request.form.get("redirect_uri", ""))
    scope = request.form.get("scope", "")
    question = Question(target, scope, request.cookies.get(COOKIE, ""))
    answers = Consent(service().keys.signing_key)
    if not question.cookie or not answers.proves(request.form.get("proof", ""), question, now_s=now_s()):
        raise forbidden(
            "this is no answer to the page that this server showed in this browser, or to one of more than "
            f"{SECONDS // 60} minutes ago; log in again"
        )
    keys = service().keys
    return page_headers(make_response(sent_back(target, keys.client_id, keys.private_key, scope)))


def sent_back(target: str, client_id: str, private_key: str, scope: str) -> ResponseReturnValue:
    """The redirect that takes a token of a key's account to `target` (wire reference 1.2)."""
    g.account_id = sign_in(client_id, private_key)  # for the journal: this request carries no token yet
    access_token = token_of(client_id, scope)
    answer = {"access_token": access_token, "expires_in": service().tokens.ttl_s, "scope": scope}
    joined = "&" if urlsplit(target).query else "?"
    return redirect(f"{target}{joined}{urlencode(answer)}", 302)


def loopback_url(text: str) -> str:
    """The URL of a web server on this machine. Refuses (400) any other, and what programs read in more than one way.

    Browsers take a backslash for a slash, so that what follows an `@` behind one is no host to them.
    """
    refused = wrong_value(
        "redirect_uri", f"must be http://localhost:PORT/..., or the same with 127.0.0.1, got {text[:80]!r}"
    )
    if not _TARGET.fullmatch(text):
        raise refused
    try:
        port = urlsplit(text).port
    except ValueError:  # a port that is none
        raise refused from None
    if port == 0:
        raise refused
    return text
