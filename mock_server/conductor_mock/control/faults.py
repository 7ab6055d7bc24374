"""Faults that are asked for."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from conductor_mock.context import service
from conductor_mock.control.selection import account_meant
from conductor_mock.control.validation import plain_body
from conductor_mock.errors import bad_request
from conductor_mock.faults.reading import FaultError

faults = Blueprint("faults", __name__)


@faults.get("/faults", endpoint="list")
def list_() -> dict[str, Any]:
    """The fault rules of the account, and how often each was consumed."""
    return {"faults": service().faults.of(account_meant())}


@faults.post("/faults")
def add() -> dict[str, Any]:
    """Ask for a fault: requests that fit its `match` are refused, or their answers broken."""
    return added(plain_body())


def added(rule: Any) -> dict[str, Any]:
    """A new rule, as it is kept. Refuses (400) what is none."""
    try:
        return service().faults.add(account_meant(), rule).to_json()
    except FaultError as error:
        raise bad_request(f"the fault was not taken: {error}", *error.problems) from None


@faults.delete("/faults")
def clear() -> Response:
    """No faults any more."""
    service().faults.clear(account_meant())
    return Response(status=204)
