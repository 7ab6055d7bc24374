"""A server that is killed in the middle of a simulated run: no job is lost, and no finished task runs again."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm.ids import account_id
from conductor_mock.store import snapshots
from support import states
from support.control import Control
from support.examples import examples
from support.served import PATIENCE_S, ServedProcess, served
from support.server import ManualWall, job_payload, running

JOBS, TASKS = 3, 20


class Run:
    """A farm of a few jobs that is driven over a socket, with what was seen of it."""

    def __init__(self, server: ServedProcess) -> None:
        self._session, self._url = server.session(), server.url
        self.control = Control(server.url)

    def begin(self) -> None:
        """Submit jobs whose tasks are preempted and retried, into a farm that stands still."""
        self._control("clock", {"speed": 0})
        self._control("options", {"fleet": 7})
        for number in range(JOBS):
            entries = [{"command": f"render {frame}", "frames": str(frame)} for frame in range(TASKS)]
            policy = {"preempted": {"max_retries": 3}}
            body = job_payload(
                job_title=f"run {number}", tasks_data=entries, preemptible=True, autoretry_policy=policy
            )
            answer = self._session.post(f"{self._url}/jobs/", json=body, timeout=PATIENCE_S)
            assert answer.status_code == 201, answer.text

    def advance(self, seconds: int) -> None:
        self._control("clock", {"advance": seconds})

    def tasks(self) -> dict[tuple[str, str], Any]:
        """What is known of each task."""
        return {(job["jid"], task["tid"]): task for job in self.control.jobs() for task in job["tasks"]}

    def close(self) -> None:
        self._session.close()

    def _control(self, what: str, body: dict[str, Any]) -> None:
        answer = self._session.post(f"{self._url}/_mock/{what}", json=body, timeout=PATIENCE_S)
        assert answer.status_code == 200, answer.text


@contextmanager
def serving(folder: Path) -> Iterator[tuple[ServedProcess, Run]]:
    with served(folder) as server:
        run = Run(server)
        try:
            yield server, run
        finally:
            run.close()


def kill_and_go_on(folder: Path, steps: list[int]) -> None:
    """Kill the server after each of `steps` (seconds that it advanced), then let it finish."""
    before: dict[tuple[str, str], Any] = {}
    for number, step in enumerate(steps):
        with serving(folder) as (server, run):
            if number == 0:
                run.begin()
            assert {name: run.tasks()[name] for name in before} == before
            run.advance(step)
            before = run.tasks()
            assert server.end(signal.SIGKILL) == -signal.SIGKILL
    with serving(folder) as (_, run):
        assert run.tasks() == before
        run.advance(24 * 3600)
        after = run.tasks()
    assert len(after) == JOBS * TASKS
    assert {task["status"] for task in after.values()} <= {"success", "preempted"}
    for name, task in before.items():
        if task["status"] in ("success", "preempted"):
            assert after[name] == task, "a task that had ended ran again"
        ended = [attempt for attempt in task["attempts"] if attempt["ended"]]
        assert after[name]["attempts"][: len(ended)] == ended


@pytest.mark.slow
def test_a_run_that_is_killed_twice_goes_on_where_it_was(tmp_path: Path) -> None:
    kill_and_go_on(tmp_path, [90, 200])


@pytest.mark.prove
@pytest.mark.parametrize("first", range(0, 600, 60))
def test_a_run_goes_on_wherever_it_is_killed(first: int, tmp_path: Path) -> None:
    kill_and_go_on(tmp_path, [first, 1, 59, 137])


@pytest.mark.slow
def test_a_run_that_is_killed_during_an_advance_has_what_was_reached(tmp_path: Path) -> None:
    """Nobody was answered, so the advance may have come as far as it likes; what there is must be a history."""
    with serving(tmp_path) as (server, run):
        run.begin()
        expected = undisturbed(tmp_path / "other")
        pending = requests.Request("POST", f"{server.url}/_mock/clock", json={"advance": 24 * 3600}).prepare()
        with requests.Session() as session:
            session.trust_env = False
            send_and_forget(session, pending)
        server.end(signal.SIGKILL)
    with serving(tmp_path) as (_, run):
        for name, task in run.tasks().items():
            ended = [attempt["outcome"] for attempt in task["attempts"] if attempt["ended"]]
            assert ended == expected[name][: len(ended)]
        run.advance(24 * 3600)
        assert {name: outcomes(task) for name, task in run.tasks().items()} == expected


def send_and_forget(session: requests.Session, request: requests.PreparedRequest) -> None:
    """Send a request and do not wait for its answer."""
    with contextlib.suppress(requests.ReadTimeout):
        session.send(request, timeout=(PATIENCE_S, 0.000_001))


def undisturbed(folder: Path) -> dict[tuple[str, str], list[str]]:
    """How the attempts of each task end when nobody kills the server."""
    with serving(folder) as (_, run):
        run.begin()
        run.advance(24 * 3600)
        return {name: outcomes(task) for name, task in run.tasks().items()}


def outcomes(task: Any) -> list[str]:
    return [attempt["outcome"] for attempt in task["attempts"]]


@examples(10, full=20)
@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=5),
    st.lists(st.booleans(), min_size=5, max_size=5),
    st.integers(1, 60),
)
def test_what_was_shown_before_any_number_of_crashes_is_shown_after(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], crashes: list[bool], events: int
) -> None:
    """The same without processes, at many more points, with snapshots in between or none."""
    folder, wall = tmp_path_factory.mktemp("data"), ManualWall()
    shown: Any = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "SNAPSHOT_EVENTS", events)
        for step, crash in zip(steps, crashes, strict=False):
            with running(wall, data_dir=folder, fleet=3, speed=1) as fake:
                caller = fake.caller()
                if shown is None:
                    entries = [{"command": "render", "frames": str(frame)} for frame in range(8)]
                    assert caller.submit(tasks_data=entries, preemptible=True).status == 201
                else:
                    assert image(fake) == shown
                wall.step(step)
                shown = image(fake)
                if crash:
                    fake.crash()


def image(fake: Any) -> Any:
    with fake.service.accounts.open(account_id("studio")) as account:
        return {**states.image(account.state), "outbox": None}
