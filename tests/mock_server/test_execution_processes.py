"""Runs end with everything that they started, and nothing else ends with them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conductor_mock.execution import leftovers, processes
from conductor_mock.execution.order import Limits, Order
from conductor_mock.execution.runner import run
from conductor_mock.execution.workspace import Workspace
from support.execution import Render, eventually, executing, is_running

STUBBORN = """\
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if sys.argv[1] == "session":
    os.setsid()
print("pid", os.getpid(), flush=True)
while True:
    time.sleep(0.1)
"""


@pytest.fixture
def render(tmp_path: Path) -> Iterator[Render]:
    with executing(tmp_path / "data") as opened:
        yield opened


def pids(lines: list[str]) -> list[int]:
    return [int(line.split()[1]) for line in lines if line.startswith("pid ")]


def start_stubborn(render: Render, then: str = "wait", **fields: object) -> tuple[str, list[int]]:
    """A job whose grandchildren ignore SIGTERM, one in a session of its own; its id and their numbers."""
    script = render.upload("/proj/stubborn.py", STUBBORN.encode())
    child = f"{sys.executable} /proj/stubborn.py"
    command = f"( {child} group & {child} session & wait ) & {child} group & {then}"
    jid = render.start(command, upload_files=[script], **fields)
    found: list[int] = eventually(lambda: found if len(found := pids(render.log(jid))) == 3 else [])
    return jid, found


def until_all_ended(found: list[int]) -> None:
    eventually(lambda: not any(is_running(pid) for pid in found))


def test_a_kill_ends_grandchildren_that_ignore_the_polite_signal(render: Render) -> None:
    jid, found = start_stubborn(render)
    render.act("kill", jid)

    assert render.job(jid)["status"] == "killed"
    until_all_ended(found)
    assert eventually(lambda: "killed" in render.log(jid)[-1])
    assert pids(render.log(jid)) == found, "what it said before is kept"


def test_a_preemption_ends_them_too_and_the_next_attempt_is_another_process(render: Render) -> None:
    jid, found = start_stubborn(
        render,
        metadata={"mock_outcome": "preempted,success", "mock_duration": "1000"},
        autoretry_policy={"preempted": {"max_retries": 1}},
    )
    render.clock(advance=1000)
    until_all_ended(found)

    later: list[int] = eventually(lambda: later if len(later := pids(render.log(jid))) == 6 else [])
    assert later[:3] == found
    render.act("kill", jid)
    until_all_ended(later)


def test_a_forced_end_ends_them_too(render: Render) -> None:
    jid, found = start_stubborn(render)
    forced = render.caller.post(f"/_mock/jobs/{jid}/tasks/000", {"status": "failed", "exit_code": 7})

    assert forced.status == 200
    until_all_ended(found)


def test_what_a_command_leaves_behind_ends_with_it(render: Render) -> None:
    jid, found = start_stubborn(render, then="while [ ! -e $HOME/go ]; do sleep 0.02; done")
    (folder,) = render.folders()
    (folder / "home" / "go").touch()

    assert render.until_ended(jid)["status"] == "success"
    until_all_ended(found)


def order(folder: Path, command: str, **limits: float) -> Order:
    workspace = Workspace(folder)
    workspace.create()
    workspace.log.touch()
    environment = {"PATH": os.environ["PATH"], processes.MARK: folder.name}
    settings = Limits(**{"grace_s": 0.2, **limits})  # type: ignore[arg-type]  # numbers of either kind
    return Order(folder.name, str(folder), (), command, environment, (), settings)


def test_a_command_that_forks_and_forks_is_ended_whole(tmp_path: Path) -> None:
    folder = tmp_path / "run-of-a-bomb"
    # Not for ever: root is held by no limit of the kernel, and the tests beside this one need processes, too.
    bomb = "n=0; while [ $n -lt 2000 ]; do sleep 1000 & n=$((n + 1)); done; wait"
    report = run(order(folder, bomb, processes=40))

    assert report.outcome == "failed"
    assert report.reason == "it had more than 40 processes (--execute-processes)"
    assert processes.members(None, folder.name) == []


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    report = run(order(tmp_path / "slow", "sleep 1000", timeout_s=0.1))

    assert report.outcome == "failed"
    assert report.reason == "it took longer than 0.1 s (--execute-timeout)"


def test_an_order_is_run_once(tmp_path: Path) -> None:
    """A cluster runs a call again when a worker dies."""
    once = order(tmp_path / "once", "true")

    assert run(once).outcome == "success"
    assert run(once).outcome == "lost"


@pytest.mark.parametrize("what", ["cancelled", "gone"])
def test_an_order_that_is_not_wanted_any_more_is_not_run(tmp_path: Path, what: str) -> None:
    late = order(tmp_path / "late", f"touch {tmp_path / 'ran'}")
    if what == "cancelled":
        Workspace(late.folder).cancel()
    else:
        Workspace(late.folder).remove()

    assert run(late).outcome is None
    assert not (tmp_path / "ran").exists()


def test_a_process_of_the_same_number_but_another_start_is_never_hit(tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        workspace = Workspace(tmp_path / "executions" / "old")
        workspace.create()
        started = processes.look_at(bystander.pid)
        assert started is not None
        facts = {"host": os.uname().nodename, "boot": processes.boot_id(), "pid": bystander.pid}
        workspace.note_run(**facts, started=started.started - 1)
        leftovers.end_all(tmp_path)
        assert is_running(bystander.pid)

        workspace.note_run(started=started.started)
        leftovers.end_all(tmp_path)
        assert bystander.wait() in (-signal.SIGTERM, -signal.SIGKILL)
    finally:
        bystander.kill()
        bystander.wait()


def test_a_run_can_be_ended_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path / "run")
    workspace.create()
    workspace.log.touch()
    assert not workspace.is_cancelled()

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "touch", full)
    workspace.cancel()

    assert workspace.is_cancelled()
