"""What a driver does about what the disk, the store or the database refuse: it tries again, until it is to stop.

A run that came to its end stays what it is, however long nobody can write that down.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from conductor_mock.store import trouble
from conductor_mock.store.heads import MovedLogError
from conductor_mock.store.telling import Telling
from conductor_mock.store.trouble import first_line

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_S = 1.0
"""Between two tries."""


def may_pass(error: Exception) -> bool:
    """Whether what was refused may go well later, since the system refused it."""
    return isinstance(error, (SQLAlchemyError, MovedLogError)) or trouble.reason(error) is not None


class Insisting:
    """The tries of one driver. Safe in any thread."""

    def __init__(self, closing: threading.Event) -> None:
        """`closing` is set when the driver is to stop."""
        self._closing = closing
        self._trouble = Telling(log)

    def on(self, action: Callable[[], T]) -> T | None:
        """What `action` returns, sooner or later; None where the driver is to stop. Raises what does not pass."""
        while True:
            try:
                result = action()
            except Exception as error:
                if not may_pass(error):
                    raise
                if self.refused(error):
                    return None
            else:
                self.accepted()
                return result

    def refused(self, error: Exception) -> bool:
        """Tell that something was refused, and wait before it is tried again; whether the driver is to stop."""
        self._trouble.goes_on(
            "runs cannot be looked after, which is tried again: %s",
            trouble.reason(error) or first_line(error),
        )
        return self._closing.wait(AGAIN_S)

    def accepted(self) -> None:
        """Something went well."""
        self._trouble.is_over("runs are looked after again")
