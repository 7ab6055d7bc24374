"""Faults and outcomes: the rules that there are, and forms that add one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request

from conductor_mock.context import service
from conductor_mock.control import faults as faults_control
from conductor_mock.control import outcomes as outcomes_control
from conductor_mock.control.selection import account_meant, state_to_show
from conductor_mock.dashboard.forms import back_to, checked, filled_in, number
from conductor_mock.dashboard.shown import chosen_number, chosen_values, show, slice_of
from conductor_mock.faults.fault import Fault
from conductor_mock.faults.kinds import BY_NAME, KINDS
from conductor_mock.faults.options import default_of, meaning_of, schema_of, type_of

_MATCHED = ("jid", "frames", "title", "project", "owner")
"""What an outcome's form can name of a task."""
MOST_TEXT = 200
"""Characters of one condition or option of a rule."""
_NOT_SAID: Mapping[str, object] = {"every": 1, "probability": 1.0, "until": None, "from_byte": 0}
"""Conditions without a column of their own, with what each is where the rule does not say it."""


def faults() -> str:
    """The rules with how often each was met and used; `kind` chooses the fault that the form is for."""
    query = chosen_values("kind", "operation", "page", "outcomes")
    kind = BY_NAME.get(query.get("kind", ""), KINDS[0])
    rules = slice_of(service().faults.of(account_meant()))
    with state_to_show() as state:
        account, outcomes = state.client_id, slice_of(state.rules, number="outcomes")
    return show(
        "faults.html",
        account=account,
        area="/faults",
        query=query,
        slice=rules,
        rules=[
            {**rule, "conditions": _conditions_of(rule), "options": _options_of(rule["fault"])}
            for rule in rules.items
        ],
        slice_of_outcomes=outcomes,
        outcomes=[_outcome_row(rule) for rule in outcomes.items],
        kinds=[one.kind for one in KINDS],
        kind=kind.kind,
        effect=kind.effect().replace("`", ""),
        options=[_field(option.name, kind) for option in kind.options()],
        operations=sorted(service().contract.operations),
        operation=query.get("operation", ""),
        fits=chosen_number("fits"),
    )


def add_fault() -> Response:
    """A new rule for a fault. Refuses (400) what is none."""
    kind = BY_NAME.get(request.form.get("kind", ""))
    fault: dict[str, Any] = {"kind": request.form.get("kind", "")}
    for option in () if kind is None else kind.options():
        text = filled_in(option.name).get(option.name)
        if text is not None:
            fault[option.name] = text == "on" if type_of(option) == "boolean" else number(text)
    counts = {name: number(text) for name, text in filled_in("times", "skip").items()}
    faults_control.added({"match": filled_in("operation"), "fault": fault, **counts})
    return back_to("/faults")


def clear_faults() -> Response:
    """No faults any more."""
    service().faults.clear(account_meant())
    return back_to("/faults")


def add_outcome() -> Response:
    """A new rule for how tasks go, before those that are there. Refuses (400) what is none."""
    filled = filled_in("outcome", "duration", "exit_code")
    rule: dict[str, Any] = {name: number(text) for name, text in filled.items() if name != "outcome"}
    if "outcome" in filled:
        rule["outcome"] = [part.strip() for part in filled["outcome"].split(",")]
    rule["match"] = filled_in(*_MATCHED)
    added = outcomes_control.added(checked("control.outcomes.add", rule))
    return back_to("/faults", fits=added["tasks_that_fit"])


def clear_outcomes() -> Response:
    """No rules for how tasks go any more."""
    outcomes_control.clear()
    return back_to("/faults")


def _field(name: str, kind: type[Fault]) -> Mapping[str, object]:
    """An option as a field of the form."""
    (option,) = (one for one in kind.options() if one.name == name)
    schema = schema_of(option)
    return {
        "name": name,
        "type": type_of(option),
        "meaning": meaning_of(option).replace("`", ""),
        "default": default_of(option),
        "is_on": option.default is True,
        "min": schema.get("minimum"),
        "max": schema.get("maximum"),
    }


def _conditions_of(rule: Mapping[str, Any]) -> str:
    """Which requests a rule is for, beyond their operation, method and path."""
    body = rule["match"].get("body")
    said = [] if body is None else [f"body {body['pointer']} is {json.dumps(body['value'])}"]
    said += [f"{name} {rule[name]}" for name, default in _NOT_SAID.items() if rule[name] != default]
    return ", ".join(map(_short, said))


def _options_of(fault: Mapping[str, Any]) -> str:
    return ", ".join(
        _short(f"{name} {value}") for name, value in fault.items() if name != "kind" and value is not None
    )


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 3]}..."


def _outcome_row(rule: Mapping[str, Any]) -> Mapping[str, str]:
    outcome = rule.get("outcome", ())
    outcomes = [outcome] if isinstance(outcome, str) else list(outcome)
    return {
        "match": ", ".join(f"{name} {value}" for name, value in rule["match"].items()) or "every task",
        "outcome": ", then ".join(map(str, outcomes)) or "as drawn",
        "duration": f"{rule['duration']:g} s" if "duration" in rule else "as drawn",
        "exit_code": str(rule.get("exit_code", "")),
    }
