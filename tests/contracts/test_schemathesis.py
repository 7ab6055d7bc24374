"""The contract's adversary: requests that Schemathesis makes of `openapi.yaml`, sent to a served fake.

A fixed budget in `make test`; `make fuzz` raises it with SCHEMATHESIS_MAX_EXAMPLES.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
)

from conductor_contracts.contract import load as load_contract
from conductor_mock.app import create_app
from conductor_mock.serving import Server
from conductor_mock.settings import Settings
from support.served import token

MAX_EXAMPLES = int(os.environ.get("SCHEMATHESIS_MAX_EXAMPLES", "15"))

FIXED = "SCHEMATHESIS_MAX_EXAMPLES" not in os.environ
"""Without a budget of one's own the same requests are made every time."""

PATIENCE_S = 60

NOT_CHECKED = [
    # The answer to a well-formed request is often 404, 409 or 410: ids must exist, and states allow some things only.
    positive_data_acceptance,
    # The service takes more than the contract describes (a tolerant reader, wire reference 3.1); what must be refused
    # is pinned by the interactions and by tests/mock_server/test_bad_input.py.
    negative_data_rejection,
    # Packages may be asked for without a token, signed URLs and logins want none (`api/authentication.py`).
    ignored_auth,
    missing_required_header,
    # `POST /downloads/status` lies beside `GET /downloads/{jid}`, so its path allows GET as well (trap 30).
    allow_header_conformance,
]

schema = schemathesis.openapi.from_dict(load_contract().document)


@dataclass
class World:
    """A served fake with a job whose first task has outputs, and somebody signed in."""

    url: str
    headers: dict[str, str]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Server(create_app(Settings(ephemeral=True, speed=0))) as server, requests.Session() as session:
        session.trust_env = False
        bearer = token(session, server.url, json.loads(server.environment()["CONDUCTOR_API_KEY"]))
        headers = {"Authorization": f"Bearer {bearer}"}
        job = {
            "project": "default",
            "instance_type": "n1-standard-4",
            "output_path": "/out",
            "tasks_data": [{"command": "true", "frames": "1"}, {"command": "true", "frames": "2"}],
        }
        for _ in range(3):
            assert session.post(f"{server.url}/jobs/", json=job, headers=headers).status_code == 201
        ended = session.post(
            f"{server.url}/_mock/jobs/00001/tasks/000", json={"status": "success"}, headers=headers
        )
        assert ended.status_code == 200
        yield World(server.url, headers)


@schema.parametrize()
@settings(
    max_examples=MAX_EXAMPLES,
    derandomize=FIXED,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
def test_every_answer_is_one_that_the_contract_documents(case: schemathesis.Case[Any], world: World) -> None:
    case.call_and_validate(
        base_url=world.url, headers=world.headers, excluded_checks=NOT_CHECKED, timeout=PATIENCE_S
    )
