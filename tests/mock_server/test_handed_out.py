"""The environment that programs are given: nothing of another server is left in it; and the ready file."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import conductor
import conductor_contracts
import conductor_mock
from conductor.lib import config
from conductor_mock.app import create_app
from conductor_mock.execution import environment as of_tasks
from conductor_mock.serving import ready
from conductor_mock.serving.environment import KEPT, NO_PROXY, OF_ONE_SERVER, handed_out, merged, removed
from conductor_mock.serving.server import Server, write_ready_file
from conductor_mock.settings import Settings
from conductor_mock.store.ownership import lock_file
from support.served import PATIENCE_S, command, run_cli, said_by, served

NAME = re.compile(r"(?:CONDUCTOR_[A-Z_]+|[A-Z]+_CA_BUNDLE)\Z")


def read_in(tree: ast.AST) -> set[str]:
    """The variables that a module names: any text that looks like one, and what it gets from the environment."""
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in texts if NAME.match(text)}


def test_every_variable_that_is_read_is_set_or_removed_or_kept_for_a_reason() -> None:
    found: set[str] = set()
    for package in (conductor, conductor_contracts, conductor_mock):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            found |= read_in(ast.parse(path.read_text(encoding="utf-8")))
    found.discard("CONDUCTOR_DOWNLOADS")  # the name of a folder
    found.discard("CONDUCTOR_OWNER")  # what the demo sets for its own commands
    found -= {
        "CONDUCTOR_MOCK_TEST_CIOCORE",
        "CONDUCTOR_MOCK_TEST_CLIENTS",
    }  # what the witness tells its tests
    settings = {f"CONDUCTOR_{setting.name.upper()}" for setting in config.SETTINGS}

    assert {"CONDUCTOR_MOCK_READY_FILE", "CONDUCTOR_URL", "CONDUCTOR_CONFIG"} <= found
    preferences = {"CONDUCTOR_AUTH_PORT", "CONDUCTOR_THREAD_COUNT", "CONDUCTOR_LOG_LEVEL"}
    assert (found | settings) - set(OF_ONE_SERVER) - set(KEPT) == preferences & (found | settings)
    assert settings - preferences <= set(OF_ONE_SERVER)


names = st.sampled_from([*OF_ONE_SERVER, *KEPT, *NO_PROXY, "CONDUCTOR_PROJECT", "HTTP_PROXY", "PATH"])
values = st.sampled_from(["", "x", "studio.example", "a, b", "*", ".corp,127.0.0.1", "10.0.0.0/8"])


@given(st.dictionaries(names, values), st.booleans())
def test_a_program_has_the_variables_of_its_server_and_what_is_its_users(
    own: dict[str, str], has_token: bool
) -> None:
    hosts = dict.fromkeys(NO_PROXY, "127.0.0.1,localhost,fake.example")
    given_ = {"CONDUCTOR_URL": "http://fake.example:1", "CONDUCTOR_API_KEY": "k", **hosts}
    if has_token:
        given_["CONDUCTOR_MOCK_ADMIN_TOKEN"] = "t"
    environment = handed_out(own, given_)

    for name in OF_ONE_SERVER:
        assert environment.get(name) == given_.get(name)
    for name in set(own) - set(OF_ONE_SERVER) - set(NO_PROXY):
        assert environment[name] == own[name]
    wanted = {host.strip() for name in NO_PROXY for host in own.get(name, "").split(",")} - {""}
    for name in NO_PROXY:
        entries = environment[name].split(",")
        assert set(entries) == wanted | {"127.0.0.1", "localhost", "fake.example"}
        assert len(entries) == len(set(entries))
    assert set(removed(given_)) == set(OF_ONE_SERVER) - set(given_)
    assert merged(merged(own, given_), given_) == merged(own, given_)


def test_tasks_are_handed_nothing_of_a_server() -> None:
    assert not {*of_tasks.HANDED_ON, *of_tasks.PRIVATE} & {*OF_ONE_SERVER, *KEPT, *NO_PROXY}


def test_a_reset_inside_of_run_leaves_the_users_own_server_alone(tmp_path: Path) -> None:
    with served(tmp_path, "--admin-token", "mine") as server:
        answer = server.session().get(f"{server.url}/api/v1/jobs", timeout=PATIENCE_S)
        assert answer.ok
        own = {
            "CONDUCTOR_MOCK_READY_FILE": str(server.ready_file),
            "CONDUCTOR_MOCK_ADMIN_TOKEN": "mine",
            "CONDUCTOR_URL": server.url,
        }
        before = said_by(
            "requests", "--json", "--ready-file", str(server.ready_file), "--admin-token", "mine"
        ).stdout
        finished = run_cli("run", "--", *command("reset"), **own)
        after = said_by(
            "requests", "--json", "--ready-file", str(server.ready_file), "--admin-token", "mine"
        ).stdout

        assert finished.returncode == 0, finished.stderr
        assert before == after, "the journal of the user's own server shows no reset"


def test_run_hands_its_admin_token_to_its_command() -> None:
    finished = run_cli(
        "run", "--admin-token", "t0", "--", *command("clock"), CONDUCTOR_MOCK_ADMIN_TOKEN="another"
    )

    assert finished.returncode == 0, finished.stderr


def test_env_points_at_the_server_that_runs_on_the_data_directory(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        said = said_by("env", "--data-dir", str(tmp_path / "data"))
        assert f"export CONDUCTOR_URL={server.url}" in said.stdout.splitlines()
        lines = shlex.join(command("env", "--data-dir", str(tmp_path / "data")))
        shown = subprocess.run(
            ["bash", "-c", f'eval "$({lines})"; env -0'],
            env={**os.environ, "CONDUCTOR_MOCK_READY_FILE": "/other", "no_proxy": "studio"},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=True,
        ).stdout
        found = dict(line.split("=", 1) for line in shown.split("\0") if line)
        assert "CONDUCTOR_MOCK_READY_FILE" not in found
        assert found["NO_PROXY"] == found["no_proxy"] == "studio,127.0.0.1,localhost"
    assert (tmp_path / "data" / ready.OWN_FILE).exists(), "it was killed"

    said = said_by("env", "--data-dir", str(tmp_path / "data"))
    assert (said.exit_code, "no server runs on the data directory" in said.stderr) == (2, True)


def test_a_server_that_does_not_say_where_it_listens_is_none_that_does_not_run(tmp_path: Path) -> None:
    """Of two that share a directory the one that said it last has stopped."""
    lock = lock_file(tmp_path / "lock", "the directory")
    try:
        said = said_by("env", "--data-dir", str(tmp_path))
    finally:
        lock.release()
    assert (said.exit_code, f"{tmp_path} is in use" in said.stderr) == (2, True)
    assert "--url or --ready-file" in said.stderr


def test_the_ready_files_are_gone_after_a_stop_and_before_a_start_that_fails(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert server.end() == 0
        assert not server.ready_file.exists()
        assert not (tmp_path / "data" / ready.OWN_FILE).exists()
    stale = {"url": "http://127.0.0.1:1", "pid": 1, "version": "0", "env": {}}
    server.ready_file.write_text(json.dumps(stale))
    refused = run_cli("serve", "--ready-file", str(server.ready_file), "--speed", "-1", "--ephemeral")
    assert refused.returncode == 2
    assert not server.ready_file.exists()


def test_what_is_no_ready_file_is_not_cleared_away(tmp_path: Path) -> None:
    other = tmp_path / "notes.json"
    other.write_text('{"mine": 1}')
    ready.clear(other)
    assert other.read_text() == '{"mine": 1}'

    mine = tmp_path / "ready.json"
    mine.write_text(json.dumps({"url": "u", "pid": 1, "env": {}}))
    ready.clear(mine, pid=2)
    assert mine.exists(), "it tells of another process"


def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(pipe.read_text()), daemon=True)
    with Server(create_app(Settings(ephemeral=True))) as server:
        write_ready_file(pipe, server)
        reader.start()
        reader.join(PATIENCE_S)
        assert json.loads(said[0])["url"] == server.url
    ready.clear(pipe)
    assert pipe.is_fifo()


@pytest.mark.parametrize("device", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_a_device_is_written_to_and_stays(device: str) -> None:
    program = (
        "import sys; from pathlib import Path; from conductor_mock.serving import ready\n"
        "ready.write(Path(sys.argv[1]), {'url': 'u'}); ready.clear(Path(sys.argv[1]))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, device],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )

    assert json.loads(finished.stdout) == {"url": "u"}
    assert Path(device).exists()


def test_a_link_to_a_ready_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    ready.write(tmp_path / "link", {"url": "u", "pid": 1, "env": {}})

    assert (tmp_path / "link").is_symlink()
    assert ready.read(tmp_path / "real") == {"url": "u", "pid": 1, "env": {}}
    ready.clear(tmp_path / "link")
    assert not (tmp_path / "real").exists()
