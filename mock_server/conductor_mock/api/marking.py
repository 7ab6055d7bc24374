"""Which request gets a fault: decided in the app, which knows whose it is and what operation."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from flask import Request, g, request

from conductor_contracts import json_text
from conductor_contracts.json_text import JsonTextError
from conductor_mock.api.bodies import raw_body
from conductor_mock.context import asked, guarded_elsewhere, now_s, service
from conductor_mock.errors import Refusal
from conductor_mock.farm import ids
from conductor_mock.farm.clock import SECOND
from conductor_mock.faults.conditions import RequestInfo
from conductor_mock.faults.middleware import HIT
from conductor_mock.faults.rule import Hit
from conductor_mock.store.accounts import UnknownAccountError


def mark_request() -> None:
    """Mark a request that gets a fault, and refuse it where it is not to be carried out, before anything is done."""
    request = asked()
    if guarded_elsewhere(request):
        return
    if HIT in request.environ:  # it is carried out once more
        g.fault = request.environ[HIT]
        return
    account = _account(request)
    if not service().faults.has_any(account):
        return
    hit = service().faults.take(account, _as_rules_see_it(account))
    if hit is None:
        return
    g.fault = hit
    try:
        hit.fault.prepare(request.environ)
    except Refusal as refusal:
        raise replace(refusal, message=_asked_for(hit, refusal.message)) from None
    request.environ[HIT] = hit  # from here on the answer is the fault's
    if hit.fault.refused_first:
        raise Refusal(503, _asked_for(hit, hit.kind))


def _as_rules_see_it(account: str) -> RequestInfo:
    operation = service().contract.operations.get(request.endpoint or "")
    return RequestInfo(
        operation=request.endpoint,
        method=request.method,
        path=request.path,
        wall_s=now_s(),
        simulated_s=_simulated_s(account),
        body_bytes=request.content_length if "Transfer-Encoding" not in request.headers else None,
        has_token=g.get("identity") is not None,
        has_signature="signature" in request.args,
        read_body=_json if operation is not None and operation.request_schema is not None else _none,
    )


def _simulated_s(account: str) -> float:
    """The time of the account; of one that was never used the machine's, at which it would begin."""
    try:
        return service().accounts.now_us(account) / SECOND
    except UnknownAccountError:
        return now_s()


def _json() -> tuple[Any] | None:
    """The JSON of the request, which is put back so that it can be read again."""
    data = raw_body()
    request.environ["wsgi.input"] = io.BytesIO(data)
    try:
        return (json_text.read(data),)
    except JsonTextError:
        return None


def _none() -> None:
    """A body that is no JSON is not looked at."""


def _asked_for(hit: Hit, what: str) -> str:
    return f"fault {hit.rule} was asked for: {what}"


def _account(request: Request) -> str:
    identity = g.get("identity")
    if identity is not None:
        return str(identity.account_id)
    client_id = request.args.get("client_id")
    account = (request.view_args or {}).get("account_id")
    if account is None and client_id:
        account = ids.account_id(client_id)  # the token endpoint: who it is for stands in the query
    return account or ""
