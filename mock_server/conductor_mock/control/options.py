"""What decides an account's runs besides its requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint

from conductor_mock.context import service
from conductor_mock.control.selection import account_to_change, state_to_show
from conductor_mock.control.validation import plain_body
from conductor_mock.farm.commands import OptionsChanged

options = Blueprint("options", __name__)


@options.get("/options")
def get() -> dict[str, Any]:
    """The options of the account."""
    with state_to_show() as state:
        return state.options.to_json()


@options.post("/options")
def change() -> dict[str, Any]:
    """Change `provider`, `part_size` (bytes), `seed`, `fleet` or `release_scouts`."""
    with service().accounts.open(account_to_change()) as account:
        account.append(OptionsChanged(replace(account.state.options, **plain_body())))
        return account.state.options.to_json()
