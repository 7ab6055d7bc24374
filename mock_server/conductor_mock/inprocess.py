"""The same app without a socket: `responses` hands each request of the requests library to it.

    with in_process() as fake:
        os.environ.update(fake.environment())
        ...

Fast enough for property tests, and nothing but the socket is left out: routing, contract, log and store are the real
ones. Clients that do not use the requests library need `serving.Server`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import responses
from flask import Flask
from requests import PreparedRequest
from werkzeug.test import EnvironBuilder

from conductor_mock.app import close_app, create_app
from conductor_mock.context import service_of
from conductor_mock.faults.middleware import WIRE
from conductor_mock.faults.requests_wire import RequestsWire
from conductor_mock.serving.environment import client_environment
from conductor_mock.settings import Settings
from conductor_mock.store.wall import WallClock, wall_us
from conductor_mock.wire.answer import Answer

URL = "http://conductor.local"
"""A host that the vendor's client accepts (wire reference 0.3) and that no name service knows."""


class InProcess:
    """A fake that answers at `url` as long as `responses` is active."""

    def __init__(self, app: Flask, url: str = URL) -> None:
        self.app = app
        self.url = url

    def environment(self) -> dict[str, str]:
        """The variables that point a client here."""
        return client_environment(self.url, service_of(self.app).keys)

    def register(self, mock: responses.RequestsMock) -> None:
        """Answer every request to `url` that `mock` sees."""
        pattern = re.compile(re.escape(self.url) + "(/.*)?$", re.DOTALL)
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            mock.add_callback(method, pattern, callback=self.answer)

    def answer(self, request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        """What the app answers to one request: status, headers and body."""
        path, _, query = request.path_url.partition("?")
        headers = [(name, _text(value)) for name, value in request.headers.items()]
        environ = EnvironBuilder(
            query_string=query, base_url=self.url, method=request.method or "GET", headers=headers
        ).get_environ()
        environ["PATH_INFO"] = unquote(path, "latin-1")  # set here: `//api` would be taken for a host above
        environ["wsgi.input"] = _Stream(request.body)
        environ[WIRE] = RequestsWire()
        environ["wsgi.input_terminated"] = True  # the stream ends where the body ends, as cheroot's does
        environ.pop("CONTENT_LENGTH", None)
        if "Content-Length" in request.headers:
            environ["CONTENT_LENGTH"] = request.headers["Content-Length"]
        answer = Answer.of(self.app.wsgi_app, environ)
        try:
            return int(answer.status.split()[0]), dict(answer.headers), b"".join(answer.body)
        finally:
            answer.close()  # as WSGI asks of a server: a body may hold a file


@contextmanager
def in_process(settings: Settings | None = None, *, wall: WallClock = wall_us) -> Iterator[InProcess]:
    """A throw-away fake behind `responses` for the length of the block. Requests to other hosts are refused."""
    settings = settings or Settings(ephemeral=True, speed=0, allow_hosts=("conductor.local",))
    app = create_app(settings, wall=wall)
    try:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            fake = InProcess(app)
            fake.register(mock)
            yield fake
    finally:
        close_app(app)


class _Stream:
    """A request body of any kind that requests takes, as something to read from."""

    def __init__(self, body: Any) -> None:
        self._file = body if hasattr(body, "read") else None
        self._chunks: Iterator[bytes] = iter(())
        self._rest = b""
        if isinstance(body, str):
            self._rest = body.encode("utf-8")
        elif isinstance(body, (bytes, bytearray)):
            self._rest = bytes(body)
        elif self._file is None and isinstance(body, Iterable):
            self._chunks = iter(body)

    def read(self, size: int = -1) -> bytes:
        if self._file is not None:
            return _bytes(self._file.read(size))
        while size < 0 or len(self._rest) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            self._rest += _bytes(chunk)
        cut = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:cut], self._rest[cut:]
        return data

    def readline(self, size: int = -1) -> bytes:
        raise NotImplementedError("bodies are read in blocks")

    def close(self) -> None:
        """The body belongs to the caller."""


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else value
