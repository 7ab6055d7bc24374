"""The stream that tells a page when it is out of date; what has changed the page then asks for itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, request

from conductor_mock.context import service
from conductor_mock.control.selection import account_meant
from conductor_mock.service import Service
from conductor_mock.serving.events import FIRST, Stream
from conductor_mock.serving.framing import REQUEST
from conductor_mock.serving.streams import SocketConnection
from conductor_mock.store.slots import Time

GAP_S = 1.0
"""Between two events: a page is renewed no faster."""

BUSY_S = 5.0
"""Between two events while there are instances and time runs: costs and logs grow."""


@dataclass(slots=True)
class AccountWatch:
    """Whether an account was changed, or its farm has something to do by now. Asks for no lock and opens nothing."""

    glance: Callable[[], Time | None]
    wall_us: Callable[[], int]
    seconds: Callable[[], float]
    seen: Time | None = None
    told_s: float = float("-inf")

    def __call__(self) -> bool:
        now_s = self.seconds()
        if now_s - self.told_s < GAP_S:
            return False
        time_ = self.glance()
        if time_ is None or not self._is_news(time_, now_s):
            return False
        self.seen, self.told_s = time_, now_s
        return True

    def _is_news(self, time_: Time, now_s: float) -> bool:
        if self.seen is None or (time_.changes, time_.clock) != (self.seen.changes, self.seen.clock):
            return True
        now_us = time_.at(self.wall_us())
        if time_.due_us is not None and now_us >= time_.due_us:
            return True
        moves = now_us > time_.reached_us
        return time_.is_busy and moves and now_s - self.told_s >= BUSY_S


@dataclass(slots=True)
class JournalWatch:
    """Whether something was asked of the service."""

    added: Callable[[], int]
    seconds: Callable[[], float]
    seen: int
    told_s: float = float("-inf")

    def __call__(self) -> bool:
        now_s, added = self.seconds(), self.added()
        if added == self.seen or now_s - self.told_s < GAP_S:
            return False
        self.seen, self.told_s = added, now_s
        return True


def events() -> Response:
    """Tell whoever looks at an account that there is something new; with `of=requests`, that something was asked.

    Where no more streams are to be had, and where there is no socket, the answer ends: browsers then ask again.
    """
    account_id, current = account_meant(), service()
    watch = _watch(current, account_id)
    stream: Stream | None = None
    served = request.environ.get(REQUEST)
    if request.method == "GET" and served is not None and isinstance(served.conn, SocketConnection):
        stream = served.conn.parking.events.open(served.conn, served, watch)
    return Response((FIRST,) if stream is None else stream, mimetype="text/event-stream")


def _watch(current: Service, account_id: str) -> AccountWatch | JournalWatch:
    if request.args.get("of") == "requests":
        return JournalWatch(lambda: current.journal.added, time.monotonic, current.journal.added)
    accounts = current.accounts
    return AccountWatch(
        lambda: accounts.glance(account_id), current.wall, time.monotonic, accounts.glance(account_id)
    )
