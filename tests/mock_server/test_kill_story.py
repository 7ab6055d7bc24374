"""A server's whole life, killed again and again: nothing that was acknowledged is lost, and nothing is there twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from conductor_mock.settings import Settings
from conductor_mock.upkeep import check
from support.served import PATIENCE_S
from support.server import candidate, job_payload, md5_of
from support.warm import TESTS, started

WORKERS = 3
ROUNDS = 20
"""Kills of one data directory, before a new one is begun."""
PART = 8

Json = dict[str, Any]


class Story:
    """What was asked of the servers of one directory, and what was acknowledged."""

    def __init__(self, directory: Path, *, execute: bool, chance: random.Random) -> None:
        self.directory = directory
        self.execute = execute
        self.chance = chance
        self.counts: Counter[str] = Counter()
        self.jobs: dict[str, str] = {}
        """The job of each title that was acknowledged."""
        self.unsure: list[tuple[str, Json]] = []
        """Titles whose submission had no answer, with what was sent."""
        self.files: dict[str, str] = {}
        self.parts: dict[str, Json] = {}
        """Uploads of which the first part was acknowledged: content and what was told of it."""
        self.clock_us = 0
        self.rules = 0
        self.catalogues: list[str] = []
        """The last catalogue that was acknowledged, and those that had no answer since."""
        self.is_catalogued = False
        self._numbers = 0
        self._guard = threading.Lock()

    def number(self) -> int:
        with self._guard:
            self._numbers += 1
            return self._numbers


class Client:
    """One client of one server."""

    def __init__(self, port: int, key: Json) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False
        query = {
            "grant_type": "client_credentials",
            "client_id": key["client_id"],
            "client_secret": key["private_key"],
        }
        token = self.call("GET", "/api/oauth_jwt", params=query).json()["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self.url + path
        try:
            answer = self._session.request(method, url, timeout=PATIENCE_S, **options)
        except requests.exceptions.ChunkedEncodingError as error:  # killed in the middle of its answer
            raise requests.ConnectionError(error) from error
        assert answer.status_code < 500, (method, path, answer.text)
        return answer

    def submit(self, title: str, body: Json) -> str:
        answer = self.call("POST", "/jobs/", json=body, headers={"Idempotency-Key": f'"{title}"'})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["jobid"])

    def wanted(self, path: str, content: bytes) -> Json:
        body = {"upload_files": [candidate(path, content)]}
        answer = self.call("POST", "/api/v2/files/get_upload_urls", json=body)
        return {} if answer.status_code == 204 else dict(answer.json())


def job(story: Story, client: Client) -> None:
    title = f"job {story.number()}"
    body = job_payload(job_title=title, tasks_data=[{"command": "echo done", "frames": "1"}])
    if story.chance.random() < 0.05:
        body["metadata"] = {"notes": "x" * 70_000}
    try:
        jid = client.submit(title, body)
    except requests.ConnectionError:
        story.unsure.append((title, body))
        raise
    story.jobs[title] = jid


def file(story: Story, client: Client) -> None:
    content = str(story.number()).encode()
    path = f"/proj/{content.decode()}"
    url = client.wanted(path, content)["singlePartURLs"][0]["preSignedURL"]
    assert client.call("PUT", url, data=content).status_code == 200
    story.files[path] = md5_of(content)


def part(story: Story, client: Client) -> None:
    content = f"part {story.number():06} of a whole".encode()
    path = f"/proj/{content.decode()}"
    (record,) = client.wanted(path, content)["multiPartURLs"]
    answer = client.call("PUT", record["parts"][0]["url"], data=content[:PART])
    assert answer.status_code == 200
    story.parts[path] = {"content": content.decode(), "etag": answer.headers["ETag"]}


def clock(story: Story, client: Client) -> None:
    answer = client.call("POST", "/_mock/clock", json={"advance": 1})
    story.clock_us = max(story.clock_us, _time(answer.json()))


def rule(story: Story, client: Client) -> None:
    answer = client.call(
        "POST", "/_mock/outcomes", json={"match": {"owner": f"nobody {story.number()}"}, "outcome": "failed"}
    )
    assert answer.status_code < 300, answer.text
    story.rules += 1


def catalogue(story: Story, client: Client) -> None:
    name = f"project {story.number()}"
    shipped = client.call("GET", "/_mock/catalog").json()
    document = {
        "packages": [{**shipped["packages"][0], "plugins": []}],
        "projects": [{"id": one, "name": one, "status": "active"} for one in ("default", name)],
        "instance_types": [one for one in shipped["instance_types"] if one["name"] == "n1-standard-2"],
    }
    story.catalogues.append(name)
    answer = client.call("PUT", "/_mock/catalog", json=document)
    assert answer.status_code < 300, answer.text
    story.catalogues = story.catalogues[story.catalogues.index(name) :]
    story.is_catalogued = True


def fault(story: Story, client: Client) -> None:
    rule = {"match": {"operation": "packages.list"}, "fault": {"kind": "status", "status": 503}, "times": 1}
    assert client.call("POST", "/_mock/faults", json=rule).status_code < 300


def look(story: Story, client: Client) -> None:
    client.call("GET", "/api/v1/jobs")


WORK: list[Callable[[Story, Client], None]] = [job, job, job, file, file, part, rule, fault, look]


def _time(answer: Json) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(str(answer["now"]).replace("Z", "+00:00")).timestamp() * 1_000_000)


class Servers:
    """Servers that are forked off one program."""

    def __init__(self) -> None:
        self._program = started(
            "support.forked_server", [], cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._last = 0

    def start(self, story: Story) -> tuple[int, Client]:
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        executing = {"execute": True, "execute_slots": 2} if story.execute else {}
        settings = {"data_dir": str(story.directory), "speed": 0, "part_size": 8, **executing}
        self._program.stdin.write(json.dumps({"settings": settings}) + "\n")
        self._program.stdin.flush()
        pid, port, key = self._program.stdout.readline().split(" ", 2)
        assert int(pid), "the server did not start"
        self._last = int(pid)
        return int(pid), Client(int(port), json.loads(key))

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        kill(self._last)
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        self._program.stdin.close()
        self._program.stdout.close()
        self._program.wait(PATIENCE_S)


def work(story: Story, client: Client, pid: int) -> None:
    """Have several workers at it, and the server killed somewhere in the middle."""
    left = threading.Semaphore(story.chance.randrange(1, 25))
    kinds = [story.chance.choice(WORK) for _ in range(200)]

    def worker(start: int) -> None:
        for kind in kinds[start::WORKERS]:
            try:
                kind(story, client)
            except requests.ConnectionError:
                return
            story.counts["acknowledged"] += 1
            if not left.acquire(blocking=False):
                kill(pid)

    def one() -> None:  # what has one truth at a time is done by one
        for kind in (clock, catalogue, clock):
            try:
                kind(story, client)
            except requests.ConnectionError:
                return
            story.counts["acknowledged"] += 1

    with ThreadPoolExecutor(WORKERS + 1) as pool:
        for done in [*(pool.submit(worker, number) for number in range(WORKERS)), pool.submit(one)]:
            done.result()


def hold(story: Story, client: Client) -> None:
    """Everything that was acknowledged is there, and once."""
    jobs = client.call("GET", "/api/v1/jobs").json()["data"]
    titles = Counter(job["title"] for job in jobs)
    by_title = {job["title"]: job["jid"] for job in jobs}
    lost = {title: jid for title, jid in story.jobs.items() if by_title.get(title) != jid}
    doubled = [title for title, count in titles.items() if count > 1]
    story.counts["lost"] += len(lost)
    story.counts["doubled"] += len(doubled)
    assert not lost
    assert not doubled
    assert sorted(int(job["jid"]) for job in jobs) == list(range(1, len(jobs) + 1))
    for title, body in story.unsure:  # the client asks again, and it is one job whatever became of the first
        story.jobs[title] = client.submit(title, body)
        story.counts["there without an answer" if title in titles else "not there, made now"] += 1
    story.unsure.clear()
    files = {one["path"]: one["md5"] for one in client.call("GET", "/_mock/files").json()["files"]}
    assert {path: files.get(path) for path in story.files} == story.files
    assert _time(client.call("GET", "/_mock/clock").json()) >= story.clock_us
    rules = client.call("GET", "/_mock/outcomes").json()["rules"]
    assert len(rules) >= story.rules
    assert len({json.dumps(one) for one in rules}) == len(rules), "none is there twice"
    story.rules = len(rules)
    if story.catalogues:
        projects = {one["name"] for one in client.call("GET", "/_mock/catalog").json()["projects"]}
        # The first was acknowledged, unless none ever was; the server's own has other projects.
        assert projects & {*story.catalogues} or not story.is_catalogued, projects
    for path, told in list(story.parts.items())[:3]:
        finish(story, client, path, told)
    assert client.call("GET", "/_mock/faults").json()["faults"] == [], "they live in memory"


def finish(story: Story, client: Client, path: str, told: Json) -> None:
    """The part that was acknowledged need not be sent again."""
    content = told["content"].encode()
    (record,) = client.wanted(path, content)["multiPartURLs"]
    etags = [told["etag"]]
    for number, one in enumerate(record["parts"][1:], start=1):
        answer = client.call("PUT", one["url"], data=content[number * PART : (number + 1) * PART])
        etags.append(answer.headers["ETag"])
    body = {
        "uploadID": record["uploadID"],
        "hash": md5_of(content),
        "completedParts": [{"partNumber": n, "etag": etag} for n, etag in enumerate(etags, start=1)],
        "project": None,
    }
    answer = client.call("POST", "/api/v2/files/multipart/complete", json=body)
    assert answer.status_code == 200, answer.text
    del story.parts[path]
    story.files[path] = md5_of(content)


def end(story: Story, client: Client) -> None:
    """What was submitted comes to its end: tasks that run for real, too."""
    if story.execute:
        client.call("POST", "/_mock/clock", json={"advance": 60})
        client.call("POST", "/_mock/clock", json={"until": "idle", "within": PATIENCE_S})
    else:
        client.call("POST", "/_mock/clock", json={"until": "idle"})
    jobs = client.call("GET", "/api/v1/jobs").json()["data"]
    others = [
        client.call("GET", f"/_mock/jobs/{job['jid']}").json() for job in jobs if job["status"] != "success"
    ]
    unlucky = [job for job in others if story.execute and _died_twice(job)]
    assert others == unlucky
    story.counts["jobs that failed since two servers died under their task"] += len(unlucky)
    story.counts["jobs that ended"] += len(jobs)


def _died_twice(job: Json) -> bool:
    """Whether a job's one task was under way when two servers ended: it is not begun a third time."""
    lost, last = job["tasks"][0]["attempts"][-2:]
    ended = [
        (attempt["outcome"], attempt["reason"].endswith("for the second time")) for attempt in (lost, last)
    ]
    return ended == [("lost", False), ("failed", True)]


def live(folder: Path, rounds: int, seed: int) -> Counter[str]:
    """Kill servers so many times; what came of it."""
    chance, counts = random.Random(seed), Counter[str]()
    with Servers() as servers:
        for first in range(0, rounds, ROUNDS):
            directory = folder / str(first)
            story = Story(directory, execute=(first // ROUNDS) % 3 == 2, chance=chance)
            for _ in range(min(ROUNDS, rounds - first)):
                pid, client = servers.start(story)
                hold(story, client)
                work(story, client, pid)
                kill(pid)
                counts["rounds"] += 1
            pid, client = servers.start(story)
            hold(story, client)
            end(story, client)
            kill(pid)
            counts += story.counts
            print(dict(counts), flush=True)
            assert check(Settings(data_dir=directory), repair=False).damages == []
    return counts


def kill(pid: int) -> None:
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_server_that_is_killed_in_the_middle_of_everything_loses_nothing(tmp_path: Path) -> None:
    counts = live(tmp_path, 4, 1)
    assert counts["rounds"] == 4
    assert counts["acknowledged"] > 4
    assert counts["lost"] == counts["doubled"] == 0


@pytest.mark.prove
def test_a_thousand_kills_lose_nothing(tmp_path: Path) -> None:
    counts = live(tmp_path, int(os.environ.get("CONDUCTOR_MOCK_TEST_KILLS", "1000")), 7)
    print(dict(counts))
    assert counts["lost"] == counts["doubled"] == 0
