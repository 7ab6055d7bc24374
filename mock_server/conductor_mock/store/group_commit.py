"""What several threads write, in one commit: whoever finds nobody at it commits for all who wait.

A commit costs about as much for twenty as for one, and only one can be under way. Each caller returns when what it
brought is on disk, so nothing is acknowledged earlier than without this. Whoever has committed gives the turn to the
one of the next who came first: a lock that all of them want would let a newcomer in before those who are done, and
these would wait for one commit more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from conductor_mock.store.unavailable import told_to_others

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Ticket(Generic[T]):
    """One thing on its way, and what came of the commit that it was in."""

    what: T
    called: threading.Event = field(default_factory=threading.Event)
    """It is done, or it is its turn to commit for all who wait."""
    done: bool = False
    error: BaseException | None = None


class GroupCommit(Generic[T]):
    """Hands things to `commit`, a list at a time: all of them are committed when it returns, none when it raises.

    Unless it raises what `is_unknown`: then all may be committed or none, so nothing of it is tried again here.
    """

    def __init__(
        self, commit: Callable[[list[T]], None], is_unknown: Callable[[Exception], bool] = lambda _: False
    ) -> None:
        self._commit = commit
        self._is_unknown = is_unknown
        self._guard = threading.Lock()
        self._is_taken = False
        """Whether somebody commits, or was called to: never without somebody who will call the next."""
        self._waiting: list[_Ticket[T]] = []

    @property
    def waiting(self) -> int:
        """How many wait for the next commit."""
        with self._guard:
            return len(self._waiting)

    def add(self, what: T) -> None:
        """Return when `what` is committed. Raises what its commit raised.

        Where several cannot be committed together each is tried alone, so that nobody fails for another's fault.
        """
        ticket = _Ticket(what)
        try:
            with self._guard:
                self._waiting.append(ticket)
                if not self._is_taken:
                    self._call_next()
            ticket.called.wait()
            if not ticket.done:
                self._commit_all()
        except BaseException:
            self._withdraw(ticket)
            raise
        if ticket.error is not None:
            raise ticket.error

    def _call_next(self) -> None:
        """Give the turn to whoever has waited longest, or to nobody. The guard is held."""
        self._is_taken = bool(self._waiting)
        if self._waiting:
            self._waiting[0].called.set()

    def _withdraw(self, ticket: _Ticket[T]) -> None:
        """Leave out, if it is not under way yet, what its caller waits for no longer."""
        with self._guard:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
                if ticket.called.is_set():
                    self._call_next()

    def _commit_all(self) -> None:
        with self._guard:
            tickets, self._waiting = self._waiting, []
        try:
            if len(tickets) > 1 and self._is_committed(tickets):
                return
            for ticket in tickets:
                self._commit_one(ticket)
        except BaseException as error:  # this thread is to end; so nothing more is tried for the others
            for ticket in tickets:
                if not ticket.done:
                    ticket.error = told_to_others(error)
            raise
        finally:
            with self._guard:
                self._call_next()
            for ticket in tickets:
                ticket.done = True
                ticket.called.set()

    def _is_committed(self, tickets: list[_Ticket[T]]) -> bool:
        """Whether there is nothing more to be done about them."""
        try:
            self._commit([ticket.what for ticket in tickets])
        except Exception as error:  # noqa: BLE001 - each one is told its own
            if not self._is_unknown(error):
                return False
            for ticket in tickets:
                ticket.error = error
        return True

    def _commit_one(self, ticket: _Ticket[T]) -> None:
        try:
            self._commit([ticket.what])
        except Exception as error:  # noqa: BLE001 - raised where it was brought
            ticket.error = error
        ticket.done = True
