"""A farm to look at, on a socket: throw-away data, with a week behind it, and a clock that runs fast."""

from __future__ import annotations

from collections.abc import Sequence

from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.demo.artist import Artist
from conductor_mock.demo.past import Past
from conductor_mock.demo.studio import FLEET, Sight, Studio
from conductor_mock.service import Service
from conductor_mock.serving.server import AddressError, Server
from conductor_mock.settings import DEFAULT_PORT, Settings


class DemoFarm:
    """A server whose account can be filled. It is stopped like any other."""

    def __init__(self, port: int | None = None, *, grace_s: int = 0) -> None:
        """Bind to `port`: without one to that of `serve`, or a free one where that is taken. Raises AddressError."""
        self._past = Past()
        app = create_app(Settings(ephemeral=True, fleet=FLEET), wall=self._past.now_us)
        self._service: Service = service_of(app)
        try:
            try:
                self.server = Server(app, port=DEFAULT_PORT if port is None else port, grace_s=grace_s)
            except AddressError:
                if port is not None:
                    raise
                self.server = Server(app, grace_s=grace_s)
        except BaseException:
            self._service.close()
            raise

    def fill(self) -> Sequence[Sight]:
        """Let a week of work happen, which takes a second or two; what is worth a look. Raises DemoError.

        The server accepts connections already.
        """
        return Studio(Artist(self.server.url, self._service.keys, self._past)).work()
