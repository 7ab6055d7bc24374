"""The mails of an account."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_mock.control.outbox import outbox
from conductor_mock.control.selection import existing_accounts

mails = Blueprint("mails", __name__)


@mails.get("/mails", endpoint="list")
def list_() -> dict[str, Any]:
    """The mails that jobs caused when they ended, oldest first, and what became of each on its way out."""
    return {"mails": [mail for account_id in existing_accounts() for mail in outbox(account_id)]}
