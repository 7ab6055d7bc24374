"""The outbox of an account, as a page."""

from __future__ import annotations

from conductor_mock.control.outbox import told
from conductor_mock.control.selection import existing_accounts
from conductor_mock.dashboard.shown import account_name, show, slice_of


def mails() -> str:
    """The mails of the account, newest first, with their texts, and what became of each."""
    sent = [mail for account_id in existing_accounts() for mail in reversed(told(account_id))]
    found = slice_of([{**record, "text": text} for record, text in sent])
    return show("mails.html", account=account_name(), area="/mails", mails=found.items, slice=found)
