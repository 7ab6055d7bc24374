"""Which request gets a fault: decided in the app, which knows whose it is and what operation."""

from __future__ import annotations

from dataclasses import replace

from flask import g, request

from conductor_mock.context import guarded_elsewhere, now_s, service
from conductor_mock.errors import Refusal
from conductor_mock.farm import ids
from conductor_mock.faults.middleware import HIT
from conductor_mock.faults.rule import Hit, RequestInfo


def mark_request() -> None:
    """Mark a request that gets a fault, and refuse it where it is not to be carried out, before anything is done."""
    if guarded_elsewhere():
        return
    if HIT in request.environ:  # it is carried out once more
        g.fault = request.environ[HIT]
        return
    asked = RequestInfo(request.endpoint, request.method, request.path, now_s())
    hit = service().faults.take(_account(), asked)
    if hit is None:
        return
    g.fault = hit
    try:
        hit.fault.prepare(request.environ)
    except Refusal as refusal:
        raise replace(refusal, message=_asked_for(hit, refusal.message)) from None
    request.environ[HIT] = hit  # from here on the answer is the fault's
    if not hit.fault.carried_out:
        raise Refusal(503, _asked_for(hit, hit.kind))


def _asked_for(hit: Hit, what: str) -> str:
    return f"fault {hit.rule} was asked for: {what}"


def _account() -> str:
    identity = g.get("identity")
    if identity is not None:
        return str(identity.account_id)
    client_id = request.args.get("client_id")
    account = (request.view_args or {}).get("account_id")
    if account is None and client_id:
        account = ids.account_id(client_id)  # the token endpoint: who it is for stands in the query
    return account or ""
