"""Thirty-two callers at once, of every operation, on one account and on several: nothing lost, doubled or mixed up."""

from __future__ import annotations

import base64
import hashlib
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.farm.fold import replay
from conductor_mock.farm.ids import account_id
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.store.database import Database
from conductor_mock.store.log import Log
from conductor_mock.store.table_and_files import TableAndFiles
from support.states import image

CALLERS = 32
ROUNDS = 12
SECONDS = 2
"""One advance; all of them together end jobs (66 seconds) and are less than a claim's lease (120)."""

PART_BYTES = 64

KEYS = ("one", "two", "three")


@dataclass
class Seen:
    """What the callers of one account were told."""

    jobs: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    offers: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


@dataclass
class Caller:
    """One of many who use an account; its answers go to what all of them saw."""

    url: str
    client_id: str
    seen: Seen
    draw: random.Random
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        query = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": "key"}
        token = self.session.get(f"{self.url}/api/oauth_jwt", params=query, timeout=60).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        response = self.session.request(method, self.url + path, timeout=60, **options)
        self.seen.statuses[response.status_code] += 1
        return response

    def submit(self) -> None:
        tasks = [{"command": f"render {self.client_id} {n}", "frames": str(n)} for n in range(3)]
        job = {"job_title": self.client_id, "project": "default", "instance_type": "n1-standard-4"}
        body = {**job, "output_path": "/out", "tasks_data": tasks, "metadata": {"mock_duration": "1"}}
        self.seen.jobs.append(self.call("POST", "/jobs/", json=body).json()["jobid"])

    def submit_for_a_daemon(self) -> None:
        files = [{"destination": f"/in/{self.client_id}", "md5": None, "st_size": 1}]
        job = {
            "project": "default",
            "instance_type": "n1-standard-4",
            "output_path": "/out",
            "local_upload": False,
        }
        body = {**job, "tasks_data": [{"command": "true", "frames": "1"}], "upload_files": files}
        self.seen.jobs.append(self.call("POST", "/jobs/", json=body).json()["jobid"])

    def upload(self) -> None:
        data = self.client_id.encode() + bytes([self.draw.randrange(8)])
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        wanted = {"upload_files": [{"path": f"/in/{md5.replace('/', '_')}", "hash": md5, "size": len(data)}]}
        answer = self.call("POST", "/api/v2/files/get_upload_urls", json={**wanted, "project": None})
        for one in answer.json()["singlePartURLs"] if answer.status_code == 200 else ():
            assert self.session.put(one["preSignedURL"], data=data, timeout=60).status_code == 200

    def upload_in_parts(self) -> None:
        data = self.client_id.encode() * 50 + bytes([self.draw.randrange(4)])
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        wanted = {"upload_files": [{"path": f"/parts/{data[-1]}", "hash": md5, "size": len(data)}]}
        answer = self.call("POST", "/api/v2/files/get_upload_urls", json=wanted)
        for one in answer.json()["multiPartURLs"] if answer.status_code == 200 else ():
            parts = []
            for part in one["parts"]:
                piece = data[(part["partNumber"] - 1) * PART_BYTES :][:PART_BYTES]
                put = self.session.put(part["url"], data=piece, timeout=60)
                assert put.status_code == 200, put.text
                parts.append({"partNumber": part["partNumber"], "etag": put.headers["ETag"].strip('"')})
            whole = {"uploadID": one["uploadID"], "hash": md5, "completedParts": parts, "project": None}
            done = self.session.post(f"{self.url}/api/v2/files/multipart/complete", json=whole, timeout=60)
            assert done.status_code == 200, done.text

    def claim_and_finish(self) -> None:
        answer = self.call("PUT", "/uploads/client/next", json={"location": None})
        if answer.status_code == 201:
            name = answer.json()["data"]["id"]
            self.seen.claims.append(name)
            self.call("POST", f"/uploads/{name}/update", json={"upload_id": name, "bytes_transfered": 1})
            self.call("POST", f"/uploads/{name}/finish", json={"upload_id": name, "upload_files": {}})

    def fetch(self) -> None:
        answer = self.call("GET", "/downloads/next?count=2")
        for one in answer.json()["data"] if answer.status_code == 201 else ():
            self.seen.offers.append(one["download_id"])
            for file in one["files"]:
                data = requests.get(file["url"], timeout=60).content
                assert base64.b64encode(hashlib.md5(data).digest()).decode() == file["md5"]
            report = {"download_id": one["download_id"], "status": "downloaded", "bytes_downloaded": 0}
            self.call("POST", "/downloads/status", json={**report, "bytes_to_download": 0})

    def fetch_a_file(self) -> None:
        for one in self.call("GET", "/api/v1/fileio/downloader/next").json():
            self.seen.offers.append(one["download_file"]["dlid"])
            name = one["download_file"]["id"]
            self.call("PUT", f"/api/v1/fileio/downloader/touch/{name}", data={"bytes_transferred": "1"})
            self.call("PUT", f"/api/v1/fileio/downloader/finish/{name}", data={"bytes_downloaded": "2"})

    def let_time_pass(self) -> None:
        self.call("POST", f"/_mock/clock?account={self.client_id}", json={"advance": SECONDS})

    def look(self) -> None:
        jobs = self.call("GET", "/api/v1/jobs").json()["data"]
        assert {job["title"] for job in jobs} <= {self.client_id, ""}, "another account's job"
        self.call("GET", "/billing/get_usage")
        self.call("GET", "/billing/get_storage_usage?start=2026-01-01&end=2026-01-03")
        self.call("GET", "/api/v1/ee/packages?all=true,")
        self.call("GET", "/api/v1/instance-types?filter=")
        self.call("GET", "/api/v1/projects/")
        self.call("GET", "/api/v1/integrations/env-vars-configs")
        self.call("GET", "/api/v1/client/jobs/00001")
        self.call("GET", "/downloads/1")
        self.call("GET", "/api/v1/tasks?filter=jobLabel_eq_00001")
        self.call("GET", "/get_log_file?job=00001&task=000&num_lines[]=0")
        self.call("POST", "/jobs/00001/downloads", json={"tids": None})

    def act(self) -> None:
        if self.seen.jobs:
            jid = self.draw.choice(self.seen.jobs)
            action = self.draw.choice(["hold", "unhold", "kill", "reviewed"])
            self.call("PUT", "/jobs_multi", json={"action": action, "jobids": [jid]})
            self.call("PUT", "/tasks_multi", json={"action": "kill", "jobid": jid, "taskids": ["000"]})


DEEDS: tuple[Callable[[Caller], None], ...] = (
    Caller.submit,
    Caller.submit_for_a_daemon,
    Caller.upload,
    Caller.upload_in_parts,
    Caller.claim_and_finish,
    Caller.fetch,
    Caller.fetch_a_file,
    Caller.let_time_pass,
    Caller.look,
    Caller.act,
)


@pytest.fixture(scope="module", params=[KEYS[:1], KEYS], ids=["one account", "three accounts"])
def crowd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Seen]]:
    """What was seen while everybody called at once, and the data directory that is left, its server stopped."""
    folder = tmp_path_factory.mktemp("crowd")
    seen = {key: Seen() for key in request.param}
    with Server(create_app(Settings(data_dir=folder, speed=0, part_size=PART_BYTES))) as server:
        callers = [
            Caller(server.url, key, seen[key], random.Random(number))
            for number, key in enumerate(list(seen) * CALLERS)
            if number < CALLERS
        ]
        for caller in callers[: len(seen)]:
            stock(caller)
        start = threading.Barrier(CALLERS)
        with often_switched(), ThreadPoolExecutor(CALLERS) as pool:
            list(pool.map(lambda caller: busy(caller, start), callers))
        for caller in callers:
            caller.session.close()
    return folder, seen


@contextmanager
def often_switched() -> Iterator[None]:
    """Let threads take turns in the middle of things: the server's are in this process too."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def stock(caller: Caller) -> None:
    """Give an account outputs to fetch and files to bring before everybody begins."""
    for _ in range(8):
        caller.submit()
    assert caller.call("POST", "/_mock/clock", json={"until": "idle"}).status_code == 200
    for _ in range(4):
        caller.submit_for_a_daemon()


def busy(caller: Caller, start: threading.Barrier) -> None:
    start.wait(60)
    for _ in range(ROUNDS):
        caller.draw.choice(DEEDS)(caller)


def test_nobody_is_answered_with_an_error_of_the_server(crowd: tuple[Path, dict[str, Seen]]) -> None:
    for seen in crowd[1].values():
        assert set(seen.statuses) <= {200, 201, 204, 404, 409}


def test_no_job_is_lost_and_no_id_is_given_twice(crowd: tuple[Path, dict[str, Seen]]) -> None:
    for seen in crowd[1].values():
        assert sorted(seen.jobs) == [f"{number:05d}" for number in range(1, len(seen.jobs) + 1)]


def test_no_claim_and_no_outputs_are_handed_out_twice(crowd: tuple[Path, dict[str, Seen]]) -> None:
    for seen in crowd[1].values():
        assert seen.claims
        assert seen.offers
        assert len(set(seen.claims)) == len(seen.claims)
        assert len(set(seen.offers)) == len(seen.offers)


def test_the_log_on_disk_holds_all_of_it(crowd: tuple[Path, dict[str, Seen]]) -> None:
    folder, seen = crowd
    app = create_app(Settings(data_dir=folder))
    try:
        for key, one in seen.items():
            with service_of(app).accounts.open(account_id(key)) as account:
                shown = repr(account.state)
                assert len(account.state.jobs) == len(one.jobs)
                assert all(f"render {other} " not in shown for other in KEYS if other != key)
    finally:
        service_of(app).close()


def test_the_state_at_the_end_is_a_replay_of_its_log(crowd: tuple[Path, dict[str, Seen]]) -> None:
    folder, seen = crowd
    with Database(f"sqlite:///{folder / 'conductor.db'}") as database:
        log = Log(database, TableAndFiles(folder, database))
        for key in seen:
            kept, replayed = log.load_snapshot(account_id(key)), replay(log.read(account_id(key)))
            assert kept is not None
            assert replayed is not None
            assert image(replayed) == image(kept)


def test_two_who_upload_the_same_content_at_once_both_succeed_and_one_copy_exists(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(3_000_000)
    digest = hashlib.md5(data)
    md5 = base64.b64encode(digest.digest()).decode()
    with Server(create_app(Settings(data_dir=tmp_path, speed=0))) as server:
        callers = [Caller(server.url, "one", Seen(), random.Random(n)) for n in range(8)]
        body = {"upload_files": [{"path": "/same", "hash": md5, "size": len(data)}], "project": None}
        urls = [
            caller.call("POST", "/api/v2/files/get_upload_urls", json=body).json()["singlePartURLs"][0][
                "preSignedURL"
            ]
            for caller in callers
        ]
        start = threading.Barrier(len(callers))

        def put(caller: Caller, url: str) -> int:
            start.wait(60)
            return caller.session.put(url, data=data, timeout=60).status_code

        with ThreadPoolExecutor(len(callers)) as pool:
            assert list(pool.map(put, callers, urls)) == [200] * len(callers)
        again = callers[0].call("POST", "/api/v2/files/get_upload_urls", json=body)
        for caller in callers:
            caller.session.close()
    assert again.status_code == 204
    assert [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()].count(
        digest.hexdigest()
    ) == 1
    assert not list((tmp_path / "incoming").iterdir())
