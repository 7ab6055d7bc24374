"""An account as new."""

from __future__ import annotations

from flask import Blueprint, Response, request

from conductor_mock.context import service
from conductor_mock.control.selection import ALL, account_meant, existing_accounts

account = Blueprint("account", __name__)


@account.post("/reset")
def reset() -> Response:
    """The account (`account=*`: every account) as new: no jobs, files or requests; tokens stay valid."""
    current = service()
    for account_id in existing_accounts():
        current.accounts.reset(account_id)
        current.catalogs.forget(account_id)
        current.mail_statuses.forget(account_id)
        current.parts.forget_all(account_id)
        current.faults.clear(account_id)
        current.journal.clear(account_id)
    if request.args.get("account") == ALL:
        current.journal.clear()
    else:
        current.faults.clear(account_meant())  # they may be there before the account is
    return Response(status=204)
