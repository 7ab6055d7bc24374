"""The server under test, in a process of its own, and what it recorded about one account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from support.control import check_answer

Json = dict[str, Any]
T = TypeVar("T")

START_S = 60
EVENT_S = 90
POLL_S = 0.3
SYNC_S = 10
REQUEST_S = 60
NOT_ENDED = ("holding", "pending", "running")


class ControlError(RuntimeError):
    """The control API refused a call; the text is what it said."""


class Answer(NamedTuple):
    status: int
    text: str


class Fake:
    """A throw-away server with simulated time frozen. Close it.

    It is strict, so a field of a request that the contract does not know fails the test that sent it.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True)
        ready = folder / "ready.json"
        command = [sys.executable, "-m", "conductor_mock", "serve", "--port", "0", "--ephemeral"]
        command += ["--strict", "--speed", "0", "--ready-file", str(ready)]
        self._log = (folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=dict(os.environ),
        )
        try:
            eventually(ready.exists, "the server starts", START_S, alive=lambda: self._process.poll() is None)
        except BaseException as error:
            self.close()
            raise RuntimeError(f"{error}: {(folder / 'server.log').read_text()}") from error
        document = json.loads(ready.read_text())
        self.url: str = document["url"]
        self._environment: dict[str, str] = document["env"]

    def close(self) -> None:
        """Stop the server."""
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        finally:
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
            self._log.close()

    def account(self, client_id: str) -> Account:
        """The control API as one account sees it."""
        return Account(self.url, client_id)

    def default_account(self) -> Account:
        """The account whose key is in the ready file: the only one whose tasks may run for real."""
        key = json.loads(self._environment["CONDUCTOR_API_KEY"])
        return Account(self.url, key["client_id"], key["private_key"])


@dataclass(frozen=True)
class Account:
    """What the server recorded for one API key, and the levers that a test may pull."""

    url: str
    client_id: str
    private_key: str | None = None

    @property
    def api_key(self) -> str:
        private_key = self.private_key or f"-----KEY OF {self.client_id}-----\n"
        return json.dumps({"client_id": self.client_id, "private_key": private_key})

    def is_known(self) -> bool:
        """Whether a client of this account has asked for a token yet."""
        found = self._ask("GET", "health", params={"account": self.client_id})
        return found.status == 200

    def jobs(self) -> list[Json]:
        """Every job with the payload as it arrived."""
        return list(self.control("GET", "jobs")["jobs"])

    def job(self, jid: str = "00001") -> Json:
        return self.control("GET", f"jobs/{jid}")

    def files(self) -> list[Json]:
        """Path, md5 and size of every file that the store holds for this account."""
        return list(self.control("GET", "files")["files"])

    def asked(self, **filters: str) -> list[Json]:
        """What was asked, oldest first; `operation`, `method` and `path` narrow it."""
        return list(self.control("GET", "requests", params=filters)["requests"])

    def finish_tasks(self, jid: str = "00001", *tids: str) -> None:
        """End tasks with success, as the farm would; all that have not ended when none is named.

        A job's files are first given the time to get to the render storage.
        """
        if self.job(jid)["status"] == "syncing":
            self.advance(SYNC_S)
        open_ones = [task["tid"] for task in self.job(jid)["tasks"] if task["status"] in NOT_ENDED]
        for tid in tids or open_ones:
            self.control("POST", f"jobs/{jid}/tasks/{tid}", body={"status": "success"})

    def until_ended(self, jid: str = "00001") -> None:
        """Let a job come to its end, waiting for tasks that run for real."""
        self.control("POST", "clock", body={"until": {"job": jid}})

    def advance(self, seconds: float) -> None:
        """Move simulated time on."""
        self.control("POST", "clock", body={"advance": seconds})

    def control(
        self, method: str, path: str, *, params: dict[str, str] | None = None, body: Json | None = None
    ) -> Json:
        """One call of the control API. Raises ControlError with what the server said."""
        answer = self._ask(method, path, params={"account": self.client_id, **(params or {})}, body=body)
        if answer.status >= 300:
            raise ControlError(f"{method} /_mock/{path}: {answer.status} {answer.text}")
        found = json.loads(answer.text) if answer.text else None
        check_answer(method, f"/_mock/{path}", answer.status, found)
        return dict(found or {})

    def _ask(self, method: str, path: str, *, params: dict[str, str], body: Json | None = None) -> Answer:
        url = f"{self.url}/_mock/{path}?{urlencode(params)}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with _direct().open(request, timeout=REQUEST_S) as answer:
                return Answer(answer.status, answer.read().decode())
        except HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode())


def _direct() -> OpenerDirector:
    """An opener that uses no proxy.

    Not the requests library: scenarios run in threads beside other tests of the same process, and while one of those
    has `responses` active, every request of that library in the process goes to its mock.
    """
    return build_opener(ProxyHandler({}))


def eventually(
    probe: Callable[[], T], what: str, seconds: float = EVENT_S, alive: Callable[[], bool] = lambda: True
) -> T:
    """The first answer of `probe` that is true. Raises TimeoutError naming `what`, at once when `alive` is not.

    The clients and the server are processes of their own and tell nobody when they are done, so they are asked.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if not alive():
            raise TimeoutError(f"waited until {what}, but nobody is at work on it any more")
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s until {what}; the last answer was {answer!r}")
        time.sleep(POLL_S)
