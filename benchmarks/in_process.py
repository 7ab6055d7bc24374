"""What the fake in this process costs in CPU time: a fresh one, a request, the same of Flask's test client.

python benchmarks/in_process.py
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import requests

from conductor_mock.inprocess import in_process
from conductor_mock.testkit import Fake
from conductor_mock.testkit.mocking import new_account
from conductor_mock.testkit.places import InMemory

ROUNDS = 7


def best_ms(what: Callable[[], object], times: int) -> float:
    """The least CPU time of one of so many, over ROUNDS rounds."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(times):
            what()
        found.append((time.process_time() - begun) / times * 1e3)
    return min(found)


def open_and_close() -> None:
    with in_process():
        pass


def main() -> None:
    """Measure and print."""
    open_and_close()
    print(f"a fresh fake: {best_ms(open_and_close, 5):.1f} ms")
    with in_process() as fake, requests.Session() as session:
        session.trust_env = False  # looking for proxies is the library's, and costs it as much over a socket
        account = json.loads(fake.environment()["CONDUCTOR_API_KEY"])
        query = {"grant_type": "client_credentials", "scope": "user"}
        query.update(client_id=account["client_id"], client_secret=account["private_key"])
        token = session.get(f"{fake.url}/api/oauth_jwt", params=query).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        client = fake.app.test_client()
        url = f"{fake.url}/api/v1/jobs"
        request = best_ms(lambda: session.get(url, headers=headers), 200)
        called = best_ms(lambda: client.get("/api/v1/jobs", headers=headers, base_url=fake.url), 200)
        print(f"a request: {request:.2f} ms; the app called by Flask's test client: {called:.2f} ms")
        print(
            f"a fresh account of the test kit: {best_ms(lambda: Fake(InMemory(fake), new_account()), 10):.1f} ms"
        )


if __name__ == "__main__":
    main()
