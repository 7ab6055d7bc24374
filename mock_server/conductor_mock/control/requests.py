"""The journal: what was asked of the service and answered."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from conductor_contracts.operation import advice_on_operation
from conductor_contracts.problems import Problem
from conductor_mock.context import service
from conductor_mock.control.selection import ALL, account_meant
from conductor_mock.control.validation import operation
from conductor_mock.errors import invalid

requests = Blueprint("requests", __name__)

LIMIT = 1000


@requests.get("/requests", endpoint="list")
def list_() -> dict[str, Any]:
    """What was asked and answered, oldest first: at most `limit` of the newest, or of those between two ids."""
    filters = request.args.to_dict()
    account = _account()
    entries = service().journal.find(
        account=account,
        method=filters.get("method"),
        path=filters.get("path"),
        operation=_of_the_service(filters.get("operation")),
        before=int(filters["before"]) if "before" in filters else None,
        after=int(filters.get("after", 0)),
        limit=int(filters.get("limit", LIMIT)),
    )
    return {"requests": entries, "forgotten": service().journal.forgotten(account)}


@requests.delete("/requests")
def clear() -> Response:
    """Forget what was asked."""
    service().journal.clear(_account())
    return Response(status=204)


def _of_the_service(name: str | None) -> str | None:
    """An operation of the service's contract. Refuses (400) another name, whose requests nobody would wait for."""
    known = service().contract.operations
    if name is None or name in known:
        return name
    message = f"{name[:80]!r} is no operation of the service{advice_on_operation(name, known)}"
    raise invalid(operation().id, [Problem("operation", message)])


def _account() -> str | None:
    return None if request.args.get("account") == ALL else account_meant()
