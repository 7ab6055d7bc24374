"""Rules for how tasks go."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from conductor_mock.api.bodies import parse_json, raw_body
from conductor_mock.context import service
from conductor_mock.control.selection import one_account
from conductor_mock.errors import Detail, bad_request
from conductor_mock.farm.commands import RulesChanged
from conductor_mock.farm.outcomes import RuleError, check_rule, fits

outcomes = Blueprint("outcomes", __name__)


@outcomes.get("/outcomes")
def show() -> dict[str, Any]:
    """The rules for how tasks go, first match first."""
    with service().accounts.open(one_account()) as account:
        return {"rules": list(account.state.rules)}


@outcomes.post("/outcomes")
def add() -> dict[str, Any]:
    """Put one rule, or a list of them, before those that are there."""
    body = parse_json(raw_body())
    given = body if isinstance(body, list) else [body]
    rules = []
    for number, rule in enumerate(given):
        try:
            rules.append(check_rule(rule))
        except RuleError as error:
            place = f"/{number}{error.path}" if isinstance(body, list) else error.path
            raise bad_request(f"the rule was not taken: {error}", Detail(place, error.message)) from None
    with service().accounts.open(one_account()) as account:
        account.append(RulesChanged((*rules, *account.state.rules)))
        every = [
            (job, index, task) for job in account.state.jobs.values() for index, task in enumerate(job.tasks)
        ]
        fitting = [{place for place, one in enumerate(every) if fits(rule["match"], *one)} for rule in rules]
        return {
            "rules": list(account.state.rules),
            "tasks_that_fit": len(set().union(*fitting)),
            "warnings": [
                f"rule {number} fits none of the {len(every)} tasks that there are; it stays for those to come"
                for number, found in enumerate(fitting)
                if not found
            ],
        }


@outcomes.delete("/outcomes")
def clear() -> Response:
    """No rules: tasks go as metadata and seed say."""
    with service().accounts.open(one_account()) as account:
        account.append(RulesChanged(()))
    return Response(status=204)
