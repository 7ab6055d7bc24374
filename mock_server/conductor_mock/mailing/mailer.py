"""The mails of every outbox to an SMTP server: each at most once, none lost without a word.

The farm writes mails and knows nothing of this. One thread looks at every account that has changed since, or in which
something is due, lets its time pass and sends what is new: one that nobody uses is left to leave memory. Before a mail
is sent that is noted on disk, and after it what came of it: one that was under way in a crash may have arrived and is
not sent again, one that failed is tried again later and later, and shown as failed in the end.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from conductor_mock.farm.ids import jid
from conductor_mock.farm.state import State
from conductor_mock.mailing.smtp import LaterError, NeverError, SmtpServer, compose, is_address
from conductor_mock.mailing.text import body, subject
from conductor_mock.store import trouble
from conductor_mock.store.accounts import Accounts, UnknownAccountError
from conductor_mock.store.changes import Changed
from conductor_mock.store.log import DamagedLogError
from conductor_mock.store.mail_statuses import (
    FAILED,
    SENDING,
    SENT,
    WAITING,
    Key,
    MailStatus,
    MailStatuses,
    keys,
)
from conductor_mock.store.telling import Telling
from conductor_mock.store.wall import WallClock

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0

LAST_MAIL_S = 2
"""How long a stop waits for the mail under way. One that is given up is like one that was under way in a crash."""

MAX_TRIES = 10
FIRST_WAIT_US = 2_000_000
LONGEST_WAIT_US = 600_000_000


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as it is to be sent, taken from the state while it could not change."""

    key: Key
    to: tuple[str, ...]
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """How far an account was when all of its mails were looked at, and the wall time of the next try of one of them."""

    changed: Changed
    happened: tuple[object, object]
    next_us: int | None


class Mailer:
    """Sends what is due: all of it by `deliver()`, or by itself from `start()` to `close()`."""

    def __init__(
        self, server: SmtpServer, accounts: Accounts, mail_statuses: MailStatuses, *, wall: WallClock
    ) -> None:
        self._server = server
        self._accounts = accounts
        self._mail_statuses = mail_statuses
        self._wall = wall
        self._stop = threading.Event()
        self._trouble = Telling(log)
        self._thread: threading.Thread | None = None
        self._seen: dict[str, _Seen] = {}

    def start(self) -> None:
        """Begin to send by itself; again after a `close`, too. What another server was sending counts as unknown."""
        self._mail_statuses.settle()
        self._seen = {}
        self._stop = threading.Event()  # a mail that was given up must not go on
        thread = threading.Thread(
            target=self._run, args=(self._stop,), name="conductor-mock mailer", daemon=True
        )
        thread.start()
        self._thread = thread  # one that could not be started is not waited for

    def close(self) -> None:
        """Stop once the mail under way is through, or given up."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(LAST_MAIL_S)

    def deliver(self, stop: threading.Event | None = None) -> None:
        """Send every mail of every account that is due; a server that is down ends the round, and so does `stop`."""
        stop = stop or self._stop
        for account_id in self._accounts.ids():
            if not self._may_have_mails(account_id):
                continue
            self._seen.pop(account_id, None)
            changed = self._accounts.changes.count(
                account_id
            )  # before the state is read: what comes later is new
            letters, seen = self._due(account_id, changed)
            for letter, before in letters:
                if stop.is_set() or not self._send(account_id, letter, before):
                    return
            if seen is not None and not letters:  # what came of those that were sent is looked at once more
                self._seen[account_id] = seen

    def _may_have_mails(self, account_id: str) -> bool:
        """Whether one may be due by now, without a use of the account: that would keep it in memory."""
        seen, time = self._seen.get(account_id), self._accounts.glance(account_id)
        now_us = self._wall()
        return (
            seen is None
            or time is None
            or time.changes != seen.happened
            or (time.due_us is not None and time.at(now_us) >= time.due_us)
            or (seen.next_us is not None and seen.next_us <= now_us)
            or self._accounts.changes.count(account_id) != seen.changed
        )

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_EVERY_S):
            try:
                self.deliver(stop)
            except Exception as error:
                if stop.is_set():  # it was given up, and the database is closed
                    return
                why = trouble.reason(error)
                if why is None:
                    log.exception("the mails of this round were not all sent")
                else:
                    self._trouble.goes_on("mails cannot be sent, which is tried again: %s", why)
            else:
                self._trouble.is_over("mails can be sent again")

    def _due(self, account_id: str, changed: Changed) -> tuple[list[tuple[Letter, MailStatus]], _Seen | None]:
        """The mails to send now, and what was seen; None where the account cannot be read."""
        now_us = self._wall()
        try:
            with self._accounts.open(account_id) as account:
                letters = list(_letters(account.state))
                happened = (account.state.seq, account.state.happened)
        except (UnknownAccountError, DamagedLogError):  # it has none, or whoever asks for it is told why not
            return [], None
        known = self._mail_statuses.of(account_id) if letters else {}
        statuses = [(letter, known.get(letter.key, MailStatus())) for letter in letters]
        waiting = [(letter, status) for letter, status in statuses if status.state == WAITING]
        next_us = min((status.next_us for _, status in waiting), default=None)
        due = [(letter, status) for letter, status in waiting if status.next_us <= now_us]
        return due, _Seen(changed, happened, next_us)

    def _send(self, account_id: str, letter: Letter, before: MailStatus) -> bool:
        """Try one mail and note what came of it; whether the server could be talked to."""
        tries = before.tries + 1
        if not self._mail_statuses.claim(account_id, letter.key, before, MailStatus(SENDING, tries)):
            return True  # another server has it, which took the role of this one
        up = True
        try:
            after = MailStatus(SENT, tries, self._hand_over(letter))
        except NeverError as error:
            after = MailStatus(FAILED, tries, str(error))
        except LaterError as error:
            up = not error.down
            after = MailStatus(WAITING, tries, str(error), self._wall() + _wait_us(tries))
            if tries >= MAX_TRIES:
                after = MailStatus(FAILED, tries, f"given up after {tries} tries: {error}")
        if after.error:
            log.warning("a mail of job %s is %s: %s", jid(letter.key.job), after.state, after.error)
        self._mail_statuses.note(account_id, letter.key, after)
        return up

    def _hand_over(self, letter: Letter) -> str:
        """Send a mail to those whom it can be sent to; who they are not, in words. Raises LaterError, NeverError."""
        usable = [address for address in letter.to if is_address(address)]
        others = "; ".join(f"{text[:80]!r}: no address" for text in letter.to if text not in usable)
        if not usable:
            raise NeverError(f"not to {others}")
        refused = self._server.send(compose(letter.subject, letter.text, usable), usable)
        not_to = "; ".join(filter(None, (others, refused)))
        return f"not to {not_to}" if not_to else ""


def _letters(state: State) -> Iterator[Letter]:
    for key, mail in zip(keys(state.outbox), state.outbox, strict=True):
        yield Letter(key, mail.to, subject(state, mail), body(state, mail))


def _wait_us(tries: int) -> int:
    return min(FIRST_WAIT_US << (tries - 1), LONGEST_WAIT_US)
