"""`conductor-mock serve` as a process of its own, and raw bytes over its socket."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from click.testing import CliRunner, Result

from conductor_mock.cli import main
from support.server import Answer
from support.warm import started

PATIENCE_S = 60
"""How long a test waits for another process before it calls it dead; nothing is measured with it."""


@dataclass
class ServedProcess:
    """A running `conductor-mock serve`."""

    process: subprocess.Popen[str]
    ready_file: Path
    output: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._said_url = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.output.append(line)
            if " at http" in line:
                self._said_url.set()
        self._said_url.set()  # it ended: whoever waits finds no ready file

    def wait_until_ready(self) -> None:
        assert self._said_url.wait(PATIENCE_S), "the server says nothing"
        assert self.ready_file.exists(), "".join(self.output)

    def wait_until_said(self, words: str) -> None:
        """Wait for a line with these words."""
        deadline = time.monotonic() + PATIENCE_S
        while not any(words in line for line in self.output):
            assert time.monotonic() < deadline, "".join(self.output)
            self._reader.join(0.02)

    @property
    def ready(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.ready_file.read_text(encoding="utf-8"))
        return document

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def port(self) -> int:
        return int(urlsplit(self.url).port or 0)

    @property
    def api_key(self) -> dict[str, str]:
        key: dict[str, str] = json.loads(self.ready["env"]["CONDUCTOR_API_KEY"])
        return key

    def session(self) -> requests.Session:
        """A session with a token of the default account."""
        session = requests.Session()
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {token(session, self.url, self.api_key)}"
        return session

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, answer the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


@contextmanager
def served(folder: Path, *options: str, data_dir: bool = True, cold: bool = False) -> Iterator[ServedProcess]:
    """A server on a free port, its data in `folder`/data (or thrown away); killed at the end if it still runs.

    `cold` starts it from nothing, for a test of what that takes.
    """
    folder.mkdir(exist_ok=True)
    ready_file = folder / "ready.json"
    ready_file.unlink(missing_ok=True)
    where = ["--data-dir", str(folder / "data")] if data_dir else ["--ephemeral"]
    arguments = ["serve", "--port", "0", "--ready-file", str(ready_file), *where, *options]
    process = started("conductor_mock", arguments, cold=cold, stderr=subprocess.PIPE)
    server = ServedProcess(process, ready_file)
    try:
        server.wait_until_ready()
        yield server
    finally:
        # A throw-away folder is removed by a server that is asked to stop, and left behind by one that is killed.
        server.end(signal.SIGKILL if data_dir else signal.SIGTERM)


def command(*arguments: str) -> list[str]:
    """The command line of `conductor-mock` in this interpreter, for what starts it from nothing."""
    return [sys.executable, "-m", "conductor_mock", *arguments]


def said_by(*arguments: str) -> Result:
    """What `conductor-mock` says in this process: much faster, for calls that neither serve nor start anything."""
    return CliRunner().invoke(main, list(arguments))


def run_cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `conductor-mock` to its end as a process of its own."""
    with started(
        "conductor_mock",
        arguments,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            said, complained = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, said, complained)


def token(session: requests.Session, url: str, key: dict[str, str]) -> str:
    query = {
        "grant_type": "client_credentials",
        "scope": "owner admin user",
        "client_id": key["client_id"],
        "client_secret": key["private_key"],
    }
    answer = session.get(f"{url}/api/oauth_jwt?{urlencode(query)}", timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


class RawConnection:
    """A TCP connection that sends exactly the bytes that it is given."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def half_close(self) -> None:
        """Say that nothing more comes."""
        self._socket.shutdown(socket.SHUT_WR)

    def begin(self, method: str = "GET") -> http.client.HTTPResponse:
        """Read the head of a response."""
        response = http.client.HTTPResponse(self._socket, method=method)
        response.begin()
        return response

    def answer(self, method: str = "GET") -> Answer:
        """Read one response."""
        response = self.begin(method)
        content = response.read()
        return Answer(response.status, dict(response.getheaders()), content)

    def line(self) -> bytes:
        """Read one line, and no byte more."""
        read = b""
        while not read.endswith(b"\n") and (byte := self._socket.recv(1)):
            read += byte
        return read

    def rest(self) -> bytes:
        """Read until the other side closes."""
        return b"".join(iter(lambda: self._socket.recv(1 << 16), b""))

    def is_closed(self) -> bool:
        """Whether the other side has closed: reads until it says something or ends."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def raw(port: int, data: bytes, method: str = "GET") -> Answer:
    """One exchange on a connection of its own."""
    with RawConnection(port) as connection:
        connection.send(data)
        return connection.answer(method)
