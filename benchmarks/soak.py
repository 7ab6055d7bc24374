"""A long mixed load on one server: `python benchmarks/soak.py [REQUESTS] [CLIENTS]` (200,000 and 4).

The server is a process of its own, on a data directory that is kept, with limits small enough that all of them are come
to: the journal, accounts in memory. After each twentieth of the requests its memory, descriptors and threads are read.
What is kept grows with what is stored, so accounts are reset as a test suite resets them: once every thousand requests.
Prints Markdown for docs/figures.md, and ends with 1 when anything is not flat after the first tenth.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil

ACCOUNTS = 40
READINGS = 20
RESET_EVERY = 1000
FLAT = {"MiB": 1.15, "descriptors": 1.0, "threads": 1.0}
"""How many times the highest reading of the second tenth the highest of the last half may be, and then 8 more."""
SPARE = 8


class Client:
    """One keep-alive connection, and the requests of one client after the other."""

    def __init__(self, port: int, seed: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._chance = random.Random(seed)
        self._tokens: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self.number = 0

    def ask(self, method: str, target: str, body: Any = None, account: str = "") -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._tokens[account]}"} if account else {}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None or target.startswith("/_mock"):
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, target, data, headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (http.client.HTTPException, ConnectionError):
            self._connection.close()
            raise
        if self._chance.random() < 0.05:  # some clients take a new one each time
            self._connection.close()
        self.statuses[answer.status] += 1
        self.number += 1
        return answer.status, content

    def sign_in(self, account: str) -> None:
        query = {
            "grant_type": "client_credentials",
            "client_id": account,
            "client_secret": "key of " + account,
        }
        status, content = self.ask("GET", f"/api/oauth_jwt?{urlencode(query)}")
        assert status == 200, content
        self._tokens[account] = json.loads(content)["access_token"]

    def step(self) -> None:
        """One of the mixed requests, or the few that belong together."""
        account = f"account {self._chance.randrange(ACCOUNTS)}"
        if account not in self._tokens or self._chance.random() < 0.02:
            self.sign_in(account)
        kind = self._chance.choice(STEPS)
        kind(self, account)

    def submit(self, account: str) -> None:
        body = {
            "job_title": "soak", "project": "default", "instance_type": "n1-standard-2", "output_path": "/proj/out",
            "tasks_data": [{"command": f"render {frame}", "frames": str(frame)} for frame in range(3)],
        }  # fmt: skip
        assert self.ask("POST", "/jobs/", body, account)[0] == 201

    def upload(self, account: str) -> None:
        content = self._chance.randbytes(500)
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
        wanted = {"upload_files": [{"path": f"/proj/{md5}", "hash": md5, "size": len(content)}]}
        status, answer = self.ask("POST", "/api/v2/files/get_upload_urls", wanted, account)
        assert status == 200, answer
        url = urlsplit(json.loads(answer)["singlePartURLs"][0]["preSignedURL"])
        assert self.ask("PUT", f"{url.path}?{url.query}", content)[0] == 200

    def download(self, account: str) -> None:
        self.ask("POST", f"/_mock/clock?{urlencode({'account': account})}", {"advance": 300})
        status, answer = self.ask("GET", "/downloads/00001", None, account)
        ready = json.loads(answer)["downloads"] if status == 201 else []
        if ready:
            url = urlsplit(ready[0]["files"][0]["url"])
            self.ask("GET", f"{url.path}?{url.query}")

    def look(self, account: str) -> None:
        self.ask("GET", "/api/v1/jobs", None, account)

    def packages(self, account: str) -> None:
        self.ask("GET", "/api/v1/instance-types", None, account)

    def wrong(self, account: str) -> None:
        assert 400 <= self.ask("POST", "/jobs/", b"{", account)[0] < 500

    def page(self, account: str) -> None:
        self.ask("GET", f"/?{urlencode({'account': account})}")

    def fault(self, account: str) -> None:
        rule = {
            "match": {"operation": "projects.list"},
            "fault": {"kind": "status", "status": 503},
            "times": 1,
        }
        where = urlencode({"account": account})
        self.ask("POST", f"/_mock/faults?{where}", rule)
        self.ask("GET", "/api/v1/projects", None, account)
        self.ask("DELETE", f"/_mock/faults?{where}")

    def reset(self, account: str) -> None:
        self.ask("POST", f"/_mock/reset?{urlencode({'account': account})}")


STEPS = [
    *([Client.submit] * 2), *([Client.upload] * 3), *([Client.look] * 6), Client.download, Client.packages,
    Client.wrong, Client.page, Client.fault,
]  # fmt: skip


def reading(process: psutil.Process) -> dict[str, float]:
    return {
        "MiB": process.memory_info().rss / (1 << 20),
        "descriptors": process.num_fds(),
        "threads": process.num_threads(),
    }


def work(client: Client, until: int, errors: list[BaseException]) -> None:
    try:
        while client.number < until:
            before = client.number // RESET_EVERY
            client.step()
            if client.number // RESET_EVERY != before:
                for account in sorted(client._tokens):
                    client.reset(account)
    except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
        errors.append(error)


def soak(requests: int, clients: int, folder: Path) -> bool:
    """Run, and print what was read. Whether it is flat."""
    ready = folder / "ready.json"
    options = [
        "--max-open-accounts",
        "20",
        "--max-journal-bytes",
        str(1 << 20),
        "--sweep-every",
        "30",
        "--speed",
        "0",
    ]
    program = [sys.executable, "-m", "conductor_mock", "serve", "--port", "0", "--ready-file", str(ready)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen([*program, "--data-dir", str(folder / "data"), *options], stderr=log)
    try:
        while not ready.exists():
            assert server.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        port = urlsplit(json.loads(ready.read_text())["url"]).port
        assert port is not None
        process = psutil.Process(server.pid)
        everybody = [Client(port, seed) for seed in range(clients)]
        print(
            "| requests | MiB | descriptors | threads | journal MiB | seconds |\n|---:|---:|---:|---:|---:|---:|"
        )
        began_s, readings, errors = time.monotonic(), [], list[BaseException]()
        for nth in range(1, READINGS + 1):
            goal = requests * nth // READINGS // clients
            threads = [threading.Thread(target=work, args=(client, goal, errors)) for client in everybody]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if errors:
                raise errors[0]
            now = reading(process)
            readings.append(now)
            journal = (folder / "data" / "journal.db").stat().st_size / (1 << 20)
            print(
                f"| {sum(client.number for client in everybody):,} | {now['MiB']:.0f} | {now['descriptors']:.0f} | "
                f"{now['threads']:.0f} | {journal:.1f} | {time.monotonic() - began_s:.0f} |",
                flush=True,
            )
        statuses = sum((client.statuses for client in everybody), Counter())
        print(f"\nstatuses: {dict(sorted(statuses.items()))}")
        assert not any(status >= 500 and status != 503 for status in statuses)
    finally:
        server.terminate()
        server.wait(60)
    begin, rest = readings[READINGS // 10 : READINGS // 5], readings[READINGS // 2 :]
    is_flat = True
    for name, factor in FLAT.items():
        most, first = max(one[name] for one in rest), max(one[name] for one in begin)
        if most > first * factor + SPARE:
            print(f"not flat: {name} were {first:.0f} and became {most:.0f}")
            is_flat = False
    return is_flat


def main() -> int:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    with tempfile.TemporaryDirectory() as folder:
        return 0 if soak(requests, clients, Path(folder)) else 1


if __name__ == "__main__":
    sys.exit(main())
