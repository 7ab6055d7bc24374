"""The stream that tells a page when it is out of date; what has changed the page then asks for itself.

A page says of which mark it is, taken before anything of it was read, and its stream begins with the mark of then: so
no change is missed between the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from flask import Response, g, request

from conductor_mock.context import service
from conductor_mock.control.selection import account_meant
from conductor_mock.errors import Refusal
from conductor_mock.service import Service
from conductor_mock.serving.events import Stream, Watch, first
from conductor_mock.serving.framing import REQUEST
from conductor_mock.serving.streams import SocketConnection
from conductor_mock.store.slots import Time

REQUESTS = "requests"
"""`of=` this is about what was asked; else a stream is about an account."""

FAULTS = "faults"
"""`of=` this is about the rules of faults and outcomes, and how often they were met."""

GAP_S = 1.0
"""Between two events: a page is renewed no faster."""

BUSY_S = 5.0
"""Between two events while there are instances and time runs: costs and logs grow."""


@dataclass(slots=True)
class AccountWatch:
    """An account: it was changed, or its farm has something to do by now. Asks for no lock and opens nothing."""

    glance: Callable[[], Time | None]
    wall_us: Callable[[], int]
    seconds: Callable[[], float]
    seen: Time | None = None
    written: Callable[[], str] = lambda: ""
    """What any of several servers on the same data changes."""
    seen_written: str = ""
    told_s: float = float("-inf")

    def mark(self) -> str:
        time_, written = self.glance(), self.written()
        parts: list[object] = [written] if written else []
        if time_ is not None:
            clock = time_.clock
            parts += [*time_.changes, clock.wall_us, clock.sim_us, clock.speed_millionths]
        return "-".join(map(str, parts)) or "none"

    def has_news(self) -> bool:
        now_s = self.seconds()
        if now_s - self.told_s < GAP_S:
            return False
        time_, written = self.glance(), self.written()
        is_news = written != self.seen_written or (time_ is not None and self._is_news(time_, now_s))
        if not is_news:
            return False
        self.seen, self.seen_written, self.told_s = time_, written, now_s
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
class TextWatch:
    """What can be told by a text that is another one after each change: what was asked, the rules that there are."""

    read: Callable[[], str]
    seconds: Callable[[], float]
    seen: str
    told_s: float = float("-inf")

    def mark(self) -> str:
        return self.read()

    def has_news(self) -> bool:
        now_s = self.seconds()
        if now_s - self.told_s < GAP_S:
            return False
        text = self.read()
        if text == self.seen:
            return False
        self.seen, self.told_s = text, now_s
        return True


def events() -> Response:
    """Tell whoever looks at an account that there is something new; with `of=requests` that something was
    asked, with `of=faults` that, and that there are other rules.

    Where no more streams are to be had, and where there is no socket, the answer ends: browsers then ask again.
    """
    watch = _watch(service(), account_meant(), request.args.get("of"))
    stream: Stream | None = None
    served = request.environ.get(REQUEST)
    if request.method == "GET" and served is not None and isinstance(served.conn, SocketConnection):
        stream = served.conn.parking.events.open(served.conn, served, watch)
    return Response((first(watch),) if stream is None else stream, mimetype="text/event-stream")


def take_marks() -> None:
    """Before a page reads anything: the marks of what it may show. A change that comes in between makes it old."""
    g.marks = {}
    with suppress(Refusal):  # the page refuses it, if it is about an account
        current, account_id = service(), account_meant()
        g.marks = {of: _watch(current, account_id, of).mark() for of in (REQUESTS, FAULTS, None)}


def mark(of: str | None) -> str:
    """The mark of the page that is being made, which is about requests, rules or an account."""
    return str(g.marks.get(of, ""))


def _watch(current: Service, account_id: str, of: str | None) -> Watch:
    accounts = current.accounts
    accounts.meet(account_id)

    def asked() -> str:
        return str(current.journal.added)

    def rules() -> str:  # by the thread that looks after all connections, too
        time_ = accounts.glance(account_id)
        met = current.faults.changes(account_id)
        changes = () if time_ is None else time_.changes
        return "-".join(map(str, (asked(), met, accounts.written(account_id), *changes)))

    if of == FAULTS:
        current.faults.meet(account_id)
    if of in (REQUESTS, FAULTS):
        read = asked if of == REQUESTS else rules
        return TextWatch(read, time.monotonic, read())
    return AccountWatch(
        lambda: accounts.glance(account_id),
        current.wall,
        time.monotonic,
        accounts.glance(account_id),
        lambda: accounts.written(account_id),
        accounts.written(account_id),
    )
