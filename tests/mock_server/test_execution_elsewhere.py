"""Tasks on Dask workers that share no disk with the server: contents and outputs go by signed URL."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("distributed", reason="needs pip install 'conductor-mock[dask]'")

from conductor_mock.execution import by_url, elsewhere, processes
from conductor_mock.execution.workspace import Workspace, WorkspaceError
from conductor_mock.serving.server import Server
from support.buckets import ACCOUNT, NAME, endpoint
from support.cluster import clustered
from support.execution import NO_SANDBOX, Render, eventually, executing, is_running


@dataclass(frozen=True)
class Elsewhere:
    """A cluster that sees another folder, an empty one, where servers have their data."""

    address: str
    hidden: Path


@contextmanager
def cluster_below(folder: Path) -> Iterator[Elsewhere]:
    hidden = folder / "hidden"
    hidden.mkdir()
    begin = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", str(hidden)]
    with clustered(folder / "cluster", [] if NO_SANDBOX else begin) as address:
        yield Elsewhere(address, hidden)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """One for the tests that leave it whole."""
    with cluster_below(tmp_path_factory.mktemp("elsewhere")) as started:
        yield started


@contextmanager
def reached(tmp_path: Path, cluster: Elsewhere, **settings: Any) -> Iterator[Render]:
    """An executing fake that workers reach by its URL alone."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"executor_folder": str(tmp_path / "runs"), "execute_slots": None, **settings}
    url = f"http://127.0.0.1:{port}"
    data = cluster.hidden / tmp_path.name
    with executing(data, executor=cluster.address, executor_url=url, **settings) as render:
        server = Server(render.fake.app, host="127.0.0.1", port=port, grace_s=1)
        server.start()
        try:
            yield render
        finally:
            server.stop()


def runs(tmp_path: Path) -> list[Path]:
    """The folders of runs that workers have."""
    folder = tmp_path / "runs" / "executions"
    return list(folder.iterdir()) if folder.is_dir() else []


def pids(render: Render, jid: str) -> list[int]:
    """The numbers that a task printed in its last line."""
    lines: list[str] = eventually(
        lambda: said if (said := render.log(jid))[-1].replace(" ", "").isdigit() else []
    )
    return [int(word) for word in lines[-1].split()]


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["folder", "bucket"])
def test_workers_without_the_servers_disk_fetch_files_and_bring_outputs(
    kept: str, cluster: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {}
    if kept == "bucket":
        for name, value in ACCOUNT.items():
            monkeypatch.setenv(name, value)
        settings = {"objects": f"s3://{NAME}/{os.urandom(8).hex()}", "objects_endpoint": endpoint()}
    with reached(tmp_path, cluster, **settings) as render:
        scene = render.upload("/proj/a.txt", b"scene")
        commands = [f"cat /proj/a.txt > /proj/out/{number}.txt; echo said" for number in range(3)]
        commands.append(
            "cd /proj/out; ln -s /etc/passwd led_out; ln -s .. up; mkfifo pipe; "
            "mkdir -p a/b; echo x > 'a/b/.. c'; : > empty"
        )
        job = render.run(*commands, upload_files=[scene])

        assert job["status"] == "success"
        made = {f"{number}.txt": b"scene" for number in range(3)}
        assert render.contents(job["jid"]) == {**made, "a/b/.. c": b"x\n", "empty": b""}
        assert "said" in render.log(job["jid"])
        refused = [line for line in render.log(job["jid"], "003") if "is not collected" in line]
        assert len(refused) == 3
        outputs = render.fake.service.contents.inventory(render.fake.service.accounts.ids()[0])
        assert hashlib.md5(b"scene").digest().hex() not in str(outputs)
        assert len(outputs.uploads) == 1, "what tasks made is no upload"
        eventually(lambda: not runs(tmp_path))


@pytest.mark.slow
def test_a_task_elsewhere_says_what_it_does_and_ends_when_it_is_killed_or_the_server_stops(
    cluster: Elsewhere, tmp_path: Path
) -> None:
    with reached(tmp_path, cluster) as render:
        jid = render.start("echo $$; sleep 1000")
        (pid,) = pids(render, jid)
        assert is_running(pid)
        render.act("kill", jid)
        eventually(lambda: not is_running(pid))
        eventually(lambda: not runs(tmp_path))

        jid = render.start("echo $$; sleep 1000")
        (pid,) = pids(render, jid)
    eventually(lambda: not is_running(pid))


@pytest.mark.slow
def test_a_task_whose_worker_dies_elsewhere_is_lost_ended_and_run_again(tmp_path: Path) -> None:
    enough = tmp_path / "enough"
    command = f"echo $$ $PPID; [ -e {enough} ] || sleep 1000; echo done > /proj/out/done"
    with cluster_below(tmp_path) as cluster, reached(tmp_path, cluster) as render:
        jid = render.start(command)
        pid, worker = pids(render, jid)
        enough.touch()
        os.kill(worker, signal.SIGKILL)
        job = render.until_ended(jid)

        assert job["status"] == "success"
        assert [one["outcome"] for one in job["tasks"][0]["attempts"]] == ["lost", "success"]
        eventually(lambda: not is_running(pid))
        assert render.contents(jid) == {"done": b"done\n"}


@pytest.mark.slow
def test_a_task_elsewhere_that_writes_too_much_has_failed(cluster: Elsewhere, tmp_path: Path) -> None:
    with reached(tmp_path, cluster, execute_max_output=100_000) as render:
        job = render.run("head -c 200000 /dev/zero > /proj/out/large")

        assert job["status"] == "failed"
        assert render.contents(job["jid"]) == {}
        assert any("--execute-max-output" in line for line in render.log(job["jid"]))


# The worker's part alone


@contextmanager
def answering(status: int, body: bytes, length: int | None = None) -> Iterator[str]:
    """The URL of a server that answers every request alike."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            return

        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/secret?signature=secret"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "length"), [(200, b"other", None), (403, b"scene", None), (200, b"sce", 5)]
)
def test_an_input_that_is_not_what_was_asked_for_is_not_taken(
    status: int, body: bytes, length: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    md5 = hashlib.md5(b"scene").hexdigest()
    monkeypatch.setattr(by_url, "PATIENCE_S", 0)
    with answering(status, body, length) as url, pytest.raises(OSError, match=r".") as error:
        by_url.fetch(url, md5, tmp_path, lambda: False)
    assert "secret" not in str(error.value), "a URL opens what it names"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_for_runs_that_is_a_link_or_open_to_others_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("link", "open"):
        with pytest.raises(WorkspaceError, match="not a folder of this user alone"):
            elsewhere._own_folder(tmp_path / name / "executions")
    elsewhere._own_folder(tmp_path / "new" / "executions")


def test_runs_of_a_worker_that_was_killed_are_taken_away_and_others_are_left(tmp_path: Path) -> None:
    mine = processes.look_at(os.getpid())
    assert mine is not None
    for name, started in (("dead", mine.started - 1), ("alive", mine.started)):
        workspace = Workspace(tmp_path / name)
        workspace.create()
        workspace.close()
        workspace.note_run(keeper=os.getpid(), keeper_started=started)
    elsewhere._tidy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["alive"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"executor_url": "http://x:1"}, "--executor-url is for the workers of --executor"),
        ({"executor": "dask://x:1", "executor_url": "x:1"}, "must be where workers reach this server"),
        ({"executor": "dask://x:1", "executor_url": "http://me:secret@x"}, "must be where workers reach"),
        (
            {"executor": "dask://x:1", "executor_url": "http://x", "executor_folder": "a b"},
            "must be an absolute path",
        ),
    ],
)
def test_workers_that_cannot_be_meant_are_a_sentence(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said), executing(tmp_path / "data", **settings):
        pass


def test_contents_in_a_bucket_are_not_on_a_disk_that_workers_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(ValueError, match="give --executor-url, so that they fetch them"),
        executing(tmp_path / "data", executor="dask://x:1", objects="s3://bucket"),
    ):
        pass
