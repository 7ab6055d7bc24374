"""Stops that are not easy: each ends in its grace, in a sentence, and gives the data back."""

from __future__ import annotations

import errno
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import IO, Any

import pytest
import requests

from conductor_mock.app import create_app
from conductor_mock.mailing.mailer import Mailer
from conductor_mock.service import open_service
from conductor_mock.serving import server as serving
from conductor_mock.serving.server import THREADS, Server
from conductor_mock.settings import Settings
from conductor_mock.store.accounts import Accounts
from conductor_mock.store.journal import Journal
from support.control import Control
from support.namespaces import NAMESPACE, needs_namespaces
from support.served import PATIENCE_S, RawConnection, ServedProcess, command, served, token
from support.server import job_payload


@pytest.mark.parametrize("kind", ["stall", "delay", "drip"])
def test_a_stop_ends_however_many_requests_are_held_back(tmp_path: Path, kind: str) -> None:
    with served(tmp_path) as server, ExitStack() as held:
        asking = _asking(server)
        _hold_back(server, kind)
        more = THREADS + 16
        for count in range(more):
            if count == THREADS - 1:  # the last thread must answer how many are held
                _until_consumed(server.url, count)
            held.enter_context(RawConnection(server.port)).send(asking)
        assert server.end() == 0
        assert "given up" not in "".join(server.output)
        assert "Traceback" not in "".join(server.output)


def test_a_stop_ends_beside_a_client_that_sends_half(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        head = f"POST /jobs/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {_authorization(server)}\r\n"
        with RawConnection(server.port) as half:
            half.send(f"{head}Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{".encode())
            assert server.end() == 0
        assert "given up" not in "".join(server.output)
        assert "Traceback" not in "".join(server.output)


def test_a_stop_ends_beside_a_client_that_reads_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked = threading.Event()

    def far_too_much(_: object, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        asked.set()
        yield bytes(1 << 28)

    monkeypatch.setattr(serving, "_MARGIN_S", 0.2)
    app = create_app()
    monkeypatch.setattr(app, "wsgi_app", far_too_much)
    server = Server(app)
    server.start()
    with RawConnection(server.port) as deaf:
        deaf.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert asked.wait(PATIENCE_S)
        server.stop()

    assert "given up" in caplog.text


@pytest.mark.parametrize("kind", ["stall", "drip"])
def test_deleting_the_faults_frees_what_they_hold_back(tmp_path: Path, kind: str) -> None:
    with served(tmp_path) as server:
        asking = _asking(server)
        _hold_back(server, kind)
        with RawConnection(server.port) as one:
            one.send(asking)
            _until_consumed(server.url, 1)
            assert (
                requests.delete(f"{server.url}/_mock/faults", json={}, timeout=PATIENCE_S).status_code == 204
            )
            if kind == "stall":
                assert one.is_closed()
            else:
                assert one.answer().status == 200


def _hold_back(server: ServedProcess, kind: str) -> None:
    options = {"stall": {"seconds": 600}, "delay": {"seconds": 60}, "drip": {"bytes_per_second": 1}}[kind]
    rule = {"match": {"path": "/api/v1/projects"}, "fault": {"kind": kind, **options}, "times": 1000}
    answer = requests.post(f"{server.url}/_mock/faults", json=rule, timeout=PATIENCE_S)
    assert answer.ok, answer.text


def _authorization(server: ServedProcess) -> str:
    return str(server.session().headers["Authorization"])


def _asking(server: ServedProcess) -> bytes:
    head = (
        f"GET /api/v1/projects HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {_authorization(server)}\r\n\r\n"
    )
    return head.encode("ascii")


def _until_consumed(url: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with requests.Session() as session:
        while session.get(f"{url}/_mock/faults", timeout=PATIENCE_S).json()["faults"][0]["consumed"] < count:
            assert time.monotonic() < deadline


def test_without_file_descriptors_a_server_says_so_once_and_serves_what_it_has(tmp_path: Path) -> None:
    with served(tmp_path) as server, server.session() as session, ExitStack() as held:
        pid = server.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = max(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 3, limits[1]))
        for _ in range(8):
            held.enter_context(RawConnection(server.port))
        server.wait_until_said("open no more files")
        assert session.get(f"{server.url}/api/v1/jobs", timeout=PATIENCE_S).ok
        refused = session.get(f"{server.url}/_mock/health", timeout=PATIENCE_S)  # it would read its contract
        assert (refused.status_code, "no more files" in refused.json()["message"]) == (503, True)
        held.close()
        assert requests.get(f"{server.url}/api/v1/none", timeout=PATIENCE_S).status_code in (401, 404)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        assert server.end() == 0
        said = [line for line in server.output if "open no more files" in line]
        assert len(said) == 1, said
        assert "connections wait" in said[0], "once, however many there are"
        assert "Traceback" not in "".join(server.output)


def test_a_stop_where_no_file_may_grow_is_a_sentence_and_gives_the_lock_back(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        assert server.session().get(f"{server.url}/api/v1/jobs", timeout=PATIENCE_S).ok
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        assert server.end() in (0, 2)
        assert "Traceback" not in "".join(server.output)
    with served(tmp_path) as again:
        assert again.session().get(f"{again.url}/api/v1/jobs", timeout=PATIENCE_S).ok


def test_a_stop_on_a_disk_that_is_full_is_a_sentence_and_the_next_start_finds_all(tmp_path: Path) -> None:
    needs_namespaces()
    data = tmp_path / "disk"
    data.mkdir()
    script = (
        f"mount -t tmpfs -o size=4m none {data}; run() {{ {shlex.join(command('serve', '--port', '0'))} "
        f"--data-dir {data}/data --ready-file {data}/ready.json; echo ended $?; }}; run; rm {data}/filling; run"
    )
    with subprocess.Popen(
        [*NAMESPACE, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdout is not None
        assert shell.stderr is not None
        seen = Path(f"/proc/{shell.pid}/root{data}")
        lines: list[str] = []
        _until(shell.stderr, "point clients", lines)
        first = json.loads((seen / "ready.json").read_text())
        session = requests.Session()
        session.trust_env = False
        key = json.loads(first["env"]["CONDUCTOR_API_KEY"])
        session.headers["Authorization"] = f"Bearer {token(session, first['url'], key)}"
        made = session.post(f"{first['url']}/jobs/", json=job_payload(), timeout=PATIENCE_S)
        assert made.status_code == 201, made.text
        with (seen / "filling").open("wb", buffering=0) as filling, suppress(OSError):
            while filling.write(bytes(1 << 12)):
                pass
        os.kill(first["pid"], signal.SIGTERM)
        assert shell.stdout.readline() == "ended 0\n"
        _until(shell.stderr, "point clients", lines)
        second = json.loads((seen / "ready.json").read_text())
        jobs = session.get(f"{second['url']}/api/v1/jobs", timeout=PATIENCE_S).json()["data"]
        os.kill(second["pid"], signal.SIGTERM)
        assert shell.stdout.readline() == "ended 0\n"

    assert [job["jid"] for job in jobs] == [made.json()["jobid"]]
    assert "Traceback" not in "".join(lines)
    assert any("nothing is lost" in line for line in lines), lines


def test_a_stop_that_does_not_end_ends_the_process() -> None:
    program = """
import sys, threading
from conductor_mock.cli import serving
serving.END_S = 0.1
class Stuck:
    def start(self): pass
    def stop(self): threading.Event().wait()
with serving.serving(Stuck()):
    pass
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )

    assert finished.returncode == 2
    assert finished.stderr == "Error: the stop did not end in 0.1 s; nothing that was acknowledged is lost\n"


@pytest.mark.parametrize("failing", ["accounts", "journal", "mailer"])
def test_whatever_fails_of_a_stop_the_data_directory_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    settings = Settings(data_dir=tmp_path / "data", smtp="smtp://127.0.0.1:9")
    with monkeypatch.context() as patched:
        kinds = {"accounts": Accounts, "journal": Journal, "mailer": Mailer}
        patched.setattr(kinds[failing], "close", lambda _: full())
        patched.setattr(Mailer, "start", lambda _: None)
        service = open_service(settings)
        service.start()
        with nullcontext() if failing == "accounts" else pytest.raises(OSError, match="No space"):
            service.close()
    open_service(settings).close()


def _until(stream: IO[str], words: str, lines: list[str]) -> None:
    """Read lines up to the one with these words."""
    for line in stream:
        lines.append(line)
        if words in line:
            return
    raise AssertionError("".join(lines))


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
def test_a_submission_under_way_at_sigterm_is_answered_and_kept(tmp_path: Path, part: float) -> None:
    body = json.dumps(job_payload()).encode()
    at = int(len(body) * part)
    with served(tmp_path) as server:
        with server.session() as session, RawConnection(server.port) as connection:
            authorization = str(session.headers["Authorization"])
            head = (
                f"POST /jobs/ HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: {authorization}\r\n"
            )
            length = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
            connection.send(f"{head}{length}".encode())
            assert connection.line() == b"HTTP/1.1 100 Continue\r\n", "it is being worked at"
            assert connection.line() == b"\r\n"
            connection.send(body[:at])
            server.process.send_signal(signal.SIGTERM)
            server.wait_until_said("stopping")
            connection.send(body[at:])
            assert connection.answer("POST").status == 201
        assert server.end() == 0
    with served(tmp_path) as server:
        assert len(Control(server.url).jobs()) == 1
