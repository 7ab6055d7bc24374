"""Accounts that nobody uses leave memory, though nobody asks for anything."""

from __future__ import annotations

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from conductor_mock.store.accounts import Accounts
from conductor_mock.store.database import DatabaseError
from conductor_mock.store.trouble import first_line

log = logging.getLogger(__name__)

_LOOKS = 10
"""How often it looks in the time after which an account is idle."""

_LAST_S = 5
"""How long a stop waits for the account that is being written down."""


class Idling:
    """Closes the accounts that were not used for long, from `start` to `close`."""

    def __init__(self, accounts: Accounts, idle_s: float) -> None:
        self._accounts = accounts
        self._every_s = idle_s / _LOOKS
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the first look comes after the first wait."""
        self._thread = threading.Thread(target=self._run, name="conductor-mock idle accounts", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, after the account under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_LAST_S)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self._accounts.close_unused(stop=self._stop.is_set)
            except (OSError, SQLAlchemyError, DatabaseError) as error:
                log.warning("idle accounts stay in memory; nothing is lost: %s", first_line(error))
