"""A server made of bytes, for what only shows on a socket: drops, stalls, stale connections, framing."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

_KEPT = 1024 * 1024


@dataclass(frozen=True)
class RawRequest:
    """A request as it came, and the number (from 0) of the connection that it came over.

    ``body`` is the first mebibyte of it, ``size`` all of its bytes.
    """

    connection: int
    line: str
    headers: dict[str, str]
    body: bytes
    size: int


@dataclass(frozen=True)
class Step:
    """What is done with a connection, once ``after`` was read from it: a ``request``, its ``head``, or ``nothing``."""

    act: Callable[[socket.socket, threading.Event], None]
    after: str = "request"


def answer(status: int, body: bytes = b"{}", *headers: str) -> Step:
    """Send a whole response."""
    lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {len(body)}", *headers, "", ""]
    return Step(lambda connection, _: connection.sendall("\r\n".join(lines).encode() + body))


def refuse_early(status: int) -> Step:
    """Answer and close when the head was read, with the body still on its way."""
    return Step(answer(status, b"no", "Connection: close").act, after="head")


def _reset(connection: socket.socket, closing: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _truncate(connection: socket.socket, closing: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def _stall(connection: socket.socket, closing: threading.Event) -> None:
    closing.wait()


def _nothing(connection: socket.socket, closing: threading.Event) -> None:
    pass


# A connection is closed after its last step, so each of these but ``stall`` should be the last one.
drop = Step(_nothing)
hang_up = Step(_nothing, after="nothing")
reset = Step(_reset)
truncated = Step(_truncate)
stall = Step(_stall)


@dataclass
class RawServer:
    """Takes one connection after another; each request of each takes the next step of the script.

    ``scripts`` holds the steps for each connection. After its last step a connection is closed.
    """

    scripts: Iterable[Iterable[Step]]
    requests: list[RawRequest] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> RawServer:
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.set()
        # Wakes an accept that waits for a connection which never comes.
        with socket.create_connection(self._listener.getsockname()):
            self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        for number, steps in enumerate(self.scripts):
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rb") as stream:
                if self._closing.is_set():
                    return
                for step in steps:
                    if step.after != "nothing" and not self._read(number, stream, step):
                        break
                    step.act(connection, self._closing)

    def _read(self, number: int, stream: BinaryIO, step: Step) -> bool:
        """Read a request and note it. Return False at the end of the connection."""
        line = stream.readline().decode("latin-1").strip()
        headers: dict[str, str] = {}
        while header := stream.readline().decode("latin-1").strip():
            name, _, value = header.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0")) if step.after == "request" else 0
        if not line:
            return False
        body = stream.read(min(length, _KEPT))
        size = len(body)
        while size < length and (block := stream.read(min(length - size, _KEPT))):
            size += len(block)
        self.requests.append(RawRequest(number, line, headers, body, size))
        return True
