"""Bad input, large input, bad luck: each has a stated outcome on both sides, a clear message and an exit code."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conductor.cli import cli
from conductor.lib.conductor_submit import Submit
from conductor.lib.config import Config
from conductor.lib.exceptions import Acted, FileChangedError, InvalidPathError, RefusedError, UnreachableError
from support.client_world import jwt
from support.control import Control
from support.disk import facts, md5_of, write_tree
from support.farm import Farm, farm, patient_client
from support.programs import PATIENCE_S, Finished, conductor, python, run
from support.proxy import Proxy
from support.served import ServedProcess, served

MIB = 1 << 20
EMPTY_MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="
MOST_MEMORY_KIB = 150 * 1024


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Farm]:
    """A fake in this process."""
    with farm(tmp_path) as opened:
        yield opened


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Farm]:
    """A fake in this process that refuses what it does not know."""
    with farm(tmp_path, strict=True) as opened:
        yield opened


def job(*upload_paths: Path | str, **more: Any) -> dict[str, Any]:
    """Valid arguments."""
    return {
        "job_title": "bad luck",
        "project": "default",
        "instance_type": "n1-standard-2",
        "tasks_data": [{"command": "render -f 1", "frames": "1"}],
        "output_path": "/proj/out",
        "upload_paths": list(map(str, upload_paths)),
        **more,
    }


def command_line(farm: Farm, *arguments: str) -> Result:
    """Run `conductor` in this process against a farm in this process."""
    return CliRunner().invoke(cli, list(arguments), env=farm.environment)


def submit_by_file(farm: Farm, folder: Path, arguments: dict[str, Any]) -> Result:
    """Run `conductor submit --file`."""
    file = folder / "job.json"
    file.write_text(json.dumps(arguments))
    return command_line(farm, "submit", "--file", str(file))


# What the catalogue does not know


def test_an_unknown_package_is_accepted_with_a_warning(here: Farm) -> None:
    response, status = here.submit(job(software_package_ids=["7208372e306614d514944938c395e0e7", "xyz"]))
    assert status == 201
    (warning,) = here.control.job(response["jobid"])["warnings"]
    assert "/software_package_ids/1" in warning
    assert "'xyz'" in warning


def test_an_unknown_project_is_accepted_with_a_warning(here: Farm, tmp_path: Path) -> None:
    (scene,) = write_tree(tmp_path, {"scene.ma": b"abc"})
    response, status = here.submit(job(scene, project="no such show"))
    assert status == 201
    (warning,) = here.control.job(response["jobid"])["warnings"]
    assert "/project" in warning
    assert "'no such show'" in warning


@pytest.mark.parametrize(
    ("field", "fault"),
    [("/software_package_ids/0", {"software_package_ids": ["xyz"]}), ("/project", {"project": "xyz"})],
)
def test_a_strict_server_refuses_what_it_does_not_know_and_the_error_shows_the_field(
    strict: Farm, field: str, fault: dict[str, Any]
) -> None:
    with pytest.raises(RefusedError, match="'xyz'") as caught:
        strict.submit(job(**fault))
    assert caught.value.status == 400
    assert caught.value.acted is Acted.NO
    assert field in str(caught.value)
    assert strict.control.jobs() == []


def test_a_strict_refusal_on_the_command_line_is_exit_code_2(strict: Farm, tmp_path: Path) -> None:
    result = submit_by_file(strict, tmp_path, job(project="xyz"))
    assert result.exit_code == 2
    assert "/project" in result.stderr
    assert result.stdout == ""


# Paths


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("{folder}/missing.ma", "does not exist"),
        ("scene.ma", "relative"),
        ("./scene.ma", "relative"),
        ("{folder}/sh:ot.ma", "colon"),
        ("{folder}/shot.####.ma", "no files found"),
    ],
)
def test_a_path_that_cannot_be_uploaded_is_refused_by_name_before_anything_is_sent(
    here: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, said: str
) -> None:
    folder = tmp_path / "project"
    scene, _ = write_tree(folder, {"scene.ma": b"abc", "sh:ot.ma": b"abc"})
    monkeypatch.chdir(folder)
    named = path.format(folder=folder)
    with pytest.raises(InvalidPathError, match=said) as caught:
        here.submit(job(scene, named))
    assert named in str(caught.value)
    assert here.control.journal() == []


def test_every_bad_path_is_in_the_one_error_and_the_exit_code_is_2(here: Farm, tmp_path: Path) -> None:
    result = submit_by_file(here, tmp_path, job(tmp_path / "missing.ma", "scene.ma"))
    assert result.exit_code == 2
    assert str(tmp_path / "missing.ma") in result.stderr
    assert "'scene.ma'" in result.stderr
    assert here.control.journal() == []


def test_a_directory_without_files_is_a_job_without_files(here: Farm, tmp_path: Path) -> None:
    (tmp_path / "empty" / "and" / "deep").mkdir(parents=True)
    response, status = here.submit(job(tmp_path / "empty"))
    assert status == 201
    assert here.control.job(response["jobid"])["payload"]["upload_files"] == []
    assert here.control.journal("files.get_upload_urls") == []


def test_uploading_only_a_directory_without_files_asks_the_server_nothing(here: Farm, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    arguments = {
        "upload_only": True,
        "upload_paths": [str(tmp_path / "empty")],
        "instance_type": "n1-standard-2",
    }
    assert here.submit(arguments) == ({"message": "No files to upload", "jobid": None}, 204)
    assert here.control.journal() == []


def test_a_colon_in_a_name_below_a_directory_is_warned_about_and_the_file_is_sent(
    here: Farm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "project"
    (odd,) = write_tree(folder, {"sh:ot.ma": b"abc"})
    with caplog.at_level(logging.WARNING, "conductor"):
        _, status = here.submit(job(folder))
    assert status == 201
    assert here.control.files() == {str(odd): facts(odd)}
    assert any("colon" in record.getMessage() for record in caplog.records)


def test_a_file_of_no_bytes_is_uploaded_and_held(here: Farm, tmp_path: Path) -> None:
    (empty,) = write_tree(tmp_path, {"project/empty.ass": b""})
    response, _ = here.submit(job(empty))
    assert here.control.files() == {str(empty): (EMPTY_MD5, 0)}
    recorded = here.control.job(response["jobid"])
    assert [(file["md5"], file["st_size"]) for file in recorded["payload"]["upload_files"]] == [
        (EMPTY_MD5, 0)
    ]
    assert recorded["warnings"] == []


# Two gibibytes


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_file_of_two_gibibytes_takes_constant_memory_on_both_sides(tmp_path: Path) -> None:
    big = tmp_path / "big.vdb"
    with big.open("wb") as file:
        file.truncate(2048 * MIB)
    program = """
import json, pathlib, sys
from conductor.lib import conductor_submit
response, status = conductor_submit.Submit(json.loads(sys.argv[1])).main()
print(json.dumps([status, response["jobid"], pathlib.Path("/proc/self/status").read_text()]))
"""
    with served(tmp_path / "served") as server:
        finished = run(python("-c", program, json.dumps(job(big))), server.ready["env"])
        assert finished.returncode == 0, finished.stderr
        status, jid, client_status = json.loads(finished.stdout)
        server_status = Path(f"/proc/{server.process.pid}/status").read_text()
        control = Control(server.url)
        (declared,) = control.job(jid)["payload"]["upload_files"]
        (put,) = control.journal("objects.put")
        held = control.files()
    shutil.rmtree(tmp_path / "served")  # the copy is not sparse
    assert status == 201
    assert held == {str(big): (declared["md5"], 2048 * MIB)}
    assert put["status"] == 200
    assert most_memory_kib(client_status) < MOST_MEMORY_KIB
    assert most_memory_kib(server_status) < MOST_MEMORY_KIB


def most_memory_kib(status: str) -> int:
    """The largest resident size that a process ever had, from its status in /proc."""
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])


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
