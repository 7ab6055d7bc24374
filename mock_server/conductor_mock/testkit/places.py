"""Where a fake is: in this process, on a socket of it, or elsewhere; how it is asked, taken away and brought back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from flask import Flask
from requests import Response
from requests.adapters import BaseAdapter, HTTPAdapter

from conductor_mock.app import close_app, create_app
from conductor_mock.context import service_of
from conductor_mock.inprocess import HOST, InProcess, alias
from conductor_mock.inprocess.routing import own_send
from conductor_mock.serving.environment import ADMIN_TOKEN, environment_of
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.testkit.control import Control, ControlError
from conductor_mock.testkit.values import Account


class Place(Protocol):
    """A service that a fake is an account of."""

    @property
    def url(self) -> str:
        """Its origin, for clients."""

    @property
    def control_url(self) -> str:
        """Its origin for `control_adapter`."""

    @property
    def admin_token(self) -> str | None:
        """What its control API wants to be shown."""

    def control_adapter(self) -> BaseAdapter:
        """A way to its control API that is open also while it is stopped."""

    def open_account(self, control: Control) -> None:
        """Make the account of `control`, if it was not used yet. Raises ControlError."""

    def newest_request(self) -> int | None:
        """The id of the newest entry of its journal, 0 for none; None where others may be at work."""

    def environment(self) -> dict[str, str]:
        """The variables that point clients here; the key of an account is not among them, or is another one's."""

    def stop(self) -> None:
        """Let nobody answer at `url`. Raises ControlError where it cannot."""

    def start(self) -> None:
        """Answer again. Safe to call twice."""

    def serve(self) -> AbstractContextManager[str]:
        """The origin of a socket of it, for the length of the block."""


class _Socket:
    """A socket of an app of this process, which may be taken away and comes back on its port. It begins open."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._server: Server | None = None
        self._port = 0
        self.start()
        self.url = f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def start(self) -> None:
        """Raises ControlError where another program has taken the port since."""
        if self._server is not None:
            return
        try:
            server = Server(self._app, port=self._port, closes=False)
            server.start()
        except OSError as error:
            raise ControlError(
                f"port {self._port}, which was ours, is taken: {error.strerror or error}"
            ) from None
        self._server, self._port = server, server.port


@dataclass
class InMemory:
    """A fake of this process, without a socket but for the length of `serve`."""

    service: InProcess
    _sockets: list[_Socket] = field(default_factory=list)
    _is_away: bool = False

    @property
    def url(self) -> str:
        return self.service.url

    @property
    def control_url(self) -> str:
        return self.service.url

    @property
    def admin_token(self) -> str | None:
        return service_of(self.service.app).settings.admin_token

    def control_adapter(self) -> BaseAdapter:
        return self.service.adapter(is_control=True)

    def open_account(self, control: Control) -> None:
        _open_account(self.service.app, control.account)

    def newest_request(self) -> int | None:
        return _newest_request(self.service.app)

    def environment(self) -> dict[str, str]:
        return self.service.environment()

    def stop(self) -> None:
        self._is_away = True
        self.service.go_away()
        for one in self._sockets:
            one.stop()

    def start(self) -> None:
        self._is_away = False
        self.service.come_back()
        for one in self._sockets:
            one.start()

    @contextmanager
    def serve(self) -> Iterator[str]:
        socket = _Socket(self.service.app)
        self._sockets.append(socket)
        try:
            if self._is_away:
                socket.stop()
            with alias(socket.url):
                yield socket.url
        finally:
            self._sockets.remove(socket)
            socket.stop()


class Listening:
    """A fake of this process on a socket. Its control API is asked in memory, whether or not anybody listens."""

    def __init__(self, app: Flask) -> None:
        self._memory = InProcess(app)
        self._socket = _Socket(app)
        self.url = self._socket.url
        self.control_url = self._memory.url
        self.admin_token = service_of(app).settings.admin_token

    def control_adapter(self) -> BaseAdapter:
        return self._memory.adapter(is_control=True)

    def open_account(self, control: Control) -> None:
        _open_account(self._memory.app, control.account)

    def newest_request(self) -> int | None:
        return _newest_request(self._memory.app)

    def environment(self) -> dict[str, str]:
        return {**self._memory.environment(), **environment_of(self.url)}

    def stop(self) -> None:
        self._socket.stop()

    def start(self) -> None:
        self._socket.start()

    def serve(self) -> AbstractContextManager[str]:
        return nullcontext(self.url)


class _Own(HTTPAdapter):
    """One that sends, also while a mock of the user's is in the place of `HTTPAdapter.send`."""

    def send(self, *args: Any, **options: Any) -> Response:
        return own_send()(self, *args, **options)


@dataclass(frozen=True)
class Elsewhere:
    """A server that somebody else started. Its admin token, if it has one, is in the environment."""

    url: str

    @property
    def control_url(self) -> str:
        return self.url

    @property
    def admin_token(self) -> str | None:
        return os.environ.get(ADMIN_TOKEN)

    def control_adapter(self) -> BaseAdapter:
        return _Own()

    def open_account(self, control: Control) -> None:
        control.sign_in()

    def newest_request(self) -> int | None:
        return None

    def environment(self) -> dict[str, str]:
        token = {} if self.admin_token is None else {ADMIN_TOKEN: self.admin_token}
        return {**environment_of(self.url), **token}

    def stop(self) -> None:
        raise ControlError(
            f"{self.url} serves others too and cannot be stopped by a test; a fault that resets connections, "
            'faults.add(kind="reset", times=None), is a service that is not there for this account alone'
        )

    def start(self) -> None:
        """It was never stopped."""

    def serve(self) -> AbstractContextManager[str]:
        return nullcontext(self.url)


def _open_account(app: Flask, account: Account) -> None:
    """Make an account of a service of this process, without a request that would stand in its journal."""
    service_of(app).accounts.sign_in(account.client_id, account.private_key)


def _newest_request(app: Flask) -> int:
    found = service_of(app).journal.find(limit=1)
    return int(found[0]["id"]) if found else 0


@contextmanager
def listening(settings: Settings) -> Iterator[Listening]:
    """A server of its own for the length of the block, data thrown away, its clock frozen without `speed`."""
    options = replace(
        settings,
        ephemeral=settings.ephemeral or settings.data_dir is None,
        speed=0 if settings.speed is None else settings.speed,
        allow_hosts=(*settings.allow_hosts, HOST),
    )
    app = create_app(options)
    try:
        place = Listening(app)
        try:
            yield place
        finally:
            place.stop()
    finally:
        close_app(app)
