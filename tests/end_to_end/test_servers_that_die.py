"""Servers that die in the middle of an upload, come back, or are not there."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor.lib.exceptions import UnreachableError
from conductor.lib.wire.transport import Transport
from support.control import Control
from support.disk import facts, write_tree
from support.farm import Farm, job, patient_client
from support.programs import PATIENCE_S, conductor, run
from support.proxy import Proxy, settings_for
from support.served import ServedProcess, served

MIB = 1 << 20


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
