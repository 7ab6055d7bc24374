"""What became of each mail on its way to an SMTP server: kept, so that a restart neither repeats nor forgets one.

A mail is known by its place in the outbox of its account (`keys`). One without a row here waits for its first try.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from conductor_mock.farm.state import Mail
from conductor_mock.store.database import Database
from conductor_mock.store.sums import summed
from conductor_mock.store.tables import MAIL_STATUSES

STATES = WAITING, SENDING, SENT, FAILED, UNKNOWN, REPLAYED = (
    "waiting", "sending", "sent", "failed", "unknown", "replayed",
)  # fmt: skip
"""`failed` is given up, `unknown` was being sent when the server stopped, `replayed` came with a bundle: none of the
three is sent again."""


@dataclass(frozen=True, slots=True)
class Key:
    """A mail: job, simulated time and status, and how many mails of the same three came before it."""

    job: int
    t_us: int
    status: str
    nth: int = 0


@dataclass(frozen=True, slots=True)
class MailStatus:
    """How far a mail is after `tries` tries: what was wrong with the last, and when (wall time) the next one is due."""

    state: str = WAITING
    tries: int = 0
    error: str = ""
    next_us: int = 0


def keys(outbox: Iterable[Mail]) -> list[Key]:
    """The key of each mail of an outbox, in its order."""
    seen: Counter[Key] = Counter()
    numbered = []
    for mail in outbox:
        first = Key(mail.job, mail.t_us, mail.status.value)
        numbered.append(Key(mail.job, mail.t_us, mail.status.value, seen[first]))
        seen[first] += 1
    return numbered


class MailStatuses:
    """What is known of the mails of every account of one server."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, account_id: str) -> dict[Key, MailStatus]:
        """What is known of an account's mails."""
        query = sa.select(MAIL_STATUSES).where(MAIL_STATUSES.c.account == account_id)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {
            Key(row.job, row.t_us, row.status, row.nth): MailStatus(
                row.state, row.tries, row.error, row.next_us
            )
            for row in rows
        }

    def note(self, account_id: str, key: Key, status: MailStatus) -> None:
        """Remember how far a mail is; it is on disk when this returns."""
        with self._database.write() as connection:
            connection.execute(MAIL_STATUSES.delete().where(*_is(account_id, key)))
            connection.execute(MAIL_STATUSES.insert().values(_row(account_id, key, status)))

    def claim(self, account_id: str, key: Key, before: MailStatus, status: MailStatus) -> bool:
        """`note`, unless the mail is not as it was any more: whether whoever asks is the one who goes on with it."""
        row = _row(account_id, key, status)
        as_it_was = (
            *_is(account_id, key),
            MAIL_STATUSES.c.state == before.state,
            MAIL_STATUSES.c.tries == before.tries,
        )
        try:
            with self._database.write() as connection:
                if before == MailStatus():  # it has no row
                    connection.execute(MAIL_STATUSES.insert().values(row))
                    return True
                return connection.execute(MAIL_STATUSES.update().where(*as_it_was).values(row)).rowcount == 1
        except sa.exc.IntegrityError:  # it has one by now
            return False

    def settle(self) -> None:
        """At a start: what was being sent when the server stopped may have arrived, and is not sent again."""
        values = {"state": UNKNOWN, "error": "the server stopped while it was being sent"}
        sent = MAIL_STATUSES.c.state == SENDING
        with self._database.write() as connection:
            rows = [
                {**row._mapping, **values} for row in connection.execute(sa.select(MAIL_STATUSES).where(sent))
            ]
            connection.execute(MAIL_STATUSES.delete().where(sent))
            if rows:
                connection.execute(MAIL_STATUSES.insert(), [summed(MAIL_STATUSES, row) for row in rows])

    def forget(self, account_id: str) -> None:
        """The account was reset."""
        with self._database.write() as connection:
            connection.execute(MAIL_STATUSES.delete().where(MAIL_STATUSES.c.account == account_id))

    def replay(self, connection: sa.Connection, account_id: str, outbox: Iterable[Mail]) -> None:
        """The account's mails came with a bundle: they were sent, or not, where it was saved."""
        connection.execute(MAIL_STATUSES.delete().where(MAIL_STATUSES.c.account == account_id))
        rows = [_row(account_id, key, MailStatus(REPLAYED)) for key in keys(outbox)]
        if rows:
            connection.execute(MAIL_STATUSES.insert(), rows)


def _is(account_id: str, key: Key) -> tuple[sa.ColumnElement[bool], ...]:
    columns = MAIL_STATUSES.c
    return (
        columns.account == account_id,
        columns.job == key.job,
        columns.t_us == key.t_us,
        columns.status == key.status,
        columns.nth == key.nth,
    )


def _row(account_id: str, key: Key, status: MailStatus) -> dict[str, object]:
    row = {
        "account": account_id,
        "job": key.job,
        "t_us": key.t_us,
        "status": key.status,
        "nth": key.nth,
        "state": status.state,
        "tries": status.tries,
        "error": status.error,
        "next_us": status.next_us,
    }
    return summed(MAIL_STATUSES, row)
