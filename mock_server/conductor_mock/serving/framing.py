"""Where bytes become requests: what cheroot leaves open about framing is closed here.

What cheroot refuses by itself is said in the one error shape, a body is read in blocks however large its chunks are,
and a body that breaks off or is framed wrongly is the client's fault (400), not a defect of the server.
"""

from __future__ import annotations

import json
import re
import socket
import struct
from typing import Any

import cheroot.wsgi
from cheroot.server import HTTPConnection, HTTPRequest
from werkzeug.exceptions import BadRequest

from conductor_contracts.problems import Problem
from conductor_mock.errors import Refusal

REQUEST = "conductor_mock.request"
"""Key of the environ: the `Request`."""

BLOCK = 1 << 18
DRAIN_BYTES = 1 << 30
_LINE = 4096
_TRAILERS = 100
_HOST_LIKE = re.compile(rb"^(\S+ )(?=//)")
_SHIELD = b"/."


class Request(HTTPRequest):
    """A request that is refused in our shape when cheroot cannot read its head."""

    def read_request_line(self) -> bool:
        """Read the first line. What begins with two slashes is a path (wire reference 0.3), which the app puts right.

        cheroot takes what stands behind them for the name of a host, and refuses it; so it is shown another beginning.
        """
        stream = self.rfile
        first = self.rfile = _FirstLine(stream)
        try:
            is_read = bool(super().read_request_line())  # type: ignore[no-untyped-call]
        finally:
            self.rfile = stream
        if is_read and first.is_shielded:
            self.uri, self.path = self.uri.removeprefix(_SHIELD), self.path.removeprefix(_SHIELD)
        return is_read

    def read_request_headers(self) -> bool:
        """Read the head; refuse a length that is no plain number: `-1` would make later reads wait for ever."""
        if not super().read_request_headers():  # type: ignore[no-untyped-call]
            return False
        length = self.inheaders.get(b"Content-Length")
        if length is not None and not length.isdigit():
            self.simple_response("400 Bad Request", "Content-Length must be a whole number of bytes")
            return False
        return True

    def send_headers(self) -> None:
        """Send the head of the answer, and do close when it says so: cheroot goes by its own mark alone."""
        if any(name.lower() == b"connection" and value == b"close" for name, value in self.outheaders):
            self.close_connection = True
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer with the error shape and close: what follows on the connection cannot be trusted."""
        code, _, phrase = str(status).partition(" ")
        text = msg or phrase
        body = json.dumps(Refusal(int(code), text, (Problem("", text),)).to_json()).encode("ascii")
        head = (
            f"{self.server.protocol} {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.close_connection = True
        try:
            self.conn.wfile.write(head.encode("latin-1") + body)
        except OSError:  # whoever sent this did not wait for the answer
            return


class _FirstLine:
    """A stream as long as the first line of a request is read from it: its target does not begin with two slashes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.is_shielded = False

    def readline(self) -> bytes:
        line, count = _HOST_LIKE.subn(rb"\1" + _SHIELD, self._stream.readline())
        self.is_shielded = count > 0
        return line


class Connection(HTTPConnection):
    """A connection whose requests are read by `Request`, and that can be broken instead of closed."""

    RequestHandlerClass = Request
    broken = False

    def close(self) -> None:
        """Close; where it is `broken`, by a reset: that is what closing is when there is nothing to linger for."""
        if not self.broken:
            super().close()
            return
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for end in (self.rfile, self.wfile, self.socket):
            end.close()


class Gateway(cheroot.wsgi.Gateway_10):
    """Lets the app's wrappers reach the request."""

    def get_environ(self) -> Any:
        """The environ of the request, with the request itself."""
        environ = super().get_environ()  # type: ignore[no-untyped-call]
        environ[REQUEST] = self.req
        return environ


class Listener(cheroot.wsgi.Server):
    """cheroot's server, whose connections are ours."""

    ConnectionClass = Connection

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> socket.socket:
        """Bind, or give the socket back."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_


class Body:
    """The body of one request as the app reads it."""

    def __init__(self, stream: Any, *, chunked: bool) -> None:
        self._read = _Chunks(stream.rfile).read if chunked else stream.read
        self._broken = False

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes, all that is left without a size. Raises BadRequest when the client breaks off."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(BLOCK), b""))
        if self._broken:
            raise BadRequest("the request body could not be read")
        try:
            return bytes(self._read(size))
        except (OSError, ValueError) as error:
            self._broken = True
            raise BadRequest(f"the request body could not be read: {error}") from error

    def readline(self, size: int = -1) -> bytes:
        raise NotImplementedError("bodies are read in blocks")

    def drain(self) -> bool:
        """Read what is left, up to DRAIN_BYTES; False when the connection is of no more use."""
        left = DRAIN_BYTES
        try:
            while left > 0:
                block = self.read(BLOCK)
                if not block:
                    return True
                left -= len(block)
        except BadRequest:
            return False
        return False


class _Chunks:
    """A chunked body, read as it comes: cheroot would hold a whole chunk, which may be of any size, in memory."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._left = 0
        self._ended = False

    def read(self, size: int) -> bytes:
        if self._ended or size == 0:
            return b""
        if self._left == 0:
            self._left = self._next_size()
            if self._left == 0:
                self._ended = True
                self._skip_trailers()
                return b""
        block: bytes = self._stream.read(min(size, self._left))
        if not block:
            raise ValueError("it ended in the middle of a chunk")
        self._left -= len(block)
        if self._left == 0 and self._line() != b"":
            raise ValueError("a chunk is longer than its declared size")
        return block

    def _next_size(self) -> int:
        text = self._line().partition(b";")[0].strip()
        if not text or len(text) > 15 or text.strip(b"0123456789abcdefABCDEF"):
            raise ValueError(f"{text[:40]!r} is not the size of a chunk")
        return int(text, 16)

    def _skip_trailers(self) -> None:
        for _ in range(_TRAILERS):
            if not self._line():
                return
        raise ValueError("there are too many trailers")

    def _line(self) -> bytes:
        line: bytes = self._stream.readline(_LINE)
        if not line.endswith(b"\n"):
            raise ValueError("it ended before its last chunk, or a line in it is too long")
        return line.rstrip(b"\r\n")
