"""What one of several servers does for all: each role has a seat, and whoever has it does the work.

    execute    runs the tasks of the account that is executed
    mail       sends the mails of ended jobs
    sweep      removes what nothing refers to

A server that is alone takes every seat when it starts. One of several looks for free ones every so often, and notices
when it has lost its own, as by a connection that was cut: it stops then, and another one has begun meanwhile or will.
For that moment there are two; what must not be done twice asks `holds` before it begins.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from conductor_mock.store import trouble
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.seats import OwnSeats, Seats
from conductor_mock.store.telling import Telling

log = logging.getLogger(__name__)

ROLES = EXECUTE, MAIL, SWEEP = "execute", "mail", "sweep"

LOOK_EVERY_S = 1.0


@dataclass(slots=True)
class _Role:
    start: Callable[[], None]
    stop: Callable[[], None]
    is_ours: bool = False


class Roles:
    """The roles of one server. Close it."""

    def __init__(self, seats: Seats | None = None, *, look_every_s: float = LOOK_EVERY_S) -> None:
        """On `seats` that several servers share; None: this one is alone, and has every role from its start."""
        self._is_alone = seats is None
        self._seats: Seats = OwnSeats() if seats is None else seats
        self._look_every_s = look_every_s
        self._roles: dict[str, _Role] = {}
        self._trouble = Telling(log)
        self._closing = threading.Event()
        self._turn = threading.RLock()
        self._thread = threading.Thread(target=self._run, name="conductor-mock roles", daemon=True)

    def when_elected(self, name: str, start: Callable[[], None], stop: Callable[[], None]) -> None:
        """Say what a role is, before `start`: `start` is called when this server gets it, `stop` when it loses it.

        They may come in turns, and in any thread, but never two at once.
        """
        self._roles[name] = _Role(start, stop)

    def start(self) -> None:
        """Take the roles that nobody has, and go on looking for those that others have. A lone server's errors rise."""
        if self._is_alone:
            for name in self._roles:
                self._seats.take(name)
                self._begin(name)
        else:
            self.look()
            self._thread.start()

    def holds(self, name: str) -> bool:
        """Whether this server has the role at this moment."""
        return self._seats.holds(name)

    def held(self) -> list[str]:
        """The roles that this server has, as far as it knows."""
        return [name for name, role in self._roles.items() if role.is_ours]

    def look(self) -> None:
        """Give up what was lost, and take what is free."""
        with self._turn:
            for name, role in self._roles.items():
                if self._closing.is_set():
                    return
                if role.is_ours and not self._seats.holds(name):
                    log.warning("this server has lost the role %r; another one has it now, or will", name)
                    self._end(name)
                if not role.is_ours and self._seats.take(name):
                    self._try(name)

    def close(self) -> None:
        """Stop what this server does for all, the last role first, and let others do it. Safe to call twice.

        Whatever a role raises, the others are stopped; the first error is raised in the end.
        """
        self._closing.set()
        failures: list[Exception] = []
        with self._turn:
            for name in reversed(self._roles):
                role = self._roles[name]
                try:
                    if role.is_ours:
                        role.is_ours = False
                        role.stop()
                except Exception as error:  # noqa: BLE001 - raised below
                    failures.append(error)
                self._seats.give_back(name)
            self._seats.close()
        if self._thread.is_alive():
            self._thread.join()
        if failures:
            raise failures[0]

    def _run(self) -> None:
        while not self._closing.wait(self._look_every_s):
            self.look()

    def _try(self, name: str) -> None:
        try:
            self._begin(name)
        except Exception as error:  # whatever the disk or the database says: another one may do better
            why = str(error) if isinstance(error, DatabaseError) else trouble.reason(error)
            if why is None:
                log.exception("this server could not take the role %r; it is tried again", name)
            else:
                self._trouble.goes_on(
                    "this server could not take the role %r, which is tried again: %s", name, why
                )
            self._seats.give_back(name)
        else:
            log.info("this server has the role %r", name)

    def _begin(self, name: str) -> None:
        self._roles[name].start()
        self._roles[name].is_ours = True

    def _end(self, name: str) -> None:
        role = self._roles[name]
        role.is_ours = False
        try:
            role.stop()
        except Exception:  # what it did goes on elsewhere
            log.exception("the role %r did not end as it should", name)
