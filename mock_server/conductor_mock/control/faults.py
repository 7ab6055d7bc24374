"""Faults that are asked for."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from conductor_mock.api.bodies import parse_json, raw_body
from conductor_mock.context import service
from conductor_mock.control.selection import one_account
from conductor_mock.errors import bad_request
from conductor_mock.faults.reading import FaultError

faults = Blueprint("faults", __name__)


@faults.get("/faults")
def show() -> dict[str, Any]:
    """The fault rules of the account, and how often each was consumed."""
    return {"faults": service().faults.of(one_account())}


@faults.post("/faults")
def add() -> dict[str, Any]:
    """Ask for a fault: requests that fit its `match` are refused, or their answers broken."""
    try:
        return service().faults.add(one_account(), parse_json(raw_body())).to_json()
    except FaultError as error:
        raise bad_request(f"the fault was not taken: {error}", *error.details) from None


@faults.delete("/faults")
def clear() -> Response:
    """No faults any more."""
    service().faults.clear(one_account())
    return Response(status=204)
