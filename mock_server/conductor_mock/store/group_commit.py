"""What several threads write, in one commit: whoever finds nobody at it commits for all who wait.

A commit costs about as much for twenty as for one, and only one can be under way. Each caller returns when what it
brought is on disk, so nothing is acknowledged earlier than without this. Whoever has committed calls the one of the
next who came first, and those who are done: none of them waits for one commit more. A thread may be interrupted
anywhere: it leaves the turn to others, and nobody takes for committed what no commit has returned of.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from conductor_mock.store.unavailable import told_to_others

T = TypeVar("T")


def _nobody_called() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Ticket(Generic[T]):
    """One thing on its way, and what came of the commit that it was in."""

    what: T
    called: threading.Lock = field(default_factory=_nobody_called)
    """Free once it is settled, or it is its turn to commit for all who wait."""
    is_settled: bool = False
    error: BaseException | None = None

    def call(self) -> None:
        """Let its caller go on. Safe to do twice, with the guard held."""
        if self.called.locked():
            self.called.release()


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
        self._leader: _Ticket[T] | None = None
        """Whose turn it is: the first of those who wait, or the one who commits those under way."""
        self._waiting: list[_Ticket[T]] = []
        self._under_way: list[_Ticket[T]] = []

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
                if self._leader is None:
                    self._leader = ticket
                    ticket.call()
            ticket.called.acquire()
            if not ticket.is_settled:
                self._commit_all()
                self._leave(ticket)
        except BaseException as error:
            self._leave(ticket, error)  # whole, even where an interrupt has ended it half way
            raise
        if ticket.error is not None:
            raise ticket.error

    def _commit_all(self) -> None:
        with self._guard:
            self._under_way, self._waiting = self._waiting, []
        tickets = self._under_way
        if len(tickets) == 1 or not self._is_settled_together(tickets):
            for ticket in tickets:
                self._commit_one(ticket)

    def _is_settled_together(self, tickets: list[_Ticket[T]]) -> bool:
        """Whether there is nothing more to be done about them."""
        try:
            self._commit([ticket.what for ticket in tickets])
        except Exception as error:  # noqa: BLE001 - each one is told its own
            if not self._is_unknown(error):
                return False
            for ticket in tickets:
                ticket.error = error
        for ticket in tickets:
            ticket.is_settled = True
        return True

    def _commit_one(self, ticket: _Ticket[T]) -> None:
        try:
            self._commit([ticket.what])
        except Exception as error:  # noqa: BLE001 - raised where it was brought
            ticket.error = error
        ticket.is_settled = True

    def _leave(self, ticket: _Ticket[T], error: BaseException | None = None) -> None:
        """Be in nobody's way: call the next, and those under way. To do it twice is to do it once.

        What was not settled failed by `error`: this thread is to end, and tries nothing more for the others.
        """
        with self._guard:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
            if self._leader is not ticket:
                return
            following = self._waiting[0] if self._waiting else None
            if following is not None:
                following.call()
            for one in self._under_way:
                if not one.is_settled:
                    one.error = told_to_others(error or InterruptedError())
                    one.is_settled = True
                one.call()
            self._under_way = []
            self._leader = following
