"""Which request gets a fault: decided inside the app, where its operation is known."""

from __future__ import annotations

from dataclasses import replace

from flask import g, request

from conductor_mock.context import now_s, service
from conductor_mock.errors import Refusal
from conductor_mock.faults.middleware import HIT
from conductor_mock.faults.rule import Hit, RequestInfo


def mark_request(account_id: str) -> None:
    """Mark a request that gets a fault of the account ("": of none). Raises Refusal where it is not carried out."""
    if HIT in request.environ:  # it is carried out once more
        g.fault = request.environ[HIT]
        return
    asked = RequestInfo(request.endpoint, request.method, request.path, now_s())
    hit = service().faults.take(account_id, asked)
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
