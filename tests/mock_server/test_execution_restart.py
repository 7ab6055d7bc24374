"""A server that is killed while tasks run for real: what the next one on its data finds, ends and runs again."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from support.execution import eventually, is_running
from support.served import PATIENCE_S, ServedProcess, served
from support.server import job_payload

# Its tasks tell files of ours.
OPTIONS = ("--execute", "--execute-slots", "2", "--speed", "0", "--execute-sandbox", "none")

CHILD = (
    f"{sys.executable} -c 'import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.setsid(); "
    'open("{file}", "w").write(str(os.getpid())); time.sleep(1000)\''
)


class Client:
    """The default account of a server in a process of its own."""

    def __init__(self, server: ServedProcess) -> None:
        self.server = server
        self.session = server.session()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.session.request(
            method,
            self.server.url + path,
            json={} if body is None and method == "POST" else body,
            headers={"Content-Type": "application/json"},
            timeout=PATIENCE_S,
        )
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def job(self, jid: str) -> Any:
        return self.call("GET", f"/_mock/jobs/{jid}")

    def outcomes(self, jid: str) -> list[list[str]]:
        return [[one["outcome"] for one in task["attempts"]] for task in self.job(jid)["tasks"]]

    def log(self, jid: str, tid: str) -> list[str]:
        lines: list[str] = self.call("GET", f"/get_log_file?job={jid}&task={tid}")["logs"][0]["log"]
        return lines

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()


def submit(client: Client, commands: list[str]) -> str:
    tasks = [{"command": command, "frames": str(number)} for number, command in enumerate(commands)]
    jid = client.call("POST", "/jobs/", job_payload(tasks_data=tasks))["jobid"]
    client.call("POST", "/_mock/clock", {"advance": 6})
    return str(jid)


def wait_for(path: Path) -> str:
    return str(eventually(lambda: path.exists() and path.read_text()))


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


@pytest.mark.slow
def test_a_killed_server_loses_no_job_and_reruns_only_what_was_running(tmp_path: Path) -> None:
    go, ran, child = tmp_path / "go", tmp_path / "ran", tmp_path / "child"
    done = f"echo done >> {ran}; echo picture > /proj/out/a"
    stuck = (
        f"echo tried; ({CHILD.format(file=child)} &) ; while [ ! -e {go} ]; do sleep 0.05; done; echo went"
    )
    with served(tmp_path, *OPTIONS) as server, Client(server) as client:
        jid = submit(client, [done, stuck, done, stuck.replace(str(child), str(child) + "2")])
        pid = int(wait_for(child))
        eventually(lambda: client.outcomes(jid)[0] == client.outcomes(jid)[2] == ["success"])
        eventually(lambda: "tried" in client.log(jid, "003"))
        server.end(signal.SIGKILL)
    assert is_running(pid), "nobody ended it"

    with served(tmp_path, *OPTIONS) as server, Client(server) as client:
        assert not is_running(pid), "an orphan is ended before the server answers"
        go.touch()
        client.call("POST", "/_mock/clock", {"until": {"job": jid}})

        assert client.job(jid)["status"] == "success"
        assert client.outcomes(jid) == [["success"], ["lost", "success"], ["success"], ["lost", "success"]]
        assert ran.read_text() == "done\ndone\n"
        assert "2 runs began again when the server had ended" in client.job(jid)["status_description"]
        lines = client.log(jid, "001")
        assert [line for line in lines if line in ("tried", "went")] == ["tried", "tried", "went"]
        assert any("lost: the server that ran it ended" in line for line in lines)
        assert eventually(lambda: not list((tmp_path / "data" / "executions").iterdir()))


@pytest.mark.slow
def test_a_task_whose_second_run_is_lost_has_failed(tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    stuck = f"echo x >> {tries}; sleep 1000"
    for number in (1, 2):
        with served(tmp_path, *OPTIONS) as server, Client(server) as client:
            jid = submit(client, [stuck]) if number == 1 else "00001"
            wanted = "x\n" * number
            eventually(partial(_holds, tries, wanted))
            server.end(signal.SIGKILL)
    with served(tmp_path, *OPTIONS) as server, Client(server) as client:
        assert client.outcomes(jid) == [["lost", "failed"]]
        assert client.job(jid)["status"] == "failed"
        assert "for the second time" in client.log(jid, "000")[-1]
        assert tries.read_text().count("x") == 2


def test_requests_are_answered_while_tasks_run(tmp_path: Path) -> None:
    with served(tmp_path, *OPTIONS) as server, Client(server) as client:
        jid = submit(client, ["sleep 1000"])
        eventually(lambda: client.outcomes(jid) == [["running"]])
        answer = requests.get(f"{server.url}/_mock/health", timeout=PATIENCE_S)

        assert answer.json()["status"] == "ok"
        assert server.end() == 0, "a clean stop ends them"
