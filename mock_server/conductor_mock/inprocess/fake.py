"""The service as a place in this process: everything but the socket is the real one, of the client's side too.

A session's own adapter sends, with its retries and timeouts, through urllib3 and http.client, which write the bytes
that would go over a socket; the server reads them as it reads those of a socket. Clients that do not use the requests
library, and other processes, need `serving.Server`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests
import urllib3
from flask import Flask
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NewConnectionError

from conductor_mock.app import close_app, create_app
from conductor_mock.context import service_of
from conductor_mock.inprocess.memory import MemoryListener, MemorySocket
from conductor_mock.inprocess.routing import add, own_send
from conductor_mock.serving.environment import client_environment
from conductor_mock.settings import Settings
from conductor_mock.store.wall import WallClock, wall_us

HOST = "this-process-only.conductor-mock.test"
"""A host that the vendor's client accepts (wire reference 0.3) and that no name service knows (RFC 6761): a program
that was started with it fails at once, and shows why.
"""
URL = f"http://{HOST}"
PORT = 80

POOLED = 64
"""Connections that are kept for the next request; more than that are made when they are needed."""


class InProcess:
    """A fake that answers at `url` between `start` and `stop`; its app is opened and closed by whoever made it."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.url = URL
        self._listener = MemoryListener(app.wsgi_app, (HOST, PORT))
        self._pools: dict[bool, _Pool] = {}
        self._pid = os.getpid()
        self._send = own_send()
        self._classes: dict[tuple[type[HTTPAdapter], bool], type[HTTPAdapter]] = {}
        self._end: Callable[[], None] = _nothing
        self._is_away = False

    def environment(self) -> dict[str, str]:
        """The variables that point a client here."""
        service = service_of(self.app)
        return client_environment(self.url, service.keys, admin_token=service.settings.admin_token)

    @property
    def directory(self) -> Path:
        """Where its data lies."""
        return service_of(self.app).directory

    def start(self) -> None:
        """Answer the requests of every session of this process."""
        self._end()
        self._end = add(self)

    def stop(self) -> None:
        """Answer no more; safe to call twice. What other fakes and mocks do is not touched."""
        end, self._end = self._end, _nothing
        end()
        for is_control in (False, True):
            self._close_pool(is_control)

    def go_away(self) -> None:
        """Refuse connections, as a port does on which nobody listens; `adapter(is_control=True)` goes on."""
        self._is_away = True
        self._close_pool(False)

    def come_back(self) -> None:
        """Answer again, with all that there was."""
        self._is_away = False

    def adapter(self, like: HTTPAdapter | None = None, *, is_control: bool = False) -> HTTPAdapter:
        """An adapter for `session.mount(fake.url, ...)` that needs no `start`; one for control is answered always.

        It is as `like`, one of the requests library by default: of its class, with its attributes (`max_retries`).
        """
        like = HTTPAdapter() if like is None else like
        kind = (type(like), is_control)
        if kind not in self._classes:
            self._classes[kind] = self._class_like(*kind)
        adapter = object.__new__(self._classes[kind])
        adapter.__dict__.update(like.__dict__)
        return adapter

    def open(self, *, is_control: bool = False) -> MemorySocket:
        """A new connection. Raises ConnectionRefusedError while it is away, OSError in a process that was forked off:
        what it did would be lost on the other.
        """
        if self._is_away and not is_control:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        if os.getpid() != self._pid:
            raise OSError(
                f"the fake at {self.url} lives in process {self._pid}, of which this is a copy; serve it over a socket "
                "(conductor_mock.serving.server.Server) for more than one process"
            )
        return MemorySocket(self._listener)

    def _pool(self, is_control: bool) -> _Pool:
        """The connections of clients, or of the control API, made when they are first wanted."""
        pool = self._pools.get(is_control)
        if pool is None:
            made = _Pool(HOST, PORT, maxsize=POOLED, fake=self, is_control=is_control)
            pool = self._pools.setdefault(is_control, made)
        return pool

    def _close_pool(self, is_control: bool) -> None:
        pool = self._pools.pop(is_control, None)
        if pool is not None:
            pool.close()

    def _class_like(self, kind: type[HTTPAdapter], is_control: bool) -> type[HTTPAdapter]:
        """`kind` with these methods: what it does before and after it sends, it does."""
        own = self._send

        class Straight(HTTPAdapter):
            """Sends as requests does, whatever was put in the place of its `send`, and to no proxy."""

            def send(
                self, request: requests.PreparedRequest, *args: Any, **options: Any
            ) -> requests.Response:
                # stream, timeout, verify and cert may come by place, and then so may the proxies
                return own(self, request, *args[:4], **{**options, "proxies": {}})

        def to_here(*_: Any, **__: Any) -> _Pool:
            return self._pool(is_control)

        bases = (Straight,) if kind is HTTPAdapter else (kind, Straight)
        return type(kind.__name__, bases, {"get_connection_with_tls_context": to_here})

    @property
    def is_here(self) -> bool:
        """Whether this is the process that made it."""
        return os.getpid() == self._pid


@contextmanager
def in_process(settings: Settings | None = None, *, wall: WallClock = wall_us) -> Iterator[InProcess]:
    """A fake for the length of the block, for all that uses the requests library in this process.

    Without `data_dir` its data is thrown away in the end, and without `speed` its clock stands still. Requests to other
    hosts are refused with `requests.ConnectionError`, unless a mock of the user's answers them. `wall` gives wall time
    in microseconds since the epoch. Raises what `open_service` raises.
    """
    with closed_in_process(settings, wall=wall) as fake:
        fake.start()
        yield fake


@contextmanager
def closed_in_process(settings: Settings | None = None, *, wall: WallClock = wall_us) -> Iterator[InProcess]:
    """The same, which answers nobody before its `start`, and may be started and stopped again and again."""
    app = create_app(_settings(settings or Settings()), wall=wall)
    fake = InProcess(app)
    try:
        yield fake
    finally:
        fake.stop()
        close_app(app)


def _settings(wanted: Settings) -> Settings:
    """Never the user's own data folder, which belongs to the server at the terminal."""
    return replace(
        wanted,
        ephemeral=wanted.ephemeral or wanted.data_dir is None,
        speed=0 if wanted.speed is None else wanted.speed,
        allow_hosts=(*wanted.allow_hosts, HOST),
    )


class _Connection(urllib3.connection.HTTPConnection):
    """A connection to a fake."""

    def __init__(self, *args: Any, fake: InProcess, is_control: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        self._fake = fake
        self._is_control = is_control

    def connect(self) -> None:
        """Open it, which takes no time."""
        try:
            opened = self._fake.open(is_control=self._is_control)
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        opened.settimeout(self.timeout)
        self.sock: Any = opened

    @property
    def is_connected(self) -> bool:
        """Whether another request can go over it."""
        return self.sock is not None and self._fake.is_here and bool(self.sock.is_connected)


class _Pool(urllib3.HTTPConnectionPool):
    """The connections to one fake."""

    ConnectionCls = _Connection


def _nothing() -> None:
    """There is nothing to end."""
