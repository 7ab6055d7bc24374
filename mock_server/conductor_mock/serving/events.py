"""Server-sent events: connections that are told that something changed, and cost no thread.

A view opens a `Stream` and answers with it: the thread that serves it sends the head and the first event, and gives the
connection back like any other. From then on the thread that looks after all waiting connections (`accepting.Waiting`)
asks the stream's `watch` now and then, and writes when there is something to tell. Nothing is kept for a client that
does not read: its stream is closed, and its browser comes again by itself.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

log = logging.getLogger(__name__)

MOST = 64
"""Streams at once; whoever asks beyond that gets an answer that ends, and so asks again after RETRY_MS."""

RETRY_MS = 3000
"""After which a browser asks again when its stream has ended."""

BEAT = b": \n\n"

LOOK_S = 0.5
"""How often streams are asked whether there is something to tell."""

BEAT_S = 15
"""A stream that tells nothing for so long shows that it is alive; so a client that is gone is noticed."""


class Watch(Protocol):
    """What a stream is about. It is quick, and waits for nothing.

    A mark names what there is to be seen, without blanks: what is shown under another one may be out of date.
    """

    def mark(self) -> str:
        """The mark of what is there now."""

    def has_news(self) -> bool:
        """Whether something changed since it was last asked."""


def first(watch: Watch) -> bytes:
    """What a stream begins with: a client that shows something of another mark missed a change before it was there."""
    return f"retry: {RETRY_MS}\ndata: here {watch.mark()}\n\n".encode("ascii")


def changed(watch: Watch) -> bytes:
    """What is told of a change."""
    return f"data: changed {watch.mark()}\n\n".encode("ascii")


class Told(Protocol):
    """A connection, as a stream knows it."""

    stream: Stream | None
    socket: Any


class Stream:
    """What is answered to whoever wants to be told: iterated once by the thread that serves it."""

    def __init__(self, streams: EventStreams, connection: Told, request: Any, watch: Watch) -> None:
        self._streams = streams
        self._connection = connection
        self._request = request
        self.watch = watch
        self.said_s = 0.0
        self._is_chunked = False
        self._is_released = False

    def __iter__(self) -> Iterator[bytes]:
        """The first event; the connection is the stream's from then on."""
        self._connection.stream = self
        yield first(self.watch)

    def close(self) -> None:
        """The first event was sent, or nothing was: then the place is free again."""
        if self._connection.stream is not self:
            self.release()
        elif self._request.chunked_write:
            self._is_chunked = True
            self._request.chunked_write = False  # the answer does not end here

    def release(self) -> None:
        """Give the place back; safe to call twice."""
        if not self._is_released:
            self._is_released = True
            self._streams.release()

    def send(self, event: bytes, now_s: float) -> bool:
        """Tell the client, without waiting; False where it is gone, or does not read."""
        framed = b"%x\r\n%s\r\n" % (len(event), event) if self._is_chunked else event
        self.said_s = now_s
        with suppress(OSError):
            return bool(self._connection.socket.send(framed) == len(framed))
        return False


class EventStreams:
    """How many streams there are, and what is due for one."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._taken = 0

    def __len__(self) -> int:
        return self._taken

    def open(self, connection: Told, request: Any, watch: Watch) -> Stream | None:
        """A stream, None where there are as many as there may be."""
        with self._lock:
            if self._taken >= self._most:
                return None
            self._taken += 1
        return Stream(self, connection, request, watch)

    def release(self) -> None:
        """One less."""
        with self._lock:
            self._taken -= 1


def due(stream: Stream, now_s: float) -> bytes:
    """What a stream has to say now, nothing if there is nothing.

    A watch that cannot look, as where a database is away, has no news, and looks again.
    """
    try:
        if stream.watch.has_news():
            return changed(stream.watch)
    except Exception:  # whatever a watch raises: the thread that asks looks after all connections
        log.debug("a stream cannot say whether there is something new", exc_info=True)
    return BEAT if now_s - stream.said_s >= BEAT_S else b""
