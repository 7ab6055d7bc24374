"""Bad luck: servers that die, keys and tokens of others, bytes that change on the way, two who do the same at once."""

from __future__ import annotations

import json
import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner

from conductor.cli import cli
from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor.lib.config import Config
from conductor.lib.exceptions import FileChangedError, RefusedError, UnreachableError
from conductor.lib.wire.transport import Transport
from support.client_world import jwt
from support.control import Control
from support.disk import facts, md5_of, write_tree
from support.farm import Farm, farm, job, patient_client
from support.programs import PATIENCE_S, Finished, conductor, run
from support.proxy import Proxy
from support.served import ServedProcess, served

MIB = 1 << 20


# A server that dies, or is not there


class KilledWhileReading:
    """Kills a server in the middle of the nth body that is put to it."""

    def __init__(self, server: ServedProcess, puts: int) -> None:
        self._server, self._left = server, puts

    def __call__(self, block: bytes) -> bytes:
        if block.startswith(b"PUT "):
            self._left -= 1
        elif self._left == 0:
            self._server.process.kill()
            self._server.process.wait(PATIENCE_S)
        return block


def test_after_a_server_was_killed_in_mid_upload_only_what_is_missing_is_sent(tmp_path: Path) -> None:
    files = write_tree(
        tmp_path / "project", {f"{number}.abc": bytes([number]) * MIB for number in range(1, 6)}
    )
    with (
        served(tmp_path / "served") as server,
        Proxy(server.port, KilledWhileReading(server, puts=3)) as proxy,
    ):
        config = settings_for(server, proxy.url, tmp_path, thread_count="1")
        with patient_client(config) as client, pytest.raises(UnreachableError) as caught:
            Submit(job(*files), client=client).main()
        assert "objects.put" in str(caught.value)
        assert str(files[2]) in str(caught.value)
    with served(tmp_path / "served") as again, Proxy(again.port) as proxy:
        control = Control(again.url)
        assert set(control.files()) == {str(path) for path in files[:2]}
        assert list((tmp_path / "served" / "data" / "incoming").iterdir()) == []
        control.forget_journal()
        config = settings_for(again, proxy.url, tmp_path)
        response, status = Submit(job(*files), config=config).main()
        assert status == 201
        sent = {entry["body"]["md5"] for entry in control.journal("objects.put")}
        assert sent == {facts(path)[0] for path in files[2:]}
        assert control.files() == {str(path): facts(path) for path in files}
        assert [made["jid"] for made in control.jobs()] == [response["jobid"]]


def test_an_upload_outlives_a_server_that_is_started_again_in_the_middle_of_it(tmp_path: Path) -> None:
    files = write_tree(
        tmp_path / "project", {f"{number}.abc": bytes([number]) * MIB for number in range(1, 6)}
    )
    with ExitStack() as servers:
        first = servers.enter_context(served(tmp_path / "served"))
        port = first.port  # the file that says so is written anew by the second server
        with Proxy(port, KilledWhileReading(first, puts=3)) as proxy:

            def start_again(seconds: float) -> None:
                if first.process.poll() is not None and proxy.target_port == port:
                    again = servers.enter_context(served(tmp_path / "served"))
                    proxy.target_port = again.port

            config = settings_for(first, proxy.url, tmp_path, thread_count="1")
            transport = Transport(environ={}, sleep=start_again)
            with ApiClient(config, transport=transport) as client:
                _, status = Submit(job(*files), client=client).main()
            assert status == 201
            assert proxy.target_port != port
            control = Control(proxy.url)
            assert control.files() == {str(path): facts(path) for path in files}
            assert len(control.jobs()) == 1


def settings_for(server: ServedProcess, url: str, home: Path, **variables: str) -> Config:
    """The settings of a client of this process that reaches a server at `url`."""
    environ = {
        "CONDUCTOR_URL": url,
        "CONDUCTOR_API_KEY": server.ready["env"]["CONDUCTOR_API_KEY"],
        **{f"CONDUCTOR_{name.upper()}": value for name, value in variables.items()},
    }
    return Config.load(environ=environ, home=home)


def test_a_server_that_is_down_is_named_with_exit_code_1_and_nothing_was_sent(
    here: Farm, tmp_path: Path
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen: connections to it are refused
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        file = tmp_path / "job.json"
        file.write_text(json.dumps(job()))
        environment = {**here.environment, "CONDUCTOR_URL": url}
        finished = run(conductor("submit", "--file", str(file)), environment)
    assert finished.returncode == 1
    assert finished.stdout == ""
    error = finished.stderr.splitlines()[-1]
    assert url in error
    assert "nothing was sent" in error
    assert "Traceback" not in finished.stderr


# Keys and tokens


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
    assert tried == [("jobs.create", 401), ("auth.token", 200), ("jobs.create", 201)]
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
    assert tried == [("auth.token", 200), ("jobs.create", 201)]


# On the way


class Spoiled:
    """Puts other bytes in the place of some that pass."""

    def __init__(self, precious: bytes, spoiled: bytes) -> None:
        assert len(precious) == len(spoiled)
        self._precious, self._spoiled = precious, spoiled

    def __call__(self, block: bytes) -> bytes:
        return block.replace(self._precious, self._spoiled)


def test_a_file_that_is_spoiled_on_the_way_is_refused_and_no_job_is_made(tmp_path: Path) -> None:
    (scene,) = write_tree(tmp_path, {"project/scene.ma": b"// precious\n"})
    with (
        served(tmp_path / "served") as server,
        Proxy(server.port, Spoiled(b"precious", b"Precious")) as proxy,
    ):
        config = settings_for(server, proxy.url, tmp_path)
        with pytest.raises(RefusedError) as caught:
            Submit(job(scene), config=config).main()
        control = Control(server.url)
        assert control.jobs() == []
        assert control.files() == {}
        stored = {path.read_bytes() for path in (tmp_path / "served" / "data" / "objects").glob("*/*")}
    assert not {b"// precious\n", b"// Precious\n"} & stored
    message = str(caught.value)
    assert str(scene) in message
    assert md5_of(b"// precious\n") in message
    assert md5_of(b"// Precious\n") in message


class Rewritten:
    """Writes to a file while the server is asked where to put it."""

    def __init__(self, file: Path, content: bytes) -> None:
        self._file, self._content = file, content

    def __call__(self, block: bytes) -> bytes:
        if block.startswith(b"POST /api/v2/files/get_upload_urls"):
            self._file.write_bytes(self._content)
        return block


def test_a_file_that_is_written_to_before_its_upload_is_named_with_both_md5s(tmp_path: Path) -> None:
    (scene,) = write_tree(tmp_path, {"project/scene.ma": b"as it was"})
    with (
        served(tmp_path / "served") as server,
        Proxy(server.port, Rewritten(scene, b"as it is now")) as proxy,
    ):
        with pytest.raises(FileChangedError) as caught:
            Submit(job(scene), config=settings_for(server, proxy.url, tmp_path)).main()
        control = Control(server.url)
        assert control.jobs() == []
        assert control.files() == {}
    assert (caught.value.path, caught.value.expected, caught.value.actual) == (
        str(scene),
        md5_of(b"as it was"),
        md5_of(b"as it is now"),
    )


class HeldUntilBothPut:
    """Lets nobody put a body before two are about to."""

    def __init__(self) -> None:
        self._both = threading.Barrier(2)

    def __call__(self, block: bytes) -> bytes:
        if block.startswith(b"PUT "):
            self._both.wait(PATIENCE_S)
        return block


def test_two_processes_can_upload_one_content_at_once(tmp_path: Path) -> None:
    files = write_tree(tmp_path / "project", {name: os.urandom(3 * MIB) for name in ("a.abc",)})
    files += write_tree(tmp_path / "project", {"b.abc": files[0].read_bytes()})
    with served(tmp_path / "served") as server, Proxy(server.port, HeldUntilBothPut()) as proxy:
        environment = {
            **server.ready["env"],
            **dict.fromkeys(("CONDUCTOR_URL", "CONDUCTOR_API_URL", "CONDUCTOR_AUTH_URL"), proxy.url),
        }

        def upload(path: Path) -> Finished:
            return run(conductor("upload", "--json", str(path)), environment)

        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(upload, files))
        control = Control(server.url)
        assert [(finished.returncode, finished.stderr) for finished in both if finished.returncode] == []
        assert [json.loads(finished.stdout)["files"][0]["sent"] for finished in both] == [True, True]
        assert control.files() == {str(path): facts(path) for path in files}
        assert [entry["status"] for entry in control.journal("objects.put")] == [200, 200]
        assert len(control.journal("auth.token")) == 1, "the second process takes the token of the first"
        assert list((tmp_path / "served" / "data" / "incoming").iterdir()) == []
