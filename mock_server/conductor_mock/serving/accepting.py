"""Connections from when they are taken to when a thread gets them, which is when the head of a request is there.

One thread looks after all that wait, whether they say nothing or send a head byte by byte: they cost a descriptor each
and no thread. Where there are too many, the one that has waited longest makes room. Where this process may open no more
files, new ones wait and the others go on.
"""

from __future__ import annotations

import errno
import logging
import resource
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from conductor_mock.serving.events import LOOK_S, EventStreams, Stream, due
from conductor_mock.serving.framing import Listener, refusal
from conductor_mock.serving.head import RequestLine
from conductor_mock.serving.patience import IDLE_S, Limits, is_ready
from conductor_mock.serving.streams import SocketConnection
from conductor_mock.serving.threads import Served, Threads
from conductor_mock.wire.answer import App

log = logging.getLogger(__name__)

CONTROL_THREADS = 8

_FEWEST = 16
"""Connections, however few files may be open."""
_OWN_FILES = 64
"""Files that a server opens for itself: its database, locks, contents."""

_ACCEPTED_AT_ONCE = 64
"""Connections that are taken before those that are there are looked at again."""

_PAUSE_S = 0.1
"""Until the next try to take a connection that could not be taken."""

_SAY_EVERY_S = 60


class PatientListener(Listener):
    """A listener on a socket, with limits to what its clients may take."""

    def __init__(
        self,
        address: tuple[str, int],
        app: App,
        limits: Limits,
        threads: int,
        *,
        bound: socket.socket | None = None,
        **options: Any,
    ) -> None:
        """`bound` is a socket that other processes accept from, too; None: it binds one of its own."""
        self._bound = bound
        super().__init__(address, app, timeout=IDLE_S, **options)
        self._limits = limits
        self.requests = Threads(threads, CONTROL_THREADS, self._put)

    def prepare(self) -> None:
        """Bind, and start the threads."""
        try:
            super().prepare()
        except RuntimeError:  # no more threads
            self.requests.stop(0)
            if self._bound is None:
                self.socket.close()
            raise
        self._connections.close()  # type: ignore[has-type]  # nothing waits on it yet
        # Who takes few leaves some to the others.
        at_once = _ACCEPTED_AT_ONCE if self._bound is None else 1
        self._connections = Waiting(self, self.requests, self._limits, at_once)

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:
        """A socket at the address, or the one that there is."""
        if self._bound is None:
            return cast(socket.socket, super().bind(family, type, proto))
        self.socket = self._bound
        self.bind_addr = self.resolve_real_bind_addr(self._bound)  # type: ignore[no-untyped-call]
        return self._bound

    def _put(self, connection: Served) -> None:
        self.put_conn(connection)


@dataclass(slots=True, eq=False)
class _Parked:
    """A thread that waits for its client, and what is to be done for it when the socket is ready."""

    sock: socket.socket
    step: Callable[[], bool]
    is_done: bool = False
    over: threading.Event = field(default_factory=threading.Event)


class Waiting:
    """The connections that wait for the head of a request, in the place of cheroot's manager of them."""

    can_add_keepalive_connection = True
    """Another one makes room."""

    def __init__(self, server: Listener, threads: Threads, limits: Limits, at_once: int) -> None:
        self._at_once = at_once
        self._server, self._threads = server, threads
        self._limits = replace(limits, connections=min(limits.connections, _descriptors()))
        self._socket = server.socket
        self._socket.setblocking(False)
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        # Each in the order in which they began to wait, which is that in which their time is over.
        self._silent: dict[SocketConnection, None] = {}
        self._sending: dict[SocketConnection, None] = {}
        self._parked: dict[_Parked, None] = {}
        self.events = EventStreams()
        self._told: dict[SocketConnection, Stream] = {}
        self._look_at_s = 0.0
        self._paused_until = 0.0
        self._said_at = -float(_SAY_EVERY_S)
        self._is_running = self._is_stopping = self._is_closed = False

    def run(self, interval_s: float) -> None:
        """Take connections and hand over requests until `stop`."""
        self._is_running = True
        try:
            while not self._is_stopping:
                for key, _ in self._selector.select(interval_s):
                    if key.data is None:
                        self._accept()
                    elif isinstance(key.data, _Parked):
                        self._step(key.data)
                    elif (
                        key.data in self._silent or key.data in self._sending
                    ):  # it did not make room just now
                        self._take(key.data)
                    elif key.data in self._told:  # nothing is to come from it but its end
                        self._drop(key.data)
                self._look_at_the_time()
        finally:
            self._is_running = False

    def stop(self) -> None:
        """End `run`."""
        self._is_stopping = True
        while self._is_running:
            time.sleep(0.01)

    def close(self) -> None:
        """Close all that wait."""
        with self._lock:
            self._is_closed = True
            for connection in (*self._silent, *self._sending, *self._told):
                _close(connection)
            for parked in self._parked:
                parked.over.set()
            self._parked.clear()
            self._selector.close()

    def put(self, connection: SocketConnection) -> None:
        """Wait for the next request of a connection; what has come of it counts. One that has a stream is told from now
        on, and asks no more.
        """
        if connection.stream is not None:
            self._tell(connection, connection.stream)
            return
        connection.renew()
        if connection.rfile.has_data() and connection.has_head():
            self._hand_over(connection)
            return
        with self._lock:
            if self._is_closed:
                _close(connection)
            else:
                self._add(connection)

    def _tell(self, connection: SocketConnection, stream: Stream) -> None:
        stream.said_s = time.monotonic()
        with self._lock:
            if self._is_closed:
                _close(connection)
            else:
                self._told[connection] = stream
                self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _drop(self, connection: SocketConnection) -> None:
        with self._lock:
            del self._told[connection]
            self._selector.unregister(connection.socket)
        _close(connection)

    def _tell_what_is_due(self, now_s: float) -> None:
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_S
        with self._lock:
            told = list(self._told.items())
        for connection, stream in told:
            event = due(stream, now_s)
            if event and not stream.send(event, now_s):
                self._drop(connection)

    def park(self, sock: socket.socket, event: int, step: Callable[[], bool], seconds: float) -> None:
        """Call `step` whenever the socket is ready, until it is true or the time is over.

        Once all is closed, wait until the socket is ready and leave the step to whoever asks.
        """
        parked = _Parked(sock, step)
        with self._lock:
            goes_on = not self._is_closed
            if goes_on:
                self._parked[parked] = None
                self._selector.register(sock, event, parked)
        if goes_on:
            began_s = time.monotonic()
            parked.over.wait(max(0, seconds))
            self._leave(parked)
            seconds -= time.monotonic() - began_s
        if self._is_closed and not parked.is_done and seconds > 0:
            is_ready(sock, event, seconds)

    def _step(self, parked: _Parked) -> None:
        with self._lock:  # so that the thread that waits does not go on in the middle of it
            parked.is_done = parked in self._parked and parked.step()
        if parked.is_done:
            self._leave(parked)
            parked.over.set()

    def _leave(self, parked: _Parked) -> None:
        with self._lock:
            if parked in self._parked:
                del self._parked[parked]
                self._selector.unregister(parked.sock)

    def _add(self, connection: SocketConnection) -> None:
        now_s = time.monotonic()
        if connection.rfile.has_data():
            connection.waits_until = now_s + self._limits.head_s
            self._sending[connection] = None
        else:
            connection.waits_until = now_s + IDLE_S
            self._silent[connection] = None
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def _remove(self, connection: SocketConnection) -> None:
        with self._lock:
            self._silent.pop(connection, None)
            self._sending.pop(connection, None)
            self._selector.unregister(connection.socket)

    def _accept(self) -> None:
        for _ in range(self._at_once):
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._pause()
                elif error.errno != errno.ECONNABORTED:  # it went away while it waited to be taken
                    raise
                return
            connection = SocketConnection(self._server, sock, self._limits, self)
            connection.remote_addr, connection.remote_port = address[0], address[1]
            self._make_room()
            with self._lock:
                self._add(connection)

    def _pause(self) -> None:
        """Take none for a moment: the socket would be ready again at once."""
        self._selector.unregister(self._socket)
        self._paused_until = time.monotonic() + _PAUSE_S
        if time.monotonic() - self._said_at >= _SAY_EVERY_S:
            self._said_at = time.monotonic()
            log.warning("connections wait: this process may open no more files (ulimit -n)")

    def _make_room(self) -> None:
        if (
            len(self._silent) + len(self._sending) + len(self._told) + len(self._threads)
            < self._limits.connections
        ):
            return
        with self._lock:
            oldest = next(iter(self._silent or self._sending), None)
        if oldest is not None:
            self._remove(oldest)
            _close(oldest)

    def _take(self, connection: SocketConnection) -> None:
        """See what a client has sent."""
        goes_on = connection.rfile.take()
        if connection.has_head() or not goes_on:
            self._remove(connection)
            if connection.rfile.has_data():
                self._hand_over(connection)
            else:
                _close(connection)
        elif connection in self._silent:
            with self._lock:
                del self._silent[connection]
                connection.waits_until = time.monotonic() + self._limits.head_s
                self._sending[connection] = None

    def _hand_over(self, connection: SocketConnection) -> None:
        """Let threads answer. Places are kept for the control plane, and for those that have not asked yet."""
        most, reserved = self._limits.connections, self._limits.reserved
        if _is_control(connection.arriving.line):
            lane, most = self._threads.control, most - reserved // 2
        else:
            lane, most = self._threads.others, most - reserved
        if len(self._threads) < most:
            lane.put(connection)
        else:
            _refuse(connection, "503 Service Unavailable", f"{most} connections are in use; try again later")

    def _look_at_the_time(self) -> None:
        now_s = time.monotonic()
        self._tell_what_is_due(now_s)
        if self._paused_until and now_s >= self._paused_until:
            self._paused_until = 0.0
            self._selector.register(self._socket, selectors.EVENT_READ)
        self._end_over(self._silent, now_s, _close)
        self._end_over(self._sending, now_s, self._too_slow)

    def _end_over(
        self,
        waiting: dict[SocketConnection, None],
        now_s: float,
        end: Callable[[SocketConnection], None],
    ) -> None:
        """End those whose time is over."""
        while waiting:
            with self._lock:
                connection = next(iter(waiting), None)
            if connection is None or connection.waits_until > now_s:
                return
            self._remove(connection)
            end(connection)

    def _too_slow(self, connection: SocketConnection) -> None:
        text = f"the head of the request was not whole after {self._limits.head_s:g} s"
        _refuse(connection, "408 Request Timeout", text)


def _is_control(line: RequestLine | None) -> bool:
    return line is not None and line.path.lstrip(b"/").split(b"/", 1)[0] == b"_mock"


def _refuse(connection: SocketConnection, status: str, text: str) -> None:
    """Say why and close, without waiting for anything."""
    with suppress(OSError):
        connection.socket.send(b"".join(refusal(status, text)))
    _close(connection)


def _close(connection: SocketConnection) -> None:
    with suppress(OSError):
        connection.close()


def _descriptors() -> int:
    """How many of the files that this process may open can be connections."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(_FEWEST, min(limit * 3 // 4, limit - _OWN_FILES))
