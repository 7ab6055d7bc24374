"""Whether the server answers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from conductor_mock.context import service
from conductor_mock.control.selection import ALL, existing_accounts, state_to_show
from conductor_mock.farm.clock import iso
from conductor_mock.version import version

health = Blueprint("health", __name__)


@health.get("/health")
def get() -> dict[str, Any]:
    """That it does, its version, and the simulated time of the account that is meant (`account=*`: of each)."""
    return {"status": "ok", "version": version(), "now": _now()}


def _now() -> str | dict[str, str]:
    if request.args.get("account") != ALL:
        with state_to_show() as state:
            return iso(state.now_us)
    times = {}
    for account_id in existing_accounts():
        with service().accounts.open(account_id) as account:
            times[account.state.client_id] = iso(account.state.now_us)
    return times
