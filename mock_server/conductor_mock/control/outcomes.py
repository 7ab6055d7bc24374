"""Rules for how tasks go."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from conductor_contracts.problems import Problem
from conductor_mock.context import service
from conductor_mock.control.selection import account_to_change, state_to_show
from conductor_mock.control.validation import plain_body
from conductor_mock.errors import invalid
from conductor_mock.farm.commands import RulesChanged
from conductor_mock.farm.outcomes import check_rule, out_of_reach, uses
from conductor_mock.farm.refusals import InvalidRequestError

outcomes = Blueprint("outcomes", __name__)


@outcomes.get("/outcomes", endpoint="list")
def list_() -> dict[str, Any]:
    """The rules for how tasks go, first match first, and what each fits."""
    with state_to_show() as state:
        counts = [{"tasks": tasks, "attempts": attempts} for tasks, attempts in uses(state)]
        return {"rules": list(state.rules), "counts": counts}


@outcomes.post("/outcomes")
def add() -> dict[str, Any]:
    """Put one rule, or a list of them, before those that are there."""
    return added(plain_body())


def added(given: Any) -> dict[str, Any]:
    """The rules, and how many tasks the new ones fit. Refuses (400) what no schema can tell."""
    if isinstance(given, list):
        rules = [_checked(rule, f"/{number}") for number, rule in enumerate(given)]
    else:
        rules = [_checked(given, "")]
    with service().accounts.open(account_to_change()) as account:
        fitting, warnings = out_of_reach(rules, account.state)
        account.append(RulesChanged((*rules, *account.state.rules)))
        return {
            "rules": list(account.state.rules),
            "tasks_that_fit": len(fitting),
            "warnings": warnings,
        }


@outcomes.delete("/outcomes")
def clear() -> Response:
    """No rules: tasks go as metadata and seed say."""
    with service().accounts.open(account_to_change()) as account:
        account.append(RulesChanged(()))
    return Response(status=204)


def _checked(rule: dict[str, Any], place: str) -> dict[str, Any]:
    """A rule in its stored form. Refuses (400) what no schema can tell."""
    try:
        return check_rule(rule)
    except InvalidRequestError as error:
        raise invalid("control.outcomes.add", [Problem(f"{place}{error.path}", str(error))]) from None
