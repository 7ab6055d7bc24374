"""A socket in front of the app: cheroot, several threads, one process (measured in docs/background.md).

What cheroot leaves open is closed here: a request that was refused before its body was read is read to its end, so
that the client sees the answer instead of a reset connection.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol, cast

from flask import Flask

from conductor_mock.context import service_of
from conductor_mock.faults.fault import Wire
from conductor_mock.faults.middleware import WIRE
from conductor_mock.serving import ready
from conductor_mock.serving.accepting import PatientListener
from conductor_mock.serving.environment import client_environment
from conductor_mock.serving.framing import REQUEST, Body, Connection, Gateway, Listener
from conductor_mock.serving.patience import Limits
from conductor_mock.serving.wire import SocketWire
from conductor_mock.store import trouble
from conductor_mock.store.objects import DamagedContentError
from conductor_mock.version import version
from conductor_mock.wire.answer import App

log = logging.getLogger(__name__)

THREADS = 64
"""At work at once; those that wait for their client do not count."""

BACKLOG = 1024

_MARGIN_S = 3
"""What requests that are cut off at the end of the grace may take to notice."""

MAX_HEAD_BYTES = 1 << 16
"""Request line and headers together; a token request carries a private key of a few KiB in its URL."""


class AddressError(OSError):
    """The address cannot be bound; the text says why."""


class Server:
    """The app on a socket, served by threads of this process."""

    def __init__(
        self,
        app: Flask,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        grace_s: int = 0,
        closes: bool = True,
        bound: socket.socket | None = None,
    ) -> None:
        """Bind to `host:port` (0: a free port). `grace_s` is how long a stop waits for requests under way; it closes
        the app's data too, unless that goes on without it (`closes`). With `bound` it serves a socket that
        others serve, too, at whatever address that has.

        Raises AddressError; RuntimeError where there can be no more threads.
        """
        self._app = app
        self._closes = closes
        self._stopping = threading.Event()
        self._grace_s = grace_s
        host = numeric(host)
        if bound is not None:
            host, port = bound.getsockname()[:2]
        self._server = PatientListener(
            (host, port),
            Drain(app.wsgi_app, self._wire),
            Limits.of(service_of(app).settings),
            THREADS,
            bound=bound,
            request_queue_size=BACKLOG,
            shutdown_timeout=grace_s,
            server_name="127.0.0.1",
        )
        configure(self._server)
        service_of(app).objects.wait_by(self._server.requests.waiting)
        self._server.expiration_interval = 0.02
        self._prepare(f"{host}:{port}")
        self._thread = threading.Thread(target=self._server.serve, name="conductor-mock", daemon=True)

    def _wire(self, connection: Connection, body: Body) -> Wire:
        return SocketWire(connection, body, self._stopping)

    def _prepare(self, shown: str) -> None:
        """Bind, and start the threads. Raises AddressError.

        A thread is of the kind of the one that starts it, and one that does not come back must not keep the process:
        so a daemon thread starts them.
        """
        problems: list[Exception] = []

        def prepare() -> None:
            try:
                self._server.prepare()
            except Exception as error:  # noqa: BLE001 - handed to whoever waits
                problems.append(error)

        starting = threading.Thread(target=prepare, daemon=True)
        starting.start()
        starting.join()
        for problem in problems:
            raise _address_error(shown, problem) from problem

    @property
    def port(self) -> int:
        return int(self._server.bind_addr[1])

    @property
    def url(self) -> str:
        """The origin to configure clients with: 127.0.0.1 where it is served, never localhost (wire reference 0.3)."""
        host = str(self._server.bind_addr[0])
        if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            host = "127.0.0.1"
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def directory(self) -> Path:
        """Where its data lies."""
        return service_of(self._app).directory

    def start(self) -> None:
        """Accept connections; returns at once. Raises RuntimeError where there can be no more threads."""
        self._thread.start()

    def drain(self) -> None:
        """Say that it is not ready, and close connections behind their answers, but go on answering until `stop`."""
        service_of(self._app).readiness.drain()

    def stop(self) -> None:
        """Stop accepting, let requests under way end, close the app's data if it `closes`.

        Requests that wait because of a fault end at once, others after the grace: those who read from their client are
        cut off, and one that does not notice is given up. Raises what the closing of data raises, after all of it.
        """
        self._stopping.set()
        stopping = threading.Thread(target=self._server.stop, name="stopping", daemon=True)
        try:
            stopping.start()
            stopping.join(self._grace_s + _MARGIN_S)
        except RuntimeError:  # no more threads: then as long as it takes
            self._server.stop()
        if stopping.is_alive():
            log.warning("some requests did not end in %d s, and are given up", self._grace_s)
        elif self._thread.ident is not None:  # it was started
            self._thread.join()
        if self._closes:
            service_of(self._app).close()

    def environment(self) -> dict[str, str]:
        """The variables that point a client here."""
        service = service_of(self._app)
        return client_environment(self.url, service.keys, admin_token=service.settings.admin_token)

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def numeric(host: str) -> str:
    """The host to bind for one that was asked for. Raises AddressError."""
    if not host:
        raise AddressError("--host is empty; 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses")
    return "127.0.0.1" if host == "localhost" else host  # it may mean ::1, and clients use the other


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens at `host:port`, for several processes that accept from it. Raises AddressError."""
    host = numeric(host)
    shown = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, proto, _, address = found[0]
        sock = Listener.prepare_socket(address, family, kind, proto, nodelay=True, ssl_adapter=None)
        try:
            sock.bind(address)
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
    except (OSError, UnicodeError, OverflowError) as error:
        raise _address_error(shown, error) from error
    return cast(socket.socket, sock)


def _address_error(shown: str, problem: Exception) -> Exception:
    """What a problem with an address is, in words; one that is none is itself."""
    if isinstance(problem, socket.gaierror):
        return AddressError(f"cannot listen on {shown}: {problem.strerror or problem}")
    if isinstance(problem, OSError):
        return AddressError(f"cannot listen on {shown}: {_why(problem)}")
    if isinstance(problem, UnicodeError):  # a label of a name is empty or too long
        return AddressError(f"cannot listen on {shown}: it is no host name")
    if isinstance(problem, OverflowError):  # no port
        return AddressError(f"cannot listen on {shown}: {problem}")
    return problem


class Announced(Protocol):
    """What a ready file tells of."""

    @property
    def url(self) -> str: ...

    @property
    def directory(self) -> Path: ...

    def environment(self) -> dict[str, str]: ...


def write_ready_file(path: Path, server: Announced) -> None:
    """Tell whoever waits that the socket accepts connections. A regular file is written whole or not at all, 0600."""
    document = {"url": server.url, "pid": os.getpid(), "version": version(), "env": server.environment()}
    ready.write(path, document)


def configure(listener: Listener) -> None:
    """Let a listener read requests, and log, as ours do."""
    listener.gateway = Gateway
    listener.error_log = _log_server_error  # type: ignore[method-assign, assignment]  # its hook for logs
    listener.max_request_header_size = MAX_HEAD_BYTES
    # cheroot keeps figures of every listener that there ever was, and with them its app, in a place of its own.
    getattr(logging, "statistics", {}).pop(f"Cheroot HTTPServer {id(listener)}", None)


class Drain:
    """Gives the app a body to read and the way back to the client; what it leaves of the body is read before the answer
    goes out, or the connection is closed.
    """

    def __init__(self, app: App, wire: Callable[[Connection, Body], Wire]) -> None:
        self._app = app
        self._wire = wire

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = environ[REQUEST]
        body = environ["wsgi.input"] = Body(environ["wsgi.input"], chunked=environ["wsgi.input_terminated"])
        environ[WIRE] = self._wire(request.conn, body)
        answer = self._app(environ, start_response)
        if not body.drain():  # cheroot sends no head before the first block of the answer is taken
            request.abandon()
        return answer


def _log_server_error(message: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
    error = sys.exc_info()[1] if traceback else None
    why = None if error is None else _why_broken_off(error)
    if why is None:
        log.log(level, "%s", message, exc_info=traceback)
    else:
        log.error("an answer was broken off: %s", why)


def _why_broken_off(error: BaseException) -> str | None:
    """Why an answer could not be sent to its end; None where that is a defect."""
    return str(error) if isinstance(error, DamagedContentError) else trouble.reason(error)


def _why(error: OSError) -> str:
    """cheroot wraps the error of each address that it tried into a text; the number is still in it."""
    numbers = [error.errno, *map(int, re.findall(r"\[Errno (\d+)\]", str(error)))]
    number = next((number for number in numbers if number), 0)
    if number == errno.EADDRINUSE:
        return f"{os.strerror(number)}: end what listens there, or name another --port (0 takes a free one)"
    return os.strerror(number) if number else str(error)
