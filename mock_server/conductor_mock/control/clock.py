"""Simulated time, shown and moved."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint

from conductor_mock.context import service
from conductor_mock.control.fields import object_body, wrong
from conductor_mock.control.selection import one_account
from conductor_mock.errors import Detail, bad_request, conflict
from conductor_mock.farm.clock import ONE, ClockError, advance_us, iso
from conductor_mock.farm.decisions import advance_until, left_to_execute, move_clock
from conductor_mock.farm.state import State

clock = Blueprint("clock", __name__)

WITHIN_S = 50
MAX_WITHIN_S = 3600
"""How long a call waits for tasks that run for real: less than many clients wait for an answer, unless told."""


@clock.get("/clock")
def show() -> dict[str, Any]:
    """The account's simulated time and its speed."""
    with service().accounts.open(one_account()) as account:
        return _shown(account.state)


@clock.post("/clock")
def move() -> dict[str, Any]:
    """Move simulated time on (`advance` seconds, or `until` something) or change its `speed` (0 is frozen)."""
    body = object_body(accepted=("advance", "speed", "until", "within"))
    if "until" in body:
        return _advance_until(body)
    for name in body:
        if isinstance(body[name], bool) or not isinstance(body[name], (int, float)):
            raise wrong(name, f"must be a number, got {body[name]!r}")
    if not body:
        raise bad_request("send 'advance' (seconds), 'speed', or both")
    try:
        return _move_clock(advance_us(body.get("advance", 0)), body.get("speed"))
    except (ClockError, OverflowError) as error:
        raise bad_request(f"the clock was not moved: {error}", Detail("", str(error))) from None


def _move_clock(left_us: int, speed: float | None) -> dict[str, Any]:
    """Move simulated time on, in steps that let others have their turn."""
    accounts, account_id = service().accounts, one_account()
    while True:
        with accounts.open(account_id) as account:
            command, left_us = move_clock(account.state, service().wall(), left_us=left_us, speed=speed)
            account.append(command)
            if not left_us:
                return _shown(account.state)
        accounts.give_way()


def _advance_until(body: dict[str, Any]) -> dict[str, Any]:
    """`{"until": "idle"}` or `{"until": {"job": JID}}`, in steps that let others have their turn.

    Where only tasks are left that run for real, they are waited for: `within` wall seconds, else 409.
    """
    wanted = body["until"]
    jid = wanted.get("job") if isinstance(wanted, dict) and set(wanted) == {"job"} else None
    if not body.keys() <= {"until", "within"} or (wanted != "idle" and not isinstance(jid, str)):
        raise wrong("until", 'must stand alone (or with "within") and be "idle" or {"job": JID}')
    within_s = body.get("within", WITHIN_S)
    if (
        isinstance(within_s, bool)
        or not isinstance(within_s, (int, float))
        or not 0 <= within_s <= MAX_WITHIN_S
    ):
        raise wrong("within", f"must be wall seconds from 0 to {MAX_WITHIN_S}, got {str(within_s)[:40]!r}")
    deadline = time.monotonic() + within_s
    account_id, accounts = one_account(), service().accounts
    while True:
        changes_so_far = accounts.changes.count(account_id)
        with accounts.open(account_id) as account:
            before_us = account.state.now_us
            command, finished = advance_until(account.state, service().wall(), jid)
            has_moved = account.state.now_us != before_us
            running = left_to_execute(account.state, jid) if finished else 0
            if has_moved or not running:
                account.append(command)
            if finished and not running:
                return _shown(account.state)
        if not running or has_moved:
            accounts.give_way()
        elif not accounts.changes.wait(account_id, changes_so_far, max(0, deadline - time.monotonic())):
            raise conflict(
                f"after {within_s:g} s of real time {running} tasks still run for real; ask again, or for more with "
                "'within'"
            )


def _shown(state: State) -> dict[str, Any]:
    return {
        "now": iso(state.now_us),
        "now_us": state.now_us,
        "speed": state.clock.speed_millionths / ONE,
        "account": state.client_id,
    }
