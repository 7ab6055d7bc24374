"""Accounts that nobody uses leave memory, though nobody asks for anything."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from conductor_mock.store.accounts import Accounts
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.rounds import Rounds
from conductor_mock.store.trouble import first_line

log = logging.getLogger(__name__)

_LOOKS = 10
"""How often it looks in the time after which an account is idle."""


class Idling:
    """Closes the accounts that were not used for long, from `start` to `close`."""

    def __init__(self, accounts: Accounts, idle_s: float) -> None:
        self._accounts = accounts
        self._every_s = idle_s / _LOOKS
        self._rounds = Rounds("idle accounts", self._look, first_s=self._every_s)

    def start(self) -> None:
        """Begin; the first look comes after the first wait."""
        self._rounds.start()

    def close(self) -> None:
        """Stop, after the account under way."""
        self._rounds.close()

    def _look(self, stop: threading.Event) -> float:
        try:
            self._accounts.close_unused(stop=stop.is_set)
        except (OSError, SQLAlchemyError, DatabaseError) as error:
            log.warning("idle accounts stay in memory; nothing is lost: %s", first_line(error))
        return self._every_s
