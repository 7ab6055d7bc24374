"""The machine of somebody who uses the vendor's client: a home of its own and nobody to talk to but the fake."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vendor.environments import Environment
from vendor.fake import Account, eventually

T = TypeVar("T")

DRIVERS = Path(__file__).parent / "drivers"
DEAD_PROXY = "http://127.0.0.1:9"
"""Where everything but loopback is sent, so that no client reaches the real service or its update check."""

RUN_S = 180
STOP_S = 30


class ClientFailedError(Exception):
    """The client ended with another code than 0; the message holds all that it said."""


@dataclass(frozen=True)
class Ran:
    """What a run of the client left."""

    code: int
    stdout: str
    stderr: str

    @property
    def answer(self) -> Any:
        """The JSON that a driver printed last."""
        return json.loads(self.stdout.rstrip().rpartition("\n")[2])


@dataclass(frozen=True)
class Daemon:
    """A running client."""

    process: subprocess.Popen[bytes]
    log: Path

    def until(self, probe: Callable[[], T], what: str) -> T:
        """Let it work until `probe` gives something true, and return that. Raises ClientFailedError with its words."""
        try:
            return eventually(probe, what, alive=lambda: self.process.poll() is None)
        except TimeoutError as error:
            raise ClientFailedError(f"{error}; the client said\n{self.log.read_text()[-8000:]}") from None


@dataclass(frozen=True)
class Workstation:
    """One user's folder, their client, and their account at the fake."""

    folder: Path
    client: Environment
    account: Account

    def __post_init__(self) -> None:
        for name in ("home", "tmp", "project"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def project(self) -> Path:
        """Where the user's scenes and renders lie."""
        return self.folder / "project"

    @property
    def environ(self) -> dict[str, str]:
        """All that the client's environment holds."""
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "http_proxy": DEAD_PROXY,
            "https_proxy": DEAD_PROXY,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "CONDUCTOR_USER_DIR": str(self.folder / "home" / ".conductor"),
            "CONDUCTOR_URL": self.account.url,
            "CONDUCTOR_API_KEY": self.account.api_key,
            "CONDUCTOR_THREAD_COUNT": "4",
        }

    def write(self, name: str, content: bytes) -> str:
        """Put a file into the project; returns its absolute path."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def drive(self, driver: str, arguments: Any = None, **environ: str) -> Any:
        """Run a script of `drivers/` in the client's Python, with JSON in and the JSON that it prints last out."""
        script = [str(self.client.python), str(DRIVERS / f"{driver}.py")]
        return self._run(script, json.dumps(arguments), environ, must_succeed=True).answer

    def drive_ours(self, driver: str, arguments: Any = None) -> Any:
        """Run a script of `drivers/` in this project's Python, as the same user."""
        script = [sys.executable, str(DRIVERS / f"{driver}.py")]
        return self._run(script, json.dumps(arguments), {}, must_succeed=True).answer

    def conductor(self, *arguments: str, **environ: str) -> Ran:
        """Run the client's `conductor` command to its end."""
        return self._run([str(self.client.command), *arguments], "", environ, must_succeed=False)

    @contextmanager
    def daemon(self, *arguments: str) -> Iterator[Daemon]:
        """A `conductor` command that runs until the block ends."""
        log = self.folder / f"{arguments[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(self.client.command), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environ,
                cwd=self.project,
            )
            try:
                yield Daemon(process, log)
            finally:
                process.terminate()
                try:
                    process.wait(timeout=STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _run(self, command: list[str], said: str, environ: dict[str, str], *, must_succeed: bool) -> Ran:
        done = subprocess.run(
            command,
            input=said,
            capture_output=True,
            text=True,
            env=self.environ | environ,
            cwd=self.project,
            timeout=RUN_S,
            check=False,
        )
        if must_succeed and done.returncode != 0:
            raise ClientFailedError(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return Ran(done.returncode, done.stdout, done.stderr)


def md5_of(content: bytes) -> str:
    """The md5 as the wire writes it: base64 of the digest (wire reference 4)."""
    return base64.b64encode(hashlib.md5(content).digest()).decode()
