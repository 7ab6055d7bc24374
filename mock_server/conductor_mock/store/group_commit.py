"""Rows of several threads in one commit: whoever finds nobody at it commits for all who wait.

A commit costs about as much for twenty rows as for one, and only one can be under way. Each caller returns when its own
row is on disk, so nothing is acknowledged earlier than without this.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from conductor_mock.store.database import Row


@dataclass(slots=True, eq=False)
class _Ticket:
    """One row on its way, and what came of the commit that it was in."""

    row: Row
    done: bool = False
    error: BaseException | None = None


class GroupCommit:
    """Hands rows to `commit`, a list at a time."""

    def __init__(self, commit: Callable[[list[Row]], None]) -> None:
        self._commit = commit
        self._guard = threading.Lock()
        self._turn = threading.Lock()
        self._waiting: list[_Ticket] = []

    @property
    def waiting(self) -> int:
        """How many rows wait for the next commit."""
        with self._guard:
            return len(self._waiting)

    def add(self, row: Row) -> None:
        """Return when `row` is committed. Raises what the commit raised, in every thread whose row was in it."""
        ticket = _Ticket(row)
        with self._guard:
            self._waiting.append(ticket)
        with self._turn:
            if not ticket.done:
                self._commit_all()
        if ticket.error is not None:
            raise ticket.error

    def _commit_all(self) -> None:
        with self._guard:
            tickets, self._waiting = self._waiting, []
        try:
            self._commit([ticket.row for ticket in tickets])
        except BaseException as error:
            for ticket in tickets:
                ticket.error = error
            if not isinstance(error, Exception):
                raise
        finally:
            for ticket in tickets:
                ticket.done = True
