"""Where bytes become requests: what cheroot leaves open about framing is closed here.

The head is read in `head`. What is refused there has the one error shape, a body is read in blocks however large its
chunks are, and a body that breaks off or is framed wrongly is the client's fault (400), not a defect of the server.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from email.utils import formatdate
from typing import Any

import cheroot.wsgi
from cheroot.server import HTTPConnection, HTTPRequest
from werkzeug.exceptions import BadRequest

from conductor_contracts.problems import Problem
from conductor_mock.errors import Refusal
from conductor_mock.serving.head import (
    Fields,
    HeadError,
    Lines,
    RequestLine,
    field,
    read_head,
    read_request_line,
)
from conductor_mock.serving.recurring import Recurring, titled

REQUEST = "conductor_mock.request"
"""Key of the environ: the `Request`."""

BLOCK = 1 << 18
DRAIN_BYTES = 1 << 30
LINGER_S = 2
_LINE = 4096
_TRAILERS = 100
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})([\t ]*;[\t -~\x80-\xff]*)?")


class Request(HTTPRequest):
    """A request whose head is read by `head`, and refused in our shape."""

    method = b""

    def parse_request(self) -> None:
        """Read the head by our rules (`head`), and tell cheroot what it needs to know of it."""
        try:
            fields = self._head()
        except HeadError as error:
            self.simple_response(f"{error.status.value} {error.status.phrase}", str(error))
            return
        if fields is None:
            return
        self.close_connection = not fields.keeps_alive
        self.chunked_read = fields.length is None
        if fields.expects_continue and fields.length != 0:
            self.conn.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.ready = True

    def _head(self) -> Fields | None:
        """Read request line and fields; None where the connection ends before them. Raises HeadError."""
        arrived = self.conn.arrived()
        if arrived is not None:
            line, block = arrived
            self._begin(line)
            recurring: Recurring | None = self.conn.recurring
            if recurring is None or not recurring.are_those_of(line, block):
                recurring = Recurring.read(line, block)
                self.conn.recurring = recurring if recurring.may_be_kept(line) else None
            self.inheaders = recurring.titled
            return recurring.fields
        lines = Lines(self.conn.rfile, self.server.max_request_header_size)
        begun = read_request_line(lines)
        if begun is None:
            return None
        self._begin(begun)
        fields = read_head(lines, begun)
        self.inheaders = titled(fields)
        return fields

    def _begin(self, line: RequestLine) -> None:
        self.started_request = True
        self.method = line.method
        self.uri, self.path, self.qs = line.target, line.path, line.query
        self.request_protocol = b"HTTP/%d.%d" % (line.major, line.minor)
        if line.minor:
            self.response_protocol = "HTTP/1.1"  # cheroot begins with HTTP/1.0

    def send_headers(self) -> None:
        """Send the head of the answer. It says that the connection closes where it does, to old clients too."""
        values = {name.lower(): value for name, value in self.outheaders}
        if values.get(b"connection") == b"close":
            self.close_connection = True
        elif self.close_connection:
            self.outheaders.append((b"Connection", b"close"))
        if b"date" not in values:
            self.outheaders.append((b"Date", self.server.date()))
        self.conn.hold()
        super().send_headers()

    def simple_response(self, status: str, msg: str = "") -> None:
        """Answer with the error shape and close: what follows on the connection cannot be trusted."""
        head, body = refusal(str(status), msg)
        self.abandon()
        try:
            self.conn.wfile.write(head + (b"" if self.method == b"HEAD" else body))
        except OSError:  # whoever sent this did not wait for the answer
            return

    def abandon(self) -> None:
        """Close the connection after the answer: what is left of the request cannot be read, or is too much."""
        self.close_connection = True
        self.conn.lingers = True


def refusal(status: str, message: str = "") -> tuple[bytes, bytes]:
    """Head and body of an answer in the error shape, after which the connection closes."""
    code, _, phrase = status.partition(" ")
    text = message or phrase
    body = json.dumps(Refusal(int(code), text, (Problem("", text),)).to_json()).encode("ascii")
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1"), body


class Connection(HTTPConnection):
    """A connection whose requests are read by `Request`, and that can be broken instead of closed."""

    RequestHandlerClass = Request
    broken = False
    lingers = False
    recurring: Recurring | None = None
    """The fields of the request before, where its client is likely to send them again."""

    def arrived(self) -> tuple[RequestLine, bytes] | None:
        """The line and the fields of a head that has come as a whole, which are taken out of what has come."""
        return None

    def waiting(self) -> AbstractContextManager[None]:
        """While it is open, the thread that answers does nothing."""
        return nullcontext()

    def hold(self) -> None:
        """Let what is written next wait for what follows it, so that both are sent at once: where that is cheaper."""

    def release(self) -> None:
        """Send what is held. Raises OSError."""

    def close(self) -> None:
        """Close; where it is `broken`, by a reset: that is what closing is when there is nothing to linger for."""
        if not self.broken:
            if self.lingers:
                self._linger()
            super().close()
            return
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for end in (self.rfile, self.wfile, self.socket):
            end.close()

    def _linger(self) -> None:
        """Say that nothing more comes, then read what was under way: who still sends would not see the answer else.

        RFC 9112 9.6. Ends when the client closes, says nothing for LINGER_S, or sends more than DRAIN_BYTES.
        """
        left = DRAIN_BYTES
        with suppress(OSError):  # the client is gone
            self.socket.shutdown(socket.SHUT_WR)
            self.socket.settimeout(LINGER_S)
            while left > 0 and (block := self.socket.recv(BLOCK)):
                left -= len(block)


class Gateway(cheroot.wsgi.Gateway_10):
    """Lets the app's wrappers reach the request, and sends the head of an answer with the first of its body."""

    def respond(self) -> None:
        """Answer; what is held at the end is a head without a body."""
        try:
            super().respond()
        finally:
            self.req.conn.release()

    def get_environ(self) -> Any:
        """The environ of the request, with the request itself."""
        request, recurring = self.req, self.req.conn.recurring
        if recurring is None or recurring.titled is not request.inheaders:
            environ = super().get_environ()  # type: ignore[no-untyped-call]
        elif recurring.environ is None:
            environ = super().get_environ()  # type: ignore[no-untyped-call]
            recurring.environ = {**environ, "wsgi.input": None}
        else:
            environ = {
                **recurring.environ,
                "PATH_INFO": request.path.decode("latin-1"),
                "QUERY_STRING": request.qs.decode("latin-1"),
                "REQUEST_METHOD": request.method.decode("latin-1"),
                "REQUEST_URI": request.uri.decode("latin-1"),
                "wsgi.errors": sys.stderr,
                "wsgi.input": request.rfile,
            }
        environ[REQUEST] = request
        return environ


class Listener(cheroot.wsgi.Server):
    """cheroot's server, whose connections are ours."""

    ConnectionClass = Connection
    _dated: tuple[int | None, bytes] = (None, b"")

    def date(self) -> bytes:
        """The time of day as an answer tells it, made once a second."""
        now_s, (at_s, text) = int(time.time()), self._dated
        if at_s != now_s:
            text = formatdate(now_s, usegmt=True).encode("ascii")
            self._dated = (now_s, text)
        return text

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
        self._read = _Chunks(stream.rfile).read if chunked else _Counted(stream).read
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


class _Counted:
    """A body of as many bytes as Content-Length says: fewer are not all of it (RFC 9112 8)."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        wanted = min(size, self._stream.remaining)
        block: bytes = self._stream.read(size)
        if len(block) < wanted:
            raise ValueError(f"it ended {self._stream.remaining} bytes before its Content-Length")
        return block


class _Chunks:
    """A chunked body (RFC 9112 7.1), read as it comes: cheroot would hold a whole chunk, which may be of any size.

    Extensions and trailers are passed over (RFC 9112 7.1.1 and 7.1.2), once they are seen to be such.
    """

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
                self._skip_trailers()
                self._ended = True
                return b""
        block: bytes = self._stream.read(min(size, self._left))
        if not block:
            raise ValueError("it ended in the middle of a chunk")
        self._left -= len(block)
        if self._left == 0 and self._line() != b"":
            raise ValueError("a chunk is longer than its declared size")
        return block

    def _next_size(self) -> int:
        line = self._line()
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise ValueError(f"{line[:40]!r} is not the size of a chunk")
        return int(match[1], 16)

    def _skip_trailers(self) -> None:
        for _ in range(_TRAILERS):
            line = self._line()
            if not line:
                return
            field(line)
        raise ValueError("there are too many trailers")

    def _line(self) -> bytes:
        line: bytes = self._stream.readline(_LINE)
        if not line.endswith(b"\r\n"):
            raise ValueError(
                "it breaks off before its last chunk, or a line in it has no end (CR LF) or is too long"
            )
        return line[:-2]
