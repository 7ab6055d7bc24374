"""Schemathesis, which knows nothing of us, against the contract and a served fake.

It sends the contract's examples, edge cases, random requests and sequences of requests, valid and invalid ones. It
runs as its command does, with the settings of schemathesis.toml: all of its checks, on all operations. The budget is
small and fixed in `make test`; in `make fuzz` it goes on with new requests for its share of the time.
SCHEMATHESIS_MAX_EXAMPLES raises it by hand, SCHEMATHESIS_SEED repeats a run.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from conductor_contracts.contract import load as load_contract
from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Quotas, Settings
from support.examples import counted
from support.fuzzing import seconds_of
from support.served import PATIENCE_S, token
from support.server import job_file, job_payload

BUDGET = os.environ.get("SCHEMATHESIS_MAX_EXAMPLES")
SEED = os.environ.get("SCHEMATHESIS_SEED")
"""Without it the requests are the same every time, or, with a budget of one's own or in `make fuzz`, other ones."""

CONFIG = Path(__file__).with_name("schemathesis.toml")
SECONDS = 1800
"""After which a run is called stuck, its share of `make fuzz` aside; nothing is measured with it."""
SHARE = 10
"""A part asks for twenty operations and more, and has the time of as many property tests in `make fuzz`..."""
LEAST_S = 60
"""...but no less than lets every phase of it begin."""


BOUNDLESS = Quotas(account_bytes=2**80, bytes=2**80)
"""A declared size beyond a quota is 507, which is no defect and counts as one here."""


@dataclass(frozen=True)
class World:
    """A served fake, a token, and the ids that requests of substance need."""

    url: str
    token: str
    ids: dict[str, str]


@contextmanager
def prepared() -> Iterator[World]:
    """A fake whose default account has a finished job, a running one, and one whose files a daemon claimed."""
    settings = Settings(ephemeral=True, speed=0, quotas=BOUNDLESS)
    with Server(create_app(settings)) as server, requests.Session() as session:
        session.trust_env = False
        bearer = token(session, server.url, json.loads(server.environment()["CONDUCTOR_API_KEY"]))
        session.headers["Authorization"] = f"Bearer {bearer}"

        def call(method: str, path: str, body: Any) -> requests.Response:
            answer = session.request(method, f"{server.url}{path}", json=body, timeout=PATIENCE_S)
            assert answer.ok, answer.text
            return answer

        tasks = [{"command": f"render {number}", "frames": str(number)} for number in range(2)]
        call("POST", "/jobs/", job_payload(tasks_data=tasks))
        call("POST", "/_mock/clock", {"until": {"job": "00001"}})
        call("POST", "/jobs/", job_payload(tasks_data=tasks))
        files = [job_file("/proj/a.ma", b"a", md5=None)]
        call("POST", "/jobs/", job_payload(local_upload=False, upload_files=files))
        call("PUT", "/uploads/client/next", {"location": None})
        (output, *_) = call("POST", "/jobs/00001/downloads", {"tids": None}).json()["downloads"][0]["files"]
        yield World(server.url, bearer, ids_of(output["url"]))


def ids_of(url: str) -> dict[str, str]:
    """The parts of a signed URL, under the names of their files in schemathesis.toml."""
    split = urlsplit(url)
    _, _, account, digest, name = split.path.split("/")
    query = parse_qs(split.query)
    return {
        "account": account,
        "digest": digest,
        "name": name,
        "expires": query["expires"][0],
        "signature": query["signature"][0],
    }


@dataclass(frozen=True)
class Part:
    """What one process tries: some phases, on some operations or, if none are named, on all."""

    phases: tuple[str, ...]
    operations: tuple[str, ...] = ()

    def __str__(self) -> str:
        named = f" of {self.operations[0]}" if len(self.operations) == 1 else ""
        return f"{' and '.join(self.phases)}{named or (' of some' if self.operations else '')}"


OPERATIONS = tuple(load_contract().operations)
SPREAD = 2
"""Over how many processes requests to single operations are spread: each costs some seconds before it asks anything."""

PARTS = [
    Part(("examples", "stateful")),
    *(Part(("coverage", "fuzzing"), OPERATIONS[first::SPREAD]) for first in range(SPREAD)),
]


def run(world: World, folder: Path, part: Part, seconds: float | None) -> subprocess.CompletedProcess[str]:
    """`schemathesis run` in `folder`, once or, if `seconds` are given, again and again for so long."""
    again = [] if seconds is None else ["--max-time", str(round(max(seconds, LEAST_S)))]
    chosen = SEED or (str(secrets.randbelow(10**9)) if BUDGET or again else "1")
    for name, text in world.ids.items():
        (folder / f"{name}.txt").write_text(f"{json.dumps(text)}\n", encoding="utf-8")
    config = shutil.copy(CONFIG, folder)
    program = "import sys; from schemathesis.cli import schemathesis; sys.exit(schemathesis())"
    arguments = [
        *("--no-color", "--config-file", config, "run", f"{world.url}/_mock/openapi.json"),
        *("--url", world.url, "--header", f"Authorization: Bearer {world.token}"),
        *(
            "--max-examples",
            BUDGET or str(counted(os.environ.get("HYPOTHESIS_PROFILE", "ci"), 5, full=15)),
            "--seed",
            chosen,
            "--suppress-health-check",
            "all",
        ),
        *again,
        *("--phases", ",".join(part.phases)),
        *(word for operation in part.operations for word in ("--include-operation-id", operation)),
    ]
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        cwd=folder,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS + (seconds or 0),
        check=False,
    )


@pytest.mark.skipif(importlib.util.find_spec("schemathesis") is None, reason="schemathesis wants Python 3.11")
@pytest.mark.schemathesis
@pytest.mark.share(SHARE)
@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("part", PARTS, ids=str)
def test_every_answer_to_every_request_is_one_that_the_contract_documents(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, request: pytest.FixtureRequest, part: Part
) -> None:
    caplog.set_level(logging.ERROR, "conductor_mock.access")  # thousands of odd fields are warned about
    with prepared() as world:
        finished = run(world, tmp_path, part, seconds_of(request.node))

    assert finished.returncode == 0, finished.stdout + finished.stderr
    chosen = len(part.operations or OPERATIONS)
    assert f"{chosen} selected / {len(OPERATIONS)} total" in finished.stdout, finished.stdout
    for phase in part.phases:
        assert f"✅ {phase.capitalize()}" in finished.stdout, finished.stdout


def test_the_parts_together_are_all_phases_of_all_operations() -> None:
    tried = {(phase, one) for part in PARTS for phase in part.phases for one in part.operations or OPERATIONS}
    assert tried == {
        (phase, one) for phase in ("examples", "coverage", "fuzzing", "stateful") for one in OPERATIONS
    }
