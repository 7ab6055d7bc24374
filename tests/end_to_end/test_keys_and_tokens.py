"""Keys that are wrong, and tokens of servers that are gone or elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from conductor.cli import cli
from support.client_world import jwt
from support.farm import Farm, farm, job


def test_a_wrong_key_is_exit_code_3_and_is_not_shown(here: Farm, tmp_path: Path) -> None:
    here.submit(job())
    client_id = json.loads(here.environment["CONDUCTOR_API_KEY"])["client_id"]
    key = {"client_id": client_id, "private_key": "the key of somebody else"}
    credentials_file().unlink()
    file = tmp_path / "job.json"
    file.write_text(json.dumps(job()))
    environment = {**here.environment, "CONDUCTOR_API_KEY": json.dumps(key)}
    result = CliRunner().invoke(cli, ["submit", "--file", str(file)], env=environment)
    assert result.exit_code == 3
    assert "CONDUCTOR_API_KEY" in result.stderr
    assert client_id in result.stderr
    assert key["private_key"] not in result.output
    assert len(here.control.jobs()) == 1
    assert not credentials_file().exists()


def credentials_file() -> Path:
    """Where clients of both kinds keep the token of an API key (wire reference 1.3)."""
    return Path.home() / ".config" / "conductor" / "api_key_credentials"


def test_a_token_of_the_server_that_was_here_before_is_replaced_once(tmp_path: Path) -> None:
    with farm(tmp_path / "before") as before:
        before.submit(job())
    stale = json.loads(credentials_file().read_text())["access_token"]
    with farm(tmp_path / "after") as after:
        _, status = after.submit(job())
        assert status == 201
        tried = [(entry["operation"], entry["status"]) for entry in after.control.journal()]
    assert [name for name, _ in tried].count("auth.token") == 1
    assert tried[-1] == ("jobs.create", 201)
    assert json.loads(credentials_file().read_text())["access_token"] != stale


def test_a_token_of_a_server_elsewhere_is_never_sent(here: Farm) -> None:
    content = {
        "access_token": jwt(audience="http://127.0.0.1:1"),
        "token_type": "Bearer",
        "expiration": 2**40,
        "scope": "user admin owner",
    }
    credentials_file().parent.mkdir(parents=True)
    credentials_file().write_text(json.dumps(content))
    _, status = here.submit(job())
    assert status == 201
    tried = [(entry["operation"], entry["status"]) for entry in here.control.journal()]
    assert tried == [("auth.token", 200), ("jobs.list", 200), ("jobs.create", 201)]
