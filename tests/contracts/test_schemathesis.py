from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings

from conductor_contracts.contract import load as load_contract
from conductor_mock.app import create_app
from conductor_mock.serving import Server
from conductor_mock.settings import Settings
from support.served import token

MAX = int(os.environ.get("SCHEMATHESIS_MAX_EXAMPLES", "20"))

schema = schemathesis.openapi.from_dict(
    load_contract().document,
    config=schemathesis.Config.from_dict(
        {
            "dictionaries": {"jids": {"values": ["00001", "00002", "00003"]}},
            "parameters": {"path.jid": {"dictionary": "jids", "probability": 0.5}},
        }
    ),
)


@dataclass
class World:
    url: str
    session: requests.Session


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Server(create_app(Settings(ephemeral=True, speed=0))) as server, requests.Session() as session:
        session.trust_env = False
        key = json.loads(server.environment()["CONDUCTOR_API_KEY"])
        yield World(server.url, token(session, server.url, key))


@schema.parametrize()
@settings(max_examples=MAX, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_api(case: schemathesis.Case, world: World) -> None:
    case.call_and_validate(base_url=world.url, headers={"Authorization": f"Bearer {world.session}"})
