"""A story that many clients tell to three servers on one database and one bucket, any of which may be killed.

Each server is a process with a data directory of its own, as on a machine of its own; database, store and post office
are not killed. Clients ask any server, and ask again until they are answered.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from conductor_mock.farm import snapshot
from conductor_mock.farm.records import Record
from conductor_mock.settings import Settings
from conductor_mock.store import bucket_sweeper
from conductor_mock.upkeep import check, prune
from support.buckets import ACCOUNT, NAME
from support.execution import eventually
from support.machines import Machine, machines, served_store
from support.post import PostOffice, post_office
from support.retold import retell
from support.served import PATIENCE_S
from support.server import candidate, job_file, job_payload, md5_of, running

Json = dict[str, Any]

SERVERS = 3
STUDIOS = 4
"""Accounts of which nothing runs for real."""
SPEED = 60
PART = 100_000
SIZES = (20, 20, 20, 70_000)
HOW = ("success", "failed,success", "preempted,success", "failed")
WORK = "jjjjffmcadrle"


class Story:
    """What clients were told."""

    def __init__(self, servers: Sequence[Machine], seed: int, ran: Path) -> None:
        self.servers = servers
        self.chance = random.Random(seed)
        self.over = threading.Event()
        self.ran = ran
        """A file with a line for each beginning of a task that runs for real."""
        self.jobs: dict[str, dict[str, str]] = {}
        """The job of each title, by account."""
        self.files: dict[str, dict[str, bytes]] = {}
        """What was sent to each path, by account."""
        self.counts: Counter[str] = Counter()
        self.answers = threading.Semaphore(0)
        self.guard = threading.RLock()
        self._latest_us: Counter[str] = Counter()
        self._tokens: dict[str, str] = {}

    def token(self, account: str, make: Callable[[], str]) -> str:
        with self.guard:
            if account not in self._tokens:
                self._tokens[account] = make()
            return self._tokens[account]

    def told_at(self, account: str, ask: Callable[[], int]) -> None:
        """Ask for the time: none was told before that is later."""
        with self.guard:
            before_us = self._latest_us[account]
        now_us = ask()
        if now_us < before_us:
            self.counts["clocks that went back"] += 1
        with self.guard:
            self._latest_us[account] = max(now_us, self._latest_us[account])

    def count(self, what: str) -> None:
        with self.guard:
            self.counts[what] += 1

    def kill(self, kills: int) -> None:
        """Kill a server once some more requests were answered, and start it again; in the middle of all the others."""
        try:
            for _ in range(kills):
                for _ in range(self.chance.randrange(1, 40)):
                    if not self.answers.acquire(timeout=PATIENCE_S):
                        raise AssertionError("nobody is answered any more")
                self.over.wait(self.chance.uniform(0, 0.05))
                server = self.chance.choice(self.servers)
                server.kill()
                server.start()
                self.counts["kills"] += 1
                while self.answers.acquire(blocking=False):
                    pass
        finally:
            self.over.set()


class Client:
    """One client, of one account: `studio N`, or the servers' own, whose tasks run for real."""

    def __init__(self, story: Story, number: int, seed: int, key: Json | None = None) -> None:
        self.story = story
        self.number = number
        self.chance = random.Random(seed * 1000 + number)
        self.key = key or {"client_id": f"studio {number % STUDIOS}", "private_key": "its key"}
        self.account = str(self.key["client_id"])
        self._pause = threading.Event()
        self._session = requests.Session()
        self._session.trust_env = False
        self.jobs = story.jobs.setdefault(self.account, {})
        self.files = story.files.setdefault(self.account, {})
        token = story.token(self.account, self._sign_in)
        self._session.headers["Authorization"] = f"Bearer {token}"

    def _sign_in(self) -> str:
        query = {
            "grant_type": "client_credentials",
            "client_id": self.key["client_id"],
            "client_secret": self.key["private_key"],
        }
        return str(self.ask("GET", "/api/oauth_jwt", params=query).json()["access_token"])

    def tried(self, server: Machine, method: str, path: str, **options: Any) -> requests.Response | None:
        """One request to one server; None where it had no answer, or not all of it."""
        url = path if path.startswith("http") else server.url + path
        try:
            answer = self._session.request(method, url, timeout=PATIENCE_S, **options)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            self.story.count("without an answer")
            return None
        assert answer.status_code < 500, (method, path, answer.status_code, answer.text)
        self.story.count("acknowledged")
        self.story.answers.release()
        return answer

    def ask(
        self, method: str, path: str, *statuses: int, at: Machine | None = None, **options: Any
    ) -> requests.Response:
        """Ask any server, or that one, until one of them answers."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            server = at or self.chance.choice(self.story.servers)
            answer = self.tried(server, method, path, **options)
            if answer is not None:
                assert answer.status_code in (statuses or (200,)), (method, path, answer.text)
                return answer
            assert time.monotonic() < deadline, "no server answers"
            self._pause.wait(0.1)

    def work(self) -> None:
        """Do one thing after the other until the story is over."""
        kinds: dict[str, Callable[[str], None]] = {
            "j": self.submit, "f": self.send, "m": self.send_in_parts, "c": self.advance, "a": self.act,
            "d": self.download, "r": self.read, "l": self.look, "e": self.rule,
        }  # fmt: skip
        step = 0
        while not self.story.over.is_set():
            kinds[self.chance.choice(WORK)](f"{self.number}.{step}")
            self.tell_time()
            step += 1

    def tell_time(self) -> None:
        self.story.told_at(self.account, lambda: int(self.ask("GET", "/_mock/clock").json()["now_us"]))

    def submit(self, what: str, **fields: Any) -> None:
        files = self.chance.sample(sorted(self.files), min(2, len(self.files)))
        body = {
            "metadata": {
                "mock_outcome": self.chance.choice(HOW),
                "mock_duration": str(self.chance.randrange(90)),
            },
            "tasks_data": [
                {"command": f"render {number}", "frames": str(number)}
                for number in range(self.chance.randrange(1, 4))
            ],
            "autoretry_policy": {"failed": {"max_retries": 1}, "preempted": {"max_retries": 1}},
            "upload_files": [job_file(path, self.files[path]) for path in files],
            "local_upload": True,
            "notify": {"emails": ["kim@example.com"] if self.chance.random() < 0.3 else []},
            **fields,
        }
        if self.chance.random() < 0.1:
            body["metadata"]["notes"] = "x" * 70_000
        data, key = json.dumps(job_payload(job_title=what, **body)), {"Idempotency-Key": what}
        asked = 2 if self.chance.random() < 0.3 else 1  # once more as if the answer were lost, of any server
        jids = {self.ask("POST", "/jobs/", 201, data=data, headers=key).json()["jobid"] for _ in range(asked)}
        (self.jobs[what],) = jids

    def send(self, what: str) -> None:
        content, path = self.chance.randbytes(self.chance.choice(SIZES)), f"/proj/{what}"
        while True:
            answer = self.ask("POST", "/api/v2/files/get_upload_urls", 200, 204, json=_wanted(path, content))
            if answer.status_code == 204:  # a try that had no answer has stored it
                break
            url = answer.json()["singlePartURLs"][0]["preSignedURL"]
            put = self.tried(self.chance.choice(self.story.servers), "PUT", _path_of(url), data=content)
            if put is not None:
                assert put.status_code == 200, put.text
                break
        self.files[path] = content

    def send_in_parts(self, what: str) -> None:
        """Each of them to whichever server comes, as a balancer has it: the parts lie in the bucket."""
        content, path = self.chance.randbytes(2 * PART + 1), f"/proj/{what} in parts"
        while True:
            answer = self.ask("POST", "/api/v2/files/get_upload_urls", 200, 204, json=_wanted(path, content))
            if answer.status_code == 204:
                break
            (record,) = answer.json()["multiPartURLs"]
            etags = []
            for number, part in enumerate(record["parts"]):
                sent = content[number * PART : (number + 1) * PART]
                etags.append(self.ask("PUT", _path_of(part["url"]), data=sent).headers["ETag"])
            body = {
                "uploadID": record["uploadID"],
                "hash": md5_of(content),
                "completedParts": [{"partNumber": n, "etag": etag} for n, etag in enumerate(etags, start=1)],
                "project": None,
            }
            server = self.chance.choice(self.story.servers)
            done = self.tried(server, "POST", "/api/v2/files/multipart/complete", json=body)
            if done is not None:
                assert done.status_code == 200, done.text
                break
        self.files[path] = content

    def advance(self, _: str) -> None:
        body = {"advance": self.chance.randrange(1, 60)}
        self.story.told_at(
            self.account, lambda: int(self.ask("POST", "/_mock/clock", json=body).json()["now_us"])
        )

    def act(self, _: str) -> None:
        if self.jobs:
            chosen = self.jobs[self.chance.choice(sorted(self.jobs))]
            body = {"action": self.chance.choice(["hold", "unhold", "kill"]), "jobids": [chosen]}
            self.ask("PUT", "/jobs_multi", 200, 409, json=body)

    def download(self, _: str) -> None:
        answer = self.ask("GET", "/downloads/next", 201, 204, params={"location": "", "count": 2})
        for record in answer.json()["data"] if answer.status_code == 201 else ():
            for file in record["files"]:
                there = self.ask("GET", _path_of(file["url"])).content
                assert md5_of(there) == file["md5"], file
            report = {"download_id": record["download_id"], "status": "downloaded", "bytes_downloaded": 1}
            self.ask("POST", "/downloads/status", json={**report, "bytes_to_download": 1})

    def read(self, _: str) -> None:
        if self.files:
            path = self.chance.choice(sorted(self.files))
            there = self.ask("GET", "/_mock/files/content", params={"path": path}).content
            assert there == self.files[path], path

    def look(self, _: str) -> None:
        self.ask("GET", "/api/v1/jobs")

    def rule(self, what: str) -> None:
        body = {"match": {"owner": f"nobody {what}"}, "outcome": "failed"}
        self.ask("POST", "/_mock/outcomes", json=body)

    def execute(self, most: int) -> None:
        """Submit tasks that run for real, one behind the other: `most` of them at most."""
        for step in range(most):
            if self.story.over.is_set():
                return
            title = f"real {step}"
            task = {"command": f"echo {title} >> {self.story.ran}", "frames": "1"}
            self.submit(title, tasks_data=[task], metadata={}, upload_files=[], notify=None)
            self.ask("POST", "/_mock/clock", json={"advance": 6})
            self.tell_time()


def _path_of(url: str) -> str:
    """What any server answers to, whichever signed it."""
    return "/" + url.split("/", 3)[3]


def _wanted(path: str, content: bytes) -> Json:
    return {"upload_files": [candidate(path, content)]}


def hold(story: Story, client: Client) -> Counter[str]:
    """Everything that was acknowledged to the clients of an account is there, once, at every server."""
    came = Counter[str]()
    for server in story.servers:
        there = client.ask("GET", "/api/v1/jobs", at=server).json()["data"]
        by_title = {job["title"]: job["jid"] for job in there}
        came["lost"] += sum(by_title.get(title) != jid for title, jid in client.jobs.items())
        came["doubled"] += len(there) - len(by_title)
        numbers = sorted(int(job["jid"]) for job in there)
        assert numbers == list(range(1, len(there) + 1))
        files = {
            one["path"]: one["md5"] for one in client.ask("GET", "/_mock/files", at=server).json()["files"]
        }
        came["lost"] += sum(files.get(path) != md5_of(content) for path, content in client.files.items())
    came["jobs"] = len(there)
    for path, content in client.files.items():
        read = client.ask("GET", "/_mock/files/content", params={"path": path}).content
        assert (hashlib.md5(read).digest(), len(read)) == (hashlib.md5(content).digest(), len(content)), path
        came["files"] += 1
    return came


def account_for_runs(story: Story, client: Client) -> Counter[str]:
    """Every task that ran for real ran once, or the attempts say why not; nothing ran that no attempt tells of."""
    begun = Counter(story.ran.read_text().splitlines() if story.ran.exists() else [])
    came = Counter[str]()
    for title, jid in client.jobs.items():
        (task,) = client.ask("GET", f"/_mock/jobs/{jid}").json()["tasks"]
        outcomes = [attempt["outcome"] for attempt in task["attempts"]]
        assert outcomes[-1] == "success" or outcomes[-2:] == ["lost", "failed"], (title, outcomes)
        assert all(outcome == "lost" for outcome in outcomes[:-1]), (title, outcomes)
        assert begun[title] <= len(outcomes), (title, begun[title], outcomes)
        assert begun[title] >= 1 or outcomes[-1] == "failed", (title, outcomes)
        came["tasks run"] += 1
        came["of them once"] += outcomes == ["success"] and begun[title] == 1
        came["runs lost with their server"] += outcomes.count("lost")
    assert set(begun) <= set(client.jobs)
    return came


def account_for_mails(clients: Sequence[Client], office: PostOffice) -> Counter[str]:
    """No mail came twice; each that is said to be sent came, and each that came is said to be, or to be in doubt."""
    arrived = Counter(str(mail["Subject"]) for mail in office.mails)
    came = Counter[str]()

    def told() -> list[Json]:
        mails = [mail for client in clients for mail in client.ask("GET", "/_mock/mails").json()["mails"]]
        settled = all(mail["delivery"]["state"] in ("sent", "unknown") for mail in mails)
        return mails if settled else []

    if not any(client.ask("GET", "/_mock/mails").json()["mails"] for client in clients):
        return came
    mails = eventually(told)
    arrived = Counter(str(mail["Subject"]) for mail in office.mails)
    sent = Counter(mail["subject"] for mail in mails if mail["delivery"]["state"] == "sent")
    doubtful = Counter(mail["subject"] for mail in mails if mail["delivery"]["state"] == "unknown")
    came.update({"mails": len(mails), "mails in doubt": doubtful.total()})
    assert not sent - arrived, "said to be sent, and did not come"
    assert not arrived - sent - doubtful, "came more often than is told"
    return came


def tell(folder: Path, database: str, *, seed: int, clients: int, kills: int, real: int) -> Counter[str]:
    """A story of so many clients and kills, and what came of it. `real` tasks run for real, at most."""
    began = time.monotonic()
    with ExitStack() as stack:
        store = stack.enter_context(served_store())
        office = stack.enter_context(post_office())
        shared: Json = {
            "database_url": database, "shared": True, "objects": f"s3://{NAME}/story", "objects_endpoint": store,
            "seed": seed, "speed": SPEED, "part_size": PART,
        }  # fmt: skip
        executing = {"execute": True, "execute_slots": 2, "execute_sandbox": "none"}
        servers = stack.enter_context(machines(folder, SERVERS, {**shared, "smtp": office.url, **executing}))
        story = Story(servers, seed, folder / "ran")
        stack.callback(story.over.set)
        own = Client(story, clients, seed, servers[0].key)
        told = [Client(story, number, seed) for number in range(clients)]
        with ThreadPoolExecutor(clients + 2) as pool:
            working = [pool.submit(client.work) for client in told]
            working.append(pool.submit(own.execute, real))
            working.append(pool.submit(story.kill, kills))
            for done in working:
                done.result()

        of_accounts = [*told[:STUDIOS], own]
        for client in of_accounts:
            until = {"until": "idle", "within": PATIENCE_S}
            client.ask("POST", "/_mock/clock", json=until)
            for jid in client.jobs.values():  # what is on hold goes on, so that all comes to its end
                if client is not own:
                    client.ask("PUT", "/jobs_multi", 200, 409, json={"action": "unhold", "jobids": [jid]})
            client.ask("POST", "/_mock/clock", json=until)
        for client in of_accounts:
            story.counts += hold(story, client)
        story.counts += account_for_runs(story, own)
        story.counts += account_for_mails(of_accounts, office)
        for name in ("lost", "doubled", "clocks that went back"):
            assert story.counts[name] == 0, story.counts
        for server in servers:
            assert "Traceback" not in server.said(), server.said()
            server.kill()
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in ACCOUNT.items():
            patch.setenv(name, value)
        story.counts["commands retold"] = held_against_one_server(folder, shared, story, told[:STUDIOS])
        assert check(_settings(folder, shared), repair=False).damages == []
        patch.setattr(bucket_sweeper, "GRACE_S", -1)
        swept = prune(_settings(folder, shared), dry_run=False)
        story.counts["contents that nobody was told of"] = swept.contents
    story.counts["seconds"] = round(time.monotonic() - began)
    return story.counts


def _settings(folder: Path, shared: Json) -> Settings:
    """Of a server that is alone with what the others have left."""
    wanted = ("database_url", "objects", "objects_endpoint")
    return Settings(data_dir=folder / "0/data", **{name: shared[name] for name in wanted})


def held_against_one_server(folder: Path, shared: Json, story: Story, clients: Sequence[Client]) -> int:
    """The history of each account is that of one server with the same seed and commands; how many commands."""
    commands = 0
    told: list[tuple[Client, list[Record], Any]] = []
    with running(data_dir=folder / "another", **{**shared, "speed": SPEED}) as fake:
        for client in clients:
            caller = fake.caller(client.account, client.key["private_key"])
            with fake.service.accounts.open(fake.state(caller).account_id) as account:
                told.append((client, account.records(), snapshot.write(account.state)))
    for client, records, state in told:
        contents = {md5_of(content): content for content in story.files[client.account].values()}
        lone, lone_state = retell(
            records, client.key["private_key"], contents, seed=shared["seed"], speed=SPEED, part_size=PART
        )
        assert len(lone) == len(records)
        for one, other in zip(records, lone, strict=True):
            assert one == other, client.account
        assert without_time(lone_state) == without_time(state)
        commands += len(records)
    return commands


def without_time(state: Any) -> Any:
    """A state but for when it was looked at last."""
    return {name: value for name, value in state.items() if name not in ("now_us", "reached_us")}


@pytest.mark.slow
def test_three_servers_of_which_some_are_killed_lose_and_double_nothing(
    tmp_path: Path, postgres: str
) -> None:
    counts = tell(tmp_path, postgres, seed=1, clients=5, kills=2, real=1)
    assert counts["kills"] == 2
    assert counts["jobs"] > 0
    assert counts["files"] > 0
    assert counts["commands retold"] > 20


@pytest.mark.prove
def test_a_story_of_fifty_clients_and_a_hundred_kills_is_that_of_one_server(
    tmp_path: Path, postgres: str
) -> None:
    counts = tell(tmp_path, postgres, seed=7, clients=50, kills=100, real=60)
    print(dict(counts))
    assert counts["kills"] == 100
