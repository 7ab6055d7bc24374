"""Servers on a socket for the browser, and every page that they have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask

from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from support.filled import Filler

NOT_FOR_PEOPLE = ("/assets/", "/events", "/thumbnail/")


@dataclass
class Farm:
    """A server, and somebody who uses the own account of it over HTTP."""

    app: Flask
    server: Server

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def client(self) -> Filler:
        keys = service_of(self.app).keys
        return Filler(self.url, keys.client_id, keys.private_key)

    def paths(self, tid: str = "001") -> list[str]:
        """Every page that is looked at: of the sixth job and one of its tasks, and of the newest request."""
        service = service_of(self.app)
        newest = next((entry["id"] for entry in service.journal.find(limit=1)), 1)
        parts = {
            "<jid>": "00006",
            "<number:tid>": tid,
            "<number:number>": str(newest),
            "<package_id>": service.catalog.packages[0]["package_id"],
        }
        found = []
        for rule in self.app.url_map.iter_rules():
            path = rule.rule
            if rule.endpoint.startswith("pages.") and "GET" in (rule.methods or ()):
                for mark, value in parts.items():
                    path = path.replace(mark, value)
                found.append(path)
        return sorted(path for path in found if not any(part in path for part in NOT_FOR_PEOPLE))


@contextmanager
def serving() -> Iterator[Farm]:
    """A throw-away server whose clock stands still."""
    app = create_app(Settings(ephemeral=True, speed=0))
    with Server(app) as server:
        yield Farm(app, server)


def filled(farm: Farm) -> None:
    """Put everything into it that there is to look at."""
    farm.client.fill()
