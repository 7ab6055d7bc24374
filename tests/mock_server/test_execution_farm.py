"""What the farm makes of tasks that run for real: it plans only preemptions and believes only the run it knows."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm import actions, execution, fold, history, snapshot, tasks
from conductor_mock.farm.clock import SECOND, Anchor
from conductor_mock.farm.commands import AccountOpened, Command, JobCreated, OptionsChanged
from conductor_mock.farm.execution import Active
from conductor_mock.farm.records import Record
from conductor_mock.farm.refusals import StateForbidsError
from conductor_mock.farm.state import State, Task
from conductor_mock.farm.statuses import Action, Outcome
from conductor_mock.farm.values import Machine, Options, OutputFile
from support.states import image

MACHINE = Machine(
    "n1-standard-4",
    cores=4,
    price_micro_usd_per_hour=1,
    preemptible_micro_usd_per_hour=1,
    license_micro_usd_per_hour=0,
    speed=100,
)
PICTURE = OutputFile("a.png", "1B2M2Y8AsgTpgAmY7PhCfg==", 0)


class Farm:
    """An executing account, driven by hand; `runs` are those that were started, as a driver knows them."""

    def __init__(self, execute: int = 2) -> None:
        options = Options(fold.SIMULATION_VERSION, "", 1, 0, "gcs", 1 << 30, True, execute)
        opened = AccountOpened("me", "5", "", options, Anchor(0, 0, 0))
        self.state: State = fold.follow(None, Record(1, 0, opened))
        self.runs: list[Active] = []

    def do(self, command: Command | None) -> None:
        assert command is not None
        fold.follow(self.state, Record(self.state.seq + 1, self.state.now_us, command))

    def submit(self, count: int, **payload: Any) -> None:
        body = {
            "instance_type": MACHINE.name,
            "output_path": "/out",
            "tasks_data": [{"command": "render", "frames": str(frame)} for frame in range(count)],
            **payload,
        }
        self.do(JobCreated(body, "", MACHINE))
        self.advance(6)

    def advance(self, seconds: float) -> None:
        fold.advance(self.state, self.state.now_us + round(seconds * SECOND))

    def start_all(self) -> None:
        """Start what the farm wants, as the driver does."""
        for one in list(execution.active(self.state)):
            if not one.run:
                run = f"run {len(self.runs)}"
                self.do(execution.start(self.state, one, run))
                self.runs.append(Active(one.job, one.task, one.attempt, run))

    def end(self, one: Active, outcome: str, **more: Any) -> bool:
        """Report on a run; whether the farm took it."""
        command = execution.end(self.state, one, Outcome(outcome), **more)
        if command is not None:
            self.do(command)
        return command is not None

    def task(self, index: int = 0) -> Task:
        return self.state.jobs[1].tasks[index]

    def outcomes(self, index: int = 0) -> list[str]:
        return [attempt.outcome for attempt in self.task(index).attempts]


@pytest.fixture
def farm() -> Farm:
    return Farm()


def test_an_attempt_begins_at_once_and_has_no_end_of_its_own(farm: Farm) -> None:
    farm.submit(1, metadata={"mock_outcome": "failed", "mock_duration": "1"})
    farm.start_all()
    farm.advance(365 * 24 * 3600)

    (attempt,) = farm.task().attempts
    assert attempt.assigned_us == attempt.started_us == 5 * SECOND
    assert attempt.ended_us is None
    assert farm.task().status == "running"


def test_a_success_keeps_exactly_what_the_run_left(farm: Farm) -> None:
    farm.submit(2)
    farm.start_all()
    farm.end(farm.runs[0], "success", exit_code=0, outputs=(PICTURE,))
    farm.end(farm.runs[1], "success", exit_code=0)

    assert farm.task(0).outputs == (PICTURE,)
    assert farm.task(0).download is not None
    assert farm.task(1).outputs == ()
    assert farm.task(1).download is None, "there is nothing to download"
    assert tasks.job_status(farm.state.jobs[1]) == "success"


@pytest.mark.parametrize("how", ["kill", "preempted", "forced", "ended", "another run", "reset"])
def test_a_report_on_a_run_that_is_over_is_ignored(farm: Farm, how: str) -> None:
    metadata = {"mock_outcome": "preempted", "mock_duration": "40"} if how == "preempted" else {}
    farm.submit(1, metadata=metadata)
    farm.start_all()
    (run,) = farm.runs
    if how == "kill":
        farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["00001"]))
    elif how == "preempted":
        farm.advance(60)
    elif how == "forced":
        farm.do(actions.force(farm.state, "1", "0", Outcome.FAILED, 7))
    elif how == "ended":
        farm.end(run, "failed")
    elif how == "another run":
        run = Active(run.job, run.task, run.attempt, "of another server")
    else:
        farm.state = Farm().state
    before = image(farm.state)

    assert not farm.end(run, "success", outputs=(PICTURE,))
    assert image(farm.state) == before


def test_what_is_to_run_for_real_keeps_its_order_over_a_restart(farm: Farm) -> None:
    farm.submit(1)
    farm.submit(1)
    farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["1"]))
    farm.do(actions.act_on_jobs(farm.state, Action.RETRY, ["1"]))
    again = snapshot.read(json.loads(json.dumps(snapshot.write(farm.state))))

    assert [run.job for run in execution.active(farm.state)] == [2, 1]
    assert list(execution.active(again)) == list(execution.active(farm.state))


def test_a_lost_run_is_started_again_once_whatever_the_policy_says(farm: Farm) -> None:
    farm.submit(1, autoretry_policy={"failed": {"max_retries": 0}})
    farm.start_all()
    farm.end(farm.runs[-1], "lost", reason="gone")
    assert farm.outcomes() == ["lost", "running"]
    assert history.job_status_at(farm.state, farm.state.jobs[1], farm.state.now_us) == (
        "running",
        ["running"],
    )
    farm.start_all()
    farm.end(farm.runs[-1], "lost", reason="gone")

    assert farm.outcomes() == ["lost", "failed"]
    real = farm.task().attempts[-1].execution
    assert real is not None
    assert "second time" in real.reason
    farm.do(actions.act_on_jobs(farm.state, Action.RETRY, ["1"]))
    farm.start_all()
    farm.end(farm.runs[-1], "lost", reason="gone")
    assert farm.outcomes()[-1] == "running", "who starts a task again gives it another chance"


def test_a_stopped_run_is_started_again_however_often(farm: Farm) -> None:
    farm.submit(1)
    for _ in range(4):
        farm.start_all()
        farm.end(farm.runs[-1], "stopped")

    assert farm.outcomes() == ["stopped"] * 4 + ["running"]


def test_what_a_killed_run_said_is_noted_once(farm: Farm) -> None:
    farm.submit(1)
    farm.start_all()
    (run,) = farm.runs
    assert execution.note_log(farm.state, run, "x") is not None
    farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["1"]))
    farm.do(execution.note_log(farm.state, run, PICTURE.md5))

    assert execution.note_log(farm.state, run, "x") is None
    assert execution.note_log(Farm().state, run, "x") is None


def test_an_account_that_executes_no_more_simulates_what_was_left(farm: Farm) -> None:
    farm.submit(3)
    farm.start_all()
    farm.do(OptionsChanged(Options(**{**farm.state.options.to_json(), "execute": 0})))
    farm.advance(3600)

    assert farm.outcomes(0) == ["stopped", "success"]
    assert farm.outcomes(2) == ["success"]
    assert not farm.state.executing


def test_an_account_that_executes_on_goes_on_with_its_runs_whatever_other_options_it_has(farm: Farm) -> None:
    farm.submit(2)
    farm.start_all()
    farm.do(OptionsChanged(Options(**{**farm.state.options.to_json(), "execute": 3})))

    assert list(execution.active(farm.state)) == farm.runs
    assert farm.end(farm.runs[0], "success", exit_code=0)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(0, 90)),
        st.tuples(st.just("start"), st.none()),
        st.tuples(st.sampled_from(["success", "failed", "lost", "stopped"]), st.integers(0, 30)),
        st.tuples(st.sampled_from(["kill", "hold", "unhold", "retry"]), st.integers(1, 2)),
    ),
    max_size=25,
)


@given(st.integers(1, 3), st.booleans(), steps)
def test_whatever_is_reported_slots_hold_and_what_has_succeeded_stays(
    slots: int, preemptible: bool, plan: list[tuple[str, Any]]
) -> None:
    farm = Farm(slots)
    for _ in range(2):
        farm.submit(3, preemptible=preemptible, autoretry_policy={"preempted": {"max_retries": 1}})
    succeeded: dict[tuple[int, int], int] = {}
    for what, value in plan:
        if what == "advance":
            farm.advance(value)
        elif what == "start":
            farm.start_all()
        elif what in actions.ACTIONS:
            with suppress(StateForbidsError):
                farm.do(actions.act_on_jobs(farm.state, Action(what), [str(value)]))
            if what == "retry":
                succeeded.clear()
        elif value < len(farm.runs):
            run = farm.runs[value]
            if farm.end(run, what, outputs=(PICTURE,) if what == "success" else ()) and what == "success":
                succeeded[run.job, run.task] = run.attempt
        state = farm.state
        running = {
            (job.number, index)
            for job in state.jobs.values()
            for index, task in enumerate(job.tasks)
            if tasks.is_active(task)
        }
        assert len(running) == state.active <= slots
        assert running == set(state.executing)
        for (number, index), attempt in succeeded.items():
            assert len(state.jobs[number].tasks[index].attempts) == attempt, "it was run again"
        again = snapshot.read(json.loads(json.dumps(snapshot.write(state))))
        assert image(again) == image(state)
        assert set(again.executing) == running
