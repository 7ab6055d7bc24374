"""Simulated time, shown and moved."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint

from conductor_contracts.problems import Problem, count
from conductor_mock.context import service
from conductor_mock.control.selection import account_to_change, state_to_show
from conductor_mock.control.validation import body
from conductor_mock.errors import bad_request, conflict
from conductor_mock.farm import holds, lookup, views
from conductor_mock.farm.clock import ONE, ClockError, advance_us, iso
from conductor_mock.farm.state import State
from conductor_mock.farm.steps import advance_until, left_to_execute, move_clock

clock = Blueprint("clock", __name__)

WITHIN_S = 50
"""How long a call waits for tasks that run for real, unless told: less than many clients wait for an answer."""


@clock.get("/clock")
def get() -> dict[str, Any]:
    """The account's simulated time and its speed."""
    with state_to_show() as state:
        return _shown(state)


@clock.post("/clock")
def move() -> dict[str, Any]:
    """Move simulated time on (`advance` seconds, or `until` something) or change its `speed` (0 is frozen)."""
    return moved(body())


def moved(asked: dict[str, Any]) -> dict[str, Any]:
    """The clock after a `ClockMove` of the contract was carried out. Refuses (400, 404, 409)."""
    if "until" in asked:
        until = asked["until"]
        return _advance_until(None if until == "idle" else until["job"], asked.get("within", WITHIN_S))
    try:
        return _move_clock(advance_us(asked.get("advance", 0)), asked.get("speed"))
    except ClockError as error:
        raise bad_request(f"the clock was not moved: {error}", Problem("", str(error))) from None


def _move_clock(left_us: int, speed: float | None) -> dict[str, Any]:
    """Move simulated time on, in steps that let others have their turn."""
    accounts, account_id = service().accounts, account_to_change()
    while True:
        with accounts.open(account_id) as account:
            command, left_us = move_clock(account.state, service().wall(), left_us=left_us, speed=speed)
            account.append(command)
            if not left_us:
                return _shown(account.state)
        accounts.give_way()


def _advance_until(jid: str | None, within_s: float) -> dict[str, Any]:
    """Until a job has ended (None: until the farm is idle), in steps that let others have their turn.

    That is, until nothing is due any more unless somebody acts: the answer says what holds then.
    Where only tasks are left that run for real, they are waited for: so many wall seconds, else 409.
    """
    deadline = time.monotonic() + within_s
    account_id, accounts = account_to_change(), service().accounts
    while True:
        changes_so_far = accounts.changes.count(account_id)
        with accounts.open(account_id) as account:
            before_us = account.state.now_us
            command, is_over = advance_until(account.state, service().wall(), jid)
            if account.state.now_us != before_us:
                account.append(command)
            running = left_to_execute(account.state, jid)
            if is_over and not running:
                return {**_shown(account.state), "holds": _holds(account.state, jid)}
        if not is_over:
            accounts.give_way()
        elif not accounts.changes.wait(account_id, changes_so_far, max(0, deadline - time.monotonic())):
            raise conflict(
                f"after {within_s:g} s of real time {count(running, 'task')} for real did not end yet; ask again, or "
                "for more with 'within'"
            )


def _holds(state: State, jid: str | None) -> list[dict[str, Any]]:
    """What does not go on unless somebody acts: of a job (None: of all)."""
    found = holds.holds(state) if jid is None else [holds.hold_of(state, lookup.job(state, jid))]
    return [views.hold_record(hold) for hold in found if hold is not None]


def _shown(state: State) -> dict[str, Any]:
    return {
        "now": iso(state.now_us),
        "now_us": state.now_us,
        "speed": state.clock.speed_millionths / ONE,
        "account": state.client_id,
    }
