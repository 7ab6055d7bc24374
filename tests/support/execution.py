"""A fake that runs tasks for real, and what tests ask of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conductor_mock.execution import processes
from conductor_mock.execution.order import Sandbox
from conductor_mock.execution.sandbox import probe
from support.server import ApiCaller, Fake, ManualWall, job_file, running

PATIENCE_S = 40
"""How long a test waits for another process before it calls it dead; nothing is measured with it."""

EXECUTING: dict[str, Any] = {"execute": True, "execute_slots": 2, "execute_sandbox": "none"}

NO_SANDBOX = probe(Sandbox())
"""Why there can be no sandbox on this machine; empty where there can."""

needs_sandbox = pytest.mark.skipif(bool(NO_SANDBOX), reason=NO_SANDBOX or "there is one")

SANDBOXES = [pytest.param("none"), pytest.param("bubblewrap", marks=needs_sandbox)]
"""Both kinds of `execute_sandbox`."""

Json = dict[str, Any]


@dataclass
class Render:
    """The default account of an executing fake, and one file that its jobs upload."""

    fake: Fake
    caller: ApiCaller
    data: Path
    sandbox: str

    def submit(self, *commands: str, **fields: Any) -> str:
        """A job with a task per command; its output path is /proj/out. Its id."""
        tasks = [{"command": command, "frames": str(number)} for number, command in enumerate(commands, 1)]
        answer = self.caller.submit(**{"tasks_data": tasks, **fields})
        assert answer.status == 201, answer
        return str(answer.json()["jobid"])

    def start(self, *commands: str, **fields: Any) -> str:
        """Submit a job and let its files get to the render storage, so that its tasks start."""
        jid = self.submit(*commands, **fields)
        self.clock(advance=6)
        return jid

    def upload(self, path: str, content: bytes, **fields: Any) -> Json:
        """Upload a file; its entry for `upload_files`."""
        self.caller.upload(path, content)
        return job_file(path, content, **fields)

    def until_ended(self, jid: str) -> Json:
        """Let a job come to its end; its record."""
        self.clock(until={"job": jid}, within=PATIENCE_S)
        return self.job(jid)

    def run(self, *commands: str, **fields: Any) -> Json:
        """Submit a job and let it come to its end."""
        return self.until_ended(self.submit(*commands, **fields))

    def job(self, jid: str) -> Json:
        job: Json = self.caller.get(f"/_mock/jobs/{jid}").json()
        return job

    def clock(self, **body: Any) -> None:
        answer = self.caller.post("/_mock/clock", body)
        assert answer.status == 200, answer

    def log(self, jid: str, tid: str = "000", known: int = 0) -> list[str]:
        query = {"job": jid, "task": tid, "num_lines[]": str(known)}
        answer = self.caller.get("/get_log_file", query=query)
        assert answer.status == 200, answer
        lines: list[str] = answer.json()["logs"][0]["log"]
        return lines

    def until_said(self, jid: str, word: str, tid: str = "000") -> list[str]:
        """Wait until a line of a task's log is `word`."""
        lines: list[str] = eventually(lambda: said if word in (said := self.log(jid, tid)) else [])
        return lines

    def until_outcomes(self, jid: str, outcomes: list[str], task: int = 0) -> None:
        """Wait until the attempts of a task came to just these outcomes."""
        eventually(lambda: [one["outcome"] for one in self.job(jid)["tasks"][task]["attempts"]] == outcomes)

    def act(self, action: str, jid: str) -> None:
        answer = self.caller.request("PUT", "/jobs_multi", body={"action": action, "jobids": [jid]})
        assert answer.status == 200, answer

    def contents(self, jid: str) -> dict[str, bytes]:
        """Every output of a job, fetched as a downloader does."""
        answer = self.caller.post(f"/jobs/{jid}/downloads", {"tids": None})
        if answer.status == 204:  # none at all (wire reference 12.4)
            return {}
        assert answer.status == 201, answer
        files = [file for task in answer.json()["downloads"] for file in task["files"]]
        return {file["relative_path"]: self.caller.get(file["url"]).content for file in files}

    def folders(self) -> list[Path]:
        """The private folders of runs that there are."""
        return list((self.data / "executions").iterdir())


@contextmanager
def executing(data: Path, wall: ManualWall | None = None, **settings: Any) -> Iterator[Render]:
    """A fake with frozen time that runs up to two tasks at once, without a sandbox, its data in `data`."""
    with running(wall, **{**EXECUTING, "data_dir": data, **settings}) as fake:
        yield Render(fake, fake.default_caller(), data, str(settings.get("execute_sandbox", "none")))


def eventually(probe: Callable[[], Any]) -> Any:
    """The first answer of `probe` that is true. Processes tell nobody what they have come to, so they are asked."""
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"nothing came of it: {answer!r}"
        time.sleep(0.02)
    return answer


def is_running(pid: int) -> bool:
    return processes.look_at(pid) is not None
