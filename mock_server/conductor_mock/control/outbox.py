"""The mails of an account, and what became of each on its way to the SMTP server."""

from __future__ import annotations

from typing import Any

from conductor_mock.context import service
from conductor_mock.farm.clock import iso
from conductor_mock.farm.ids import jid
from conductor_mock.mailing.text import body, subject
from conductor_mock.store.mail_statuses import WAITING, MailStatus, keys


def outbox(account_id: str) -> list[dict[str, Any]]:
    """The mails that jobs caused when they ended, oldest first.

    `delivery` is null for a mail that no SMTP server was ever tried for; else its `state`, the number of `tries`, the
    last `error`, and when it is tried `next` (wall time).
    """
    return [record for record, _ in told(account_id)]


def told(account_id: str) -> list[tuple[dict[str, Any], str]]:
    """The mails as `outbox`, each with its text."""
    current = service()
    with current.accounts.open(account_id) as account:
        state = account.state
        mails = [(mail, subject(state, mail), body(state, mail)) for mail in state.outbox]
    known = current.mail_statuses.of(account_id)
    waits = None if current.mailer is None else MailStatus()
    return [
        (
            {
                "time": iso(mail.t_us),
                "jid": jid(mail.job),
                "status": mail.status,
                "to": list(mail.to),
                "subject": title,
                "delivery": _shown(known.get(key, waits)),
            },
            text,
        )
        for key, (mail, title, text) in zip(keys(mail for mail, *_ in mails), mails, strict=True)
    ]


def _shown(status: MailStatus | None) -> dict[str, Any] | None:
    if status is None:
        return None
    again = iso(status.next_us) if status.state == WAITING and status.next_us else None
    return {"state": status.state, "tries": status.tries, "error": status.error, "next": again}
