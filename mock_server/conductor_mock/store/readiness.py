"""Whether a server is to be sent requests, and why not: what a balancer asks before it sends some."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from conductor_mock.store.telling import Telling
from conductor_mock.store.trouble import first_line
from conductor_mock.store.unavailable import UnavailableError

log = logging.getLogger(__name__)

STARTING = "it is starting"
DRAINING = "it is stopping, and answers what comes until then"

PATIENCE_S = 2.0
"""Wall seconds that whoever asks waits for what the server needs; balancers wait a few."""


class _Need:
    """Something without which no request can be served, asked in a thread of its own.

    A database that says nothing keeps that one thread waiting, and none of those that answer.
    """

    def __init__(self, what: str, ask: Callable[[], object]) -> None:
        self._what = what
        self._ask = ask
        self._guard = threading.Lock()
        self._trouble = Telling(log)
        self._asking: tuple[threading.Event, list[str]] | None = None

    def why_not(self, patience_s: float) -> str:
        with self._guard:
            if self._asking is None or self._asking[0].is_set():
                self._asking = threading.Event(), []
                threading.Thread(target=self._run, args=self._asking, name="readiness", daemon=True).start()
            is_known, problems = self._asking
        if not is_known.wait(patience_s):
            return f"{self._what} does not answer"
        return "".join(problems)

    def _run(self, is_known: threading.Event, problems: list[str]) -> None:
        try:
            self._ask()
        except (OSError, SQLAlchemyError) as error:  # who asks is anybody: the reason is for the log
            why = error.why if isinstance(error, UnavailableError) else UnavailableError.why
            self._trouble.goes_on("not ready: %s %s: %s", self._what, why, first_line(error))
            problems.append(f"{self._what} {why}")
        except BaseException:
            problems.append(f"{self._what} cannot be asked")
            raise
        else:
            self._trouble.is_over("%s is as it should be again", self._what)
        finally:
            is_known.set()


class Readiness:
    """Of one server, which is starting until `begin`. Safe in any thread."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._state = STARTING
        self._needs: list[_Need] = []

    def needs(self, what: str, ask: Callable[[], object]) -> None:
        """Not ready as long as `ask` raises OSError or SQLAlchemyError, or does not return; `what` is named then."""
        self._needs.append(_Need(what, ask))

    def begin(self) -> None:
        """It is started."""
        self._state = ""

    def drain(self) -> None:
        """It will stop: nobody new is to come."""
        self._state = DRAINING

    @property
    def is_draining(self) -> bool:
        """Whether connections are to be closed behind their answers, so that clients go elsewhere."""
        return self._state == DRAINING

    def why_not(self) -> str:
        """Why it is not to be sent requests; empty when it is."""
        reasons = (need.why_not(self._patience_s) for need in self._needs)
        return self._state or next(filter(None, reasons), "")
