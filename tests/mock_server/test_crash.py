"""A server that is killed in the middle of its work: what it acknowledged is there when it is started again."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from support.served import PATIENCE_S, ServedProcess, served
from support.server import candidate, job_payload

WORKERS = 4


def submit(session: requests.Session, url: str, title: str) -> str:
    answer = session.post(f"{url}/jobs/", json=job_payload(job_title=title), timeout=PATIENCE_S)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["jobid"])


def upload(session: requests.Session, url: str, path: str, content: bytes) -> None:
    asked = {"upload_files": [candidate(path, content)]}
    answer = session.post(f"{url}/api/v2/files/get_upload_urls", json=asked, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    put = session.put(answer.json()["singlePartURLs"][0]["preSignedURL"], data=content, timeout=PATIENCE_S)
    assert put.status_code == 200, put.text


def work_until_killed(
    server: ServedProcess, name: str, acknowledged: dict[str, str], enough: threading.Event
) -> None:
    """Submit jobs and files until the server is gone; note what it acknowledged."""
    url, session = server.url, server.session()
    number = 0
    try:
        while True:
            title = f"{name}-{number}"
            acknowledged[title] = submit(session, url, title)
            path = f"/proj/{title}"
            upload(session, url, path, title.encode())
            acknowledged[path] = path
            number += 1
            if number == 10:
                enough.set()
    except requests.ConnectionError:
        return


@pytest.mark.slow
def test_a_killed_server_keeps_every_job_and_file_that_it_acknowledged(tmp_path: Path) -> None:
    acknowledged: dict[str, str] = {}
    enough = [threading.Event() for _ in range(WORKERS)]
    with served(tmp_path) as server, ThreadPoolExecutor(WORKERS) as pool:
        workers = [
            pool.submit(work_until_killed, server, f"w{index}", acknowledged, event)
            for index, event in enumerate(enough)
        ]
        for event in enough:
            assert event.wait(PATIENCE_S)
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
        for worker in workers:
            worker.result()

    with served(tmp_path) as server:
        session, url = server.session(), server.url
        jobs: list[dict[str, Any]] = session.get(f"{url}/api/v1/jobs", timeout=PATIENCE_S).json()["data"]
        files = session.get(f"{url}/_mock/files", timeout=PATIENCE_S).json()["files"]
        found = {job["title"]: job["jid"] for job in jobs} | {file["path"]: file["path"] for file in files}
        numbers = [int(job["jid"]) for job in jobs]

        assert {name: found.get(name) for name in acknowledged} == acknowledged
        assert numbers == list(range(1, len(jobs) + 1))
        assert int(submit(session, url, "after the crash")) == len(jobs) + 1
        assert list((tmp_path / "data" / "incoming").iterdir()) == []


def test_a_token_and_the_key_outlive_a_crash(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        key, session = server.api_key, server.session()
        server.end(signal.SIGKILL)
    with served(tmp_path) as server:
        assert server.api_key == key
        assert session.get(f"{server.url}/api/v1/jobs", timeout=PATIENCE_S).status_code == 200
