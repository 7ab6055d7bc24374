"""Tasks handed to a Dask cluster: two workers on this machine, the same results as without."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cluster import clustered
from support.execution import eventually, executing, is_running, needs_sandbox

pytest.importorskip("distributed", reason="needs pip install 'conductor-mock[dask]'")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a cluster in processes of its own, as `--executor` takes it; for tests that leave it whole."""
    with clustered(tmp_path_factory.mktemp("dask") / "cluster") as address:
        yield address


@pytest.mark.slow
@needs_sandbox
def test_a_cluster_runs_tasks_in_sandboxes_when_all_of_its_workers_can(cluster: str, tmp_path: Path) -> None:
    with executing(
        tmp_path / "data", executor=cluster, execute_slots=None, execute_sandbox="bubblewrap"
    ) as render:
        scene = render.upload("/proj/a.txt", b"scene")
        command = f"cat /proj/a.txt > /proj/out/a.txt; [ ! -e {tmp_path} ] && pwd > /proj/out/where"
        job = render.run(command, upload_files=[scene])

        assert job["status"] == "success"
        assert render.contents(job["jid"]) == {"a.txt": b"scene", "where": b"/.conductor-mock/home\n"}


@pytest.mark.slow
def test_a_cluster_runs_tasks_and_ends_them_when_they_are_killed(cluster: str, tmp_path: Path) -> None:
    with executing(tmp_path / "data", executor=cluster, execute_slots=None) as render:
        scene = render.upload("/proj/a.txt", b"scene")
        commands = [f"echo $PPID; cat /proj/a.txt > /proj/out/{number}.txt" for number in range(6)]
        job = render.run(*commands, upload_files=[scene])

        assert job["status"] == "success"
        assert render.contents(job["jid"]) == {f"{number}.txt": b"scene" for number in range(6)}
        assert render.caller.get("/_mock/options").json()["execute"] == 2, "a slot per worker thread"

        jid = render.start("echo $$; sleep 1000")
        lines: list[str] = eventually(lambda: said if (said := render.log(jid))[-1].isdigit() else [])
        pid = int(lines[-1])
        assert is_running(pid)
        render.act("kill", jid)
        eventually(lambda: not is_running(pid))


@pytest.mark.slow
def test_a_task_whose_worker_dies_is_lost_ended_and_run_again(tmp_path: Path) -> None:
    enough = tmp_path / "enough"
    command = f"echo $$ $PPID; [ -e {enough} ] || sleep 1000; echo done > /proj/out/done"
    with (
        clustered(tmp_path / "cluster") as cluster,
        executing(tmp_path / "data", executor=cluster, execute_slots=None) as render,
    ):
        jid = render.start(command)
        lines: list[str] = eventually(
            lambda: said if (said := render.log(jid))[-1].replace(" ", "").isdigit() else []
        )
        pid, worker = map(int, lines[-1].split())
        enough.touch()
        os.kill(worker, signal.SIGKILL)
        job = render.until_ended(jid)

        assert job["status"] == "success"
        assert [one["outcome"] for one in job["tasks"][0]["attempts"]] == ["lost", "success"]
        assert not is_running(pid)
        assert render.contents(jid) == {"done": b"done\n"}


@pytest.mark.parametrize(
    ("executor", "message"),
    [("tcp://127.0.0.1:1", "must be dask://HOST:PORT"), ("dask://127.0.0.1:1", "no Dask scheduler answers")],
)
def test_a_cluster_that_cannot_be_had_is_a_clear_message(
    tmp_path: Path, executor: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conductor_mock.execution.pool.CONNECT_S", 0.2)
    with pytest.raises(ValueError, match=message), executing(tmp_path / "data", executor=executor):
        pass


def test_slots_are_counted(tmp_path: Path) -> None:
    with executing(tmp_path / "data", execute_slots=3) as render:
        options: dict[str, Any] = render.caller.get("/_mock/options").json()
        assert options["execute"] == 3
