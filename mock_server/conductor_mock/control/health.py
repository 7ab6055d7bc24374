"""Whether the server answers, and whether it is to be sent requests."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from conductor_contracts.problems import Problem
from conductor_mock.context import service
from conductor_mock.control.selection import ALL, existing_accounts, state_to_show
from conductor_mock.errors import Refusal
from conductor_mock.farm.clock import iso
from conductor_mock.version import version

health = Blueprint("health", __name__)


@health.get("/health")
def get() -> dict[str, Any]:
    """That it does and can store contents, its version, the simulated time of the account (`account=*`: of each)."""
    service().objects.check()
    return {"status": "ok", "version": version(), "now": _now()}


@health.get("/health/live")
def live() -> dict[str, Any]:
    """That the process answers, whatever else does not."""
    return {"status": "alive"}


@health.get("/health/ready")
def ready() -> dict[str, Any]:
    """That the server is to be sent requests. Refuses (503) with the reason why it is not."""
    reason = service().readiness.why_not()
    if reason:
        raise Refusal(503, f"the server is not ready: {reason}", (Problem("", reason),))
    return {"status": "ready"}


def _now() -> str | dict[str, str]:
    if request.args.get("account") != ALL:
        with state_to_show() as state:
            return iso(state.now_us)
    times = {}
    for account_id in existing_accounts():
        with service().accounts.open(account_id) as account:
            times[account.state.client_id] = iso(account.state.now_us)
    return times
