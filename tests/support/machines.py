"""Servers in processes of their own that have the same data, each of which may be killed at any moment."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from support.buckets import ACCOUNT, NAME
from support.served import PATIENCE_S
from support.server import Answer, ApiCaller
from support.warm import TESTS, started

STORE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""


class Machine:
    """A server, on the same port whenever it is started again."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, wall_us: int | None = None) -> None:
        """It begins to be served by `start`; `folder` gets what it says, and its data unless `settings` say where."""
        folder.mkdir(parents=True, exist_ok=True)
        self._asked = {"settings": {"data_dir": str(folder / "data"), **settings}, "wall_us": wall_us}
        self._said = (folder / "said").open("a+")
        self._program = started(
            "support.forked_server",
            [],
            cwd=TESTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **ACCOUNT},
        )
        self.port = _port()
        self.pid = 0
        self.key: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Serve; returns when it does."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.write(json.dumps({**self._asked, "port": self.port}) + "\n")
        self._program.stdin.flush()
        pid, port, key = self._program.stdout.readline().split(" ", 2)
        self.pid, self.port, self.key = int(pid), int(port), json.loads(key)
        assert self.pid, self.said()

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal, if there is one."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it in the middle of everything."""
        self.signal(signal.SIGKILL)

    def said(self) -> str:
        """What it has logged in all its lives."""
        self._said.seek(0)
        return self._said.read()

    def close(self) -> None:
        """End it for good."""
        self.kill()
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.stdout.close()
        self._program.wait(PATIENCE_S)
        self._said.close()


class HasPort(Protocol):
    """Somewhere on this machine to call."""

    @property
    def port(self) -> int: ...


@dataclass
class OverSockets(ApiCaller):
    """A caller whose every call goes to one of several servers, whichever comes, on a connection of its own."""

    machines: Sequence[HasPort] = ()
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        """There is no app here to call."""

    def _send(
        self,
        method: str,
        path: str,
        data: bytes | None,
        query: Mapping[str, Any] | str | None,
        headers: Mapping[str, str],
        environ: Mapping[str, Any],
    ) -> Answer:
        assert not environ, "there is none to override"
        if path.startswith("http"):  # signed by any of them
            path = "/" + path.split("/", 3)[3]
        target = path if not query else f"{path}?{query if isinstance(query, str) else urlencode(query)}"
        port = self.chance.choice(self.machines).port
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
            connection.request(method, target, data, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())


def _port() -> int:
    """A free port, none of those that connections begin at: one that seeks a server that is away could meet itself."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(10_000, first), 100):
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@contextmanager
def machines(
    folder: Path, count: int, settings: Mapping[str, Any], *, wall_us: int | None = None
) -> Iterator[list[Machine]]:
    """So many servers, started: each with a data directory of its own below `folder`, unless `settings` name one."""
    with ExitStack() as stack:
        made = []
        for number in range(count):
            made.append(Machine(folder / str(number), settings, wall_us=wall_us))
            stack.callback(made[-1].close)
        for machine in made:
            machine.start()
        yield made


@contextmanager
def served_store() -> Iterator[str]:
    """The URL of an object store in a process of its own, which has the bucket `NAME`."""
    with subprocess.Popen(
        [sys.executable, "-c", STORE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            host, port = process.stdout.readline().split()
            connection = http.client.HTTPConnection(host, int(port))
            connection.request("PUT", f"/{NAME}")
            assert connection.getresponse().status == 200
            connection.close()
            yield f"http://{host}:{port}"
        finally:
            process.stdin.close()
            process.wait(PATIENCE_S)
