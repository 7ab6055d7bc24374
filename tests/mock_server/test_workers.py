"""`serve --workers`: several processes behind one port, which die and are started again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from conductor_mock.settings import Settings
from conductor_mock.upkeep import check
from support.children import is_there, wait_until, workers_of
from support.served import PATIENCE_S, ServedProcess, run_cli, served, token
from support.server import candidate, job_payload, md5_of

TWO = ("--workers", "2", "--speed", "0")


class Client:
    """A client whose every request has a connection of its own, so any worker gets it; it asks until answered."""

    def __init__(self, server: ServedProcess) -> None:
        self.url = server.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Connection"] = "close"
        key = server.api_key
        self._session.headers["Authorization"] = (
            f"Bearer {self.until_answered(lambda: token(self._session, self.url, key))}"
        )

    def until_answered(self, ask: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                return ask()
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                assert time.monotonic() < deadline, "no worker answers"

    def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        url = path if path.startswith("http") else self.url + path
        answer = self.until_answered(
            lambda: self._session.request(method, url, timeout=PATIENCE_S, **options)
        )
        assert answer.status_code == status, (method, path, answer.text)
        return answer.json() if answer.content else None

    def submit(self, title: str) -> str:
        body, key = job_payload(job_title=title), {"Idempotency-Key": title}
        return str(self.call("POST", "/jobs/", 201, json=body, headers=key)["jobid"])

    def send(self, path: str, content: bytes) -> None:
        body = {"upload_files": [candidate(path, content)]}
        answer = self._session.post(f"{self.url}/api/v2/files/get_upload_urls", json=body, timeout=PATIENCE_S)
        if answer.status_code == 200:  # 204: a try that had no answer has stored it
            self.call("PUT", answer.json()["singlePartURLs"][0]["preSignedURL"], data=content)

    def titles(self) -> list[str]:
        return [job["title"] for job in self.call("GET", "/api/v1/jobs")["data"]]

    def now_us(self) -> int:
        return int(self.call("GET", "/_mock/clock")["now_us"])


def test_workers_serve_one_port_and_go_together(tmp_path: Path) -> None:
    with served(tmp_path, *TWO) as server:
        workers = workers_of(server)
        assert len(workers) == 2
        clients = [Client(server) for _ in range(4)]
        for number in range(12):
            clients[number % 4].submit(str(number))
        assert {tuple(client.titles()) for client in clients} == {tuple(str(number) for number in range(12))}
        assert server.ready["pid"] == server.process.pid
        assert (tmp_path / "data/server.json").exists()
        assert server.end() == 0
        assert not any(map(is_there, workers))
        assert not server.ready_file.exists()
        assert (tmp_path / "data/clean").exists()
    assert check(Settings(data_dir=tmp_path / "data"), repair=False).damages == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_signals_end_all_workers(tmp_path: Path, number: signal.Signals) -> None:
    with served(tmp_path, *TWO) as server:
        workers = workers_of(server)
        assert server.end(number) == 0
        assert not any(map(is_there, workers))


def test_a_worker_that_is_killed_is_started_again_and_nothing_is_lost(tmp_path: Path) -> None:
    with served(tmp_path, *TWO) as server:
        client = Client(server)
        client.submit("before")
        killed = workers_of(server)[0]
        os.kill(killed, signal.SIGKILL)
        client.submit("while one is missing")
        server.wait_until_said("was ended by SIGKILL; another one is started in its place")
        wait_until(lambda: len(workers_of(server)) == 2, "it is not started again")
        client.submit("after")
        assert client.titles() == ["before", "while one is missing", "after"]
        assert server.end() == 0
        assert not (tmp_path / "data/clean").exists(), "what it left behind is looked for at the next start"
    with served(tmp_path) as alone:
        assert Client(alone).titles() == ["before", "while one is missing", "after"]


def test_no_worker_outlives_its_parent(tmp_path: Path) -> None:
    with served(tmp_path, *TWO) as server:
        workers = workers_of(server)
        server.process.kill()
        wait_until(lambda: not any(map(is_there, workers)), "workers go on without their parent")
    with served(tmp_path, *TWO):
        pass


def test_throw_away_data_of_workers_is_thrown_away(tmp_path: Path) -> None:
    with served(tmp_path, *TWO, data_dir=False) as server:
        client = Client(server)
        client.submit("a job")
        assert client.titles() == ["a job"]
        (folder,) = {
            link.parent
            for pid in workers_of(server)
            for handle in Path(f"/proc/{pid}/fd").iterdir()
            if (link := handle.readlink()).name == "conductor.db"
        }
        assert folder.exists()
        assert server.end() == 0
        assert not folder.exists()


def test_one_of_the_workers_runs_tasks_and_any_of_them_tells_of_it(tmp_path: Path) -> None:
    with served(tmp_path, *TWO, "--execute") as server:
        client = Client(server)
        tasks = [{"command": "echo it ran", "frames": str(number)} for number in range(3)]
        client.call("POST", "/jobs/", 201, json=job_payload(tasks_data=tasks))
        client.call("POST", "/_mock/clock", json={"advance": 60})
        client.call("POST", "/_mock/clock", json={"until": "idle", "within": PATIENCE_S})
        for task in ("000", "001", "002"):
            query = {"job": "00001", "task": task, "num_lines[]": 0}
            log = json.dumps(client.call("GET", "/get_log_file", params=query))
            assert "it ran" in log
            assert "success, exit code 0" in log


def test_workers_answer_and_are_not_ready_before_they_stop(tmp_path: Path) -> None:
    with served(tmp_path, *TWO, "--drain", "300") as server:
        client = Client(server)
        ready = f"{server.url}/_mock/health/ready"
        server.process.terminate()
        wait_until(lambda: requests.get(ready, timeout=PATIENCE_S).status_code == 503, "it stays ready")
        assert client.titles() == []

        def ended() -> bool:
            for pid in workers_of(server):  # a signal that does not come with the first one ends them at once
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            return server.process.poll() is not None

        wait_until(ended, "it goes on draining")
        assert server.process.returncode == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--smtp", "nonsense"], "--smtp"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
    ],
)
def test_workers_that_cannot_begin_are_a_sentence(tmp_path: Path, options: list[str], said: str) -> None:
    ended = run_cli("serve", *TWO, "--port", "0", "--data-dir", str(tmp_path / "data"), *options)
    assert ended.returncode == 2
    assert ended.stderr.count("Error: ") == 1, ended.stderr
    assert said in ended.stderr


def test_workers_and_a_lone_server_do_not_share_a_directory(tmp_path: Path) -> None:
    with served(tmp_path, *TWO):
        lone = run_cli("serve", "--port", "0", "--data-dir", str(tmp_path / "data"))
        assert (lone.returncode, "in use by another" in lone.stderr) == (2, True)
        others = run_cli("serve", *TWO, "--port", "0", "--data-dir", str(tmp_path / "data"))
        assert (others.returncode, "in use by another" in others.stderr) == (2, True)


def test_workers_that_die_again_and_again_are_given_up() -> None:
    program = """
import os, signal, sys, time
from conductor_mock.serving.signals import EndingSignals
from conductor_mock.workers.parent import Workers, WorkersError

def work(link):
    link.tell({"number": link.number})
    if link.number == 0:
        signal.pause()
    time.sleep(0.01)
    return 3

with EndingSignals() as signals:
    workers = Workers(2, work, signals, end_s=30)
    try:
        print(workers.start())
        workers.watch()
    except WorkersError as error:
        print(error, error.code)
    finally:
        workers.close()
print(workers.pids())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    first, why, left = ended.stdout.splitlines()
    assert (first, left) == ("{'number': 0}", "[]")
    assert why.startswith("worker 1 (process ")
    assert why.endswith("ended with 3, and 10 others did in the last 60 s; no more are started 1")
    assert ended.stderr.count("another one is started in its place") == 10


class Story:
    """What clients of a server were told, while its workers are killed."""

    def __init__(self, server: ServedProcess, seed: int) -> None:
        self.server = server
        self.chance = random.Random(seed)
        self.jobs: dict[str, str] = {}
        self.files: dict[str, str] = {}
        self.kills = 0
        self._latest_us = 0
        self._guard = threading.Lock()

    def client(self, number: int, steps: int) -> None:
        client = Client(self.server)
        for step in range(steps):
            what = f"{number}.{step}"
            with self._guard:
                kind, latest_us = self.chance.choice("jjfc"), self._latest_us
            if kind == "j":
                self.jobs[what] = client.submit(what)
            elif kind == "f":
                client.until_answered(partial(client.send, f"/{what}", what.encode()))
                self.files[f"/{what}"] = md5_of(what.encode())
            else:
                client.call("POST", "/_mock/clock", json={"advance": 1})
            now_us = client.now_us()
            assert now_us >= latest_us, "a clock has gone back"
            with self._guard:
                self._latest_us = max(self._latest_us, now_us)

    def kill(self, over: threading.Event, most: int) -> None:
        while self.kills < most and not over.wait(self.chance.uniform(0.05, 0.6)):
            there = workers_of(self.server)
            if len(there) == 2:
                with suppress(ProcessLookupError):
                    os.kill(self.chance.choice(there), signal.SIGKILL)
                self.kills += 1


def tell(folder: Path, seed: int, *, clients: int, steps: int, kills: int) -> Story:
    """A story of so many clients, and what is there in the end."""
    with served(folder, *TWO) as server:
        story, over = Story(server, seed), threading.Event()
        with ThreadPoolExecutor(clients + 1) as pool:
            killer = pool.submit(story.kill, over, kills)
            for done in [pool.submit(story.client, number, steps) for number in range(clients)]:
                done.result()
            over.set()
            killer.result()
        client = Client(server)
        there = client.call("GET", "/api/v1/jobs")["data"]
        assert {job["title"]: job["jid"] for job in there} == story.jobs, "all are there"
        assert max(Counter(job["title"] for job in there).values()) == 1, "and once"
        assert sorted(int(job["jid"]) for job in there) == list(range(1, len(there) + 1))
        files = {one["path"]: one["md5"] for one in client.call("GET", "/_mock/files")["files"]}
        assert files == story.files
        client.call("POST", "/_mock/clock", json={"until": "idle"})
        assert {job["status"] for job in client.call("GET", "/api/v1/jobs")["data"]} == {"success"}
        assert server.end() == 0, "".join(server.output)
        assert not any("Traceback" in line for line in server.output), "".join(server.output)
    assert check(Settings(data_dir=folder / "data"), repair=False).damages == []
    return story


@pytest.mark.slow
def test_twenty_clients_lose_nothing_while_workers_are_killed(tmp_path: Path) -> None:
    story = tell(tmp_path, 1, clients=20, steps=6, kills=6)
    assert story.kills > 0
    assert len(story.jobs) > 20


@pytest.mark.prove
def test_a_hundred_kills_of_workers_lose_nothing(tmp_path: Path) -> None:
    kills = 0
    for seed in range(1000):
        kills += tell(tmp_path / str(seed), seed, clients=50, steps=8, kills=9).kills
        if kills >= 100:
            return
