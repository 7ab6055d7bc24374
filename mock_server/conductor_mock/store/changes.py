"""How often each account was changed, and waiting until it was again."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from conductor_mock.store.heads import End

LOOK_EVERY_S = 0.2
"""How often whoever waits looks for what other servers have written, which nobody tells."""


@dataclass(frozen=True, slots=True)
class Changed:
    """How far an account had changed: by this server, and where its log ended if others write to it."""

    count: int
    end: End | None = None


class Changes:
    """Counts of the accounts of one server. Whoever waits holds no account's lock: else nobody could change it."""

    def __init__(self, end: Callable[[str], End | None] | None = None) -> None:
        """`end` tells where an account's log ends now, if other servers write to it too."""
        self._end = end
        self._changed = threading.Condition()
        self._counts: Counter[str] = Counter()

    def count(self, account_id: str) -> Changed:
        """How far it has changed; read it before the state, then `wait` for more."""
        end = None if self._end is None else self._end(account_id)
        with self._changed:
            return Changed(self._counts[account_id], end)

    def note(self, account_id: str) -> None:
        """One more change; whoever waits looks at the account."""
        with self._changed:
            self._counts[account_id] += 1
            self._changed.notify_all()

    def wait(self, account_id: str, before: Changed, timeout_s: float | None) -> bool:
        """Wait until the account has changed further than `before`; whether it did in time."""
        if self._end is None:
            return self._wait_here(account_id, before, timeout_s)
        began_s = time.monotonic()
        while True:
            left_s = LOOK_EVERY_S if timeout_s is None else timeout_s - (time.monotonic() - began_s)
            if self._wait_here(account_id, before, max(0, min(left_s, LOOK_EVERY_S))):
                return True
            with suppress(OSError, sa.exc.SQLAlchemyError):  # whoever then opens the account is told
                if self._end(account_id) != before.end:
                    return True
            if timeout_s is not None and left_s <= LOOK_EVERY_S:
                return False

    def _wait_here(self, account_id: str, before: Changed, timeout_s: float | None) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._counts[account_id] != before.count, timeout_s)
