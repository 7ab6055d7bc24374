"""A client of the library with everything around it under the test's control."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conductor.lib.api_client import ApiClient
from conductor.lib.config import Config
from conductor.lib.wire.call import Tokens
from conductor.lib.wire.transport import Transport

URL = "http://conductor.test"
NOW = 1_700_000_000.0


def md5_of(content: bytes) -> str:
    """Return the md5 as the service writes it."""
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def jwt(audience: Any = "http://conductor.test", account: Any = "5001", serial: int = 0) -> str:
    """Return a token such as the service's, with a signature that nobody checks."""

    def part(content: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part({'aud': audience, 'account': account, 'n': serial})}.c2ln"


@dataclass
class FixedTokens:
    """Tokens from a list: the first until it is refused, then the next."""

    names: list[str] = field(default_factory=lambda: ["token-1", "token-2", "token-3"])
    refused: list[str] = field(default_factory=list)

    def token(self) -> str:
        return self.names[len(self.refused)]

    def renew(self, refused: str) -> str:
        self.refused.append(refused)
        return self.token()


def make_transport(waits: list[float] | None = None) -> Transport:
    """Return a transport that notes its waits instead of waiting, always drawing the longest."""
    notes = waits if waits is not None else []
    return Transport(environ={}, sleep=notes.append, random=lambda: 1.0, now=lambda: NOW)


def make_config(tmp_path: Path, url: str = URL, **environ: str) -> Config:
    """Return a config that knows only the URL and the variables given."""
    variables = {f"CONDUCTOR_{name.upper()}": value for name, value in environ.items()}
    return Config.load(environ={"CONDUCTOR_URL": url, **variables}, home=tmp_path)


def make_client(
    tmp_path: Path,
    *,
    waits: list[float] | None = None,
    tokens: Tokens | None = None,
    url: str = URL,
    threads: int = 4,
) -> ApiClient:
    """Return a client for the URL, logged in."""
    return ApiClient(
        make_config(tmp_path, url, thread_count=str(threads)),
        transport=make_transport(waits),
        tokens=tokens or FixedTokens(),
    )


def client_threads() -> list[str]:
    """The threads of clients in this process; servers, which other tests may share, have theirs beside them."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if re.fullmatch(r"conductor-([0-9]+|signal|login)", name)]
