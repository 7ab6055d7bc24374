"""A TCP proxy between a client and a fake, for what goes wrong on the way or must happen in the middle of it."""

from __future__ import annotations

import socket
from pathlib import Path

from conductor.lib.config import Config
from support.relay import OnBlock, Relay
from support.served import ServedProcess


class Proxy(Relay):
    """Forwards every connection to `port`, until it is left.

    Each block on its way to the server is handed to `on_block` first, and what that returns is sent in its place.
    While `on_block` runs its connection stands still, so a test decides what happens between two blocks; other
    connections go on in threads of their own. What `on_block` raises is raised again where the proxy is left.
    """

    def __init__(self, port: int, on_block: OnBlock = bytes) -> None:
        super().__init__(port)
        self._on_block = on_block

    @property
    def url(self) -> str:
        """The origin to configure clients with. URLs that the server signs lead here too: it reads them off Host."""
        return f"http://127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        self.pass_on(client, on_block=self._on_block)


def settings_for(server: ServedProcess, url: str, home: Path, **variables: str) -> Config:
    """The settings of a client of this process that reaches a server at `url`, where a proxy may be."""
    environ = {
        "CONDUCTOR_URL": url,
        "CONDUCTOR_API_KEY": server.ready["env"]["CONDUCTOR_API_KEY"],
        **{f"CONDUCTOR_{name.upper()}": value for name, value in variables.items()},
    }
    return Config.load(environ=environ, home=home)
