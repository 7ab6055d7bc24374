"""How often each account was changed, and waiting until it was again."""

from __future__ import annotations

import threading
from collections import Counter


class Changes:
    """Counts of the accounts of one server. Whoever waits holds no account's lock: else nobody could change it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._counts: Counter[str] = Counter()

    def count(self, account_id: str) -> int:
        """How many changes there were so far; read it before the state, then `wait` for more."""
        with self._changed:
            return self._counts[account_id]

    def note(self, account_id: str) -> None:
        """One more change; whoever waits looks at the account."""
        with self._changed:
            self._counts[account_id] += 1
            self._changed.notify_all()

    def wait(self, account_id: str, count: int, timeout_s: float | None) -> bool:
        """Wait until the account has changed more often than `count` times; whether it did in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._counts[account_id] != count, timeout_s)
