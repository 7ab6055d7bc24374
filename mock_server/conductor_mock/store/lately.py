"""What other servers have written to a database that may be slow or away, for whoever must not wait for it.

One thread asks for all accounts together that somebody wants to know of, at most once a second, and holds no lock
meanwhile. A database that cannot be asked says nothing: what was known stays, and it is asked again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError

from conductor_mock.store.rounds import Rounds
from conductor_mock.store.trouble import first_line

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""The least between two times that the database is asked for all accounts."""

WANTED_S = 10.0
"""How long an account is asked for after somebody wanted to know of it: streams do twice a second."""


class Lately:
    """A text of each account that is another one after others have written, as it was a moment ago."""

    def __init__(
        self,
        ask: Callable[[Sequence[str]], Mapping[str, str]],
        *,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` answers the texts of accounts in one query, and raises OSError or SQLAlchemyError; an account that it
        leaves out stays what it was.
        """
        self._ask = ask
        self.now_s = seconds
        """By which `note` is told when a question began."""
        self._guard = threading.Lock()
        self._wanted: dict[str, float] = {}
        self._known: dict[str, tuple[float, str]] = {}
        """Texts, and when the question began that was answered so: of two the one that began later counts."""
        self._asked_s = float("-inf")
        self._rounds = Rounds("other servers", lambda _: self.look())

    def of(self, account_id: str) -> str:
        """What is known of an account; empty where nothing is yet. Waits for nothing, and has it asked for."""
        with self._guard:
            self._wanted[account_id] = self.now_s()
            return self._known.get(account_id, (0.0, ""))[1]

    def meet(self, account_id: str) -> None:
        """Ask for an account of which nothing is known, now: for whoever may wait."""
        if not self.of(account_id):
            self._ask_for([account_id])

    def note(self, account_id: str, began_s: float, text: str) -> None:
        """What somebody was answered who asked at `began_s` for reasons of his own."""
        with self._guard:
            if account_id in self._wanted and began_s >= self._known.get(account_id, (began_s, ""))[0]:
                self._known[account_id] = (began_s, text)

    def look(self) -> float:
        """Ask for all accounts that were wanted of late, unless it was done within EVERY_S. When it may be done again,
        in seconds.
        """
        with self._guard:
            now_s = self.now_s()
            if now_s - self._asked_s < EVERY_S:
                return self._asked_s + EVERY_S - now_s
            for account_id in [one for one, at_s in self._wanted.items() if now_s - at_s >= WANTED_S]:
                del self._wanted[account_id]
                self._known.pop(account_id, None)
            wanted = sorted(self._wanted)
            if wanted:
                self._asked_s = now_s
        if wanted:
            self._ask_for(wanted)
        return EVERY_S

    def _ask_for(self, wanted: Sequence[str]) -> None:
        began_s = self.now_s()
        try:
            told = self._ask(wanted)
        except (OSError, SQLAlchemyError) as error:
            log.debug("what others have written is asked again: %s", first_line(error))
            return
        for account_id, text in told.items():
            self.note(account_id, began_s, text)

    def start(self) -> None:
        """Begin to ask."""
        self._rounds.start()

    def close(self) -> None:
        """Ask no more."""
        self._rounds.close()
