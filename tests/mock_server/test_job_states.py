"""The farm's statuses, actions and transitions are those of `job-states.yaml`: none is missing, none is more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from conductor_contracts.job_states import OF_TASKS, Transition, load_job_states
from conductor_mock import farm as farm_package
from conductor_mock.farm import actions, downloads, execution, lookup, tasks, uploads
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.commands import OptionsChanged
from conductor_mock.farm.refusals import StateForbidsError
from conductor_mock.farm.statuses import (
    ENDED,
    FORCED,
    JOB_ENDED,
    Action,
    DownloadStatus,
    JobStatus,
    Outcome,
    Phase,
    TaskStatus,
    UploadStatus,
)
from conductor_mock.farm.values import OutputFile
from support.lives import Step, live, lives
from support.simulated import HOUR, Farm, farms
from support.transitions import watching

TABLE = load_job_states()
POLICY = {"failed": {"max_retries": 1}, "preempted": {"max_retries": 1}}
FILES = [{"destination": "/a", "md5": None, "st_size": 1}]


def test_the_words_are_those_of_the_table() -> None:
    assert [*TaskStatus] == [*TABLE.statuses["tasks"]]
    assert [*JobStatus] == [*TABLE.statuses["jobs"]]
    assert [*UploadStatus] == [*TABLE.statuses["uploads"]]
    assert [*DownloadStatus] == [*TABLE.statuses["downloads"]]
    assert [outcome for outcome in Outcome if outcome != Outcome.UNKNOWN] == [*TABLE.attempts]
    assert [*Action] == [*TABLE.actions]
    assert TABLE.ended["tasks"] == ENDED
    assert TABLE.ended["jobs"] == JOB_ENDED
    assert TABLE.forced == FORCED
    assert {*Phase} - {Phase.READY} == {
        one.after for one in TABLE.possible if one.kind == "jobs" and one.after != OF_TASKS
    }


@pytest.mark.parametrize("action", Action)
def test_an_action_moves_what_the_table_says(action: Action) -> None:
    effect = actions.ACTIONS[action]

    assert effect.on_tasks == TABLE.actions[action]
    assert {(status, effect.to) for status in effect.of} == TABLE.moved_by("tasks", action)
    assert effect.phases == {before for before, _ in TABLE.moved_by("jobs", action)}


def test_a_job_has_the_first_status_of_the_table_that_a_task_is_in() -> None:
    order = TABLE.of_tasks

    assert {*order} == {*TaskStatus}
    for index, first in enumerate(order):
        counts = {TaskStatus(status): 1 for status in order[index:]}
        assert tasks.status_of(Phase.READY, counts) == first
    assert tasks.status_of(Phase.READY, {}) == "success"


@given(farms, lives)
def test_whatever_happens_is_in_the_table(options: dict[str, Any], life: list[Step]) -> None:
    farm = Farm(**options)
    with watching() as seen:
        live(farm, life)
        farm.until_idle()

    assert seen <= TABLE.possible


def test_all_that_is_in_the_table_happens() -> None:
    with watching() as seen:
        for _ in scenes():
            pass

    assert _lines(TABLE.possible - seen) == []
    assert _lines(seen - TABLE.possible) == []


def test_an_attempt_comes_to_everything_that_the_table_names() -> None:
    outcomes = {
        attempt.outcome
        for farm in scenes()
        for job in farm.state.jobs.values()
        for task in job.tasks
        for attempt in task.attempts
    }

    assert outcomes == {*Outcome} - {Outcome.UNKNOWN}


def test_the_farm_spells_statuses_as_members_so_that_the_type_checker_sees_a_typo() -> None:
    """A comparison with a text is one that mypy lets pass."""
    folder = Path(str(farm_package.__file__)).parent
    words = {*TABLE.statuses["tasks"], *TABLE.statuses["jobs"], *TABLE.attempts, "ready", "claimed"}
    spelt = [
        f"{path.name}:{node.lineno}"
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and part.value in words
    ]

    assert spelt == []


def scenes() -> Iterator[Farm]:
    """Everything that can happen to a job of one task, in every status in which it can."""
    for status in TaskStatus:
        for action in Action:
            yield _act(_in_status(status), action)
    for status in set(TaskStatus) - ENDED:
        for outcome in FORCED:
            yield _force(_in_status(status), outcome)
            yield _force(_in_status(status, autoretry_policy=POLICY), outcome)
    for phase in (Phase.UPLOAD_PENDING, Phase.UPLOADING, Phase.SYNCING, Phase.SYNC_FAILED):
        for action in (Action.KILL, Action.RETRY_SYNC):
            yield _act(_in_phase(phase, 0), action)
            yield _act(_in_phase(phase, 1), action)
    for outcome in FORCED:
        yield _force(_in_phase(Phase.SYNCING, 1), outcome)
    for phase in (Phase.UPLOAD_PENDING, Phase.UPLOADING):
        yield _finish(_in_phase(phase, 1), held="there")
        yield _finish(_in_phase(phase, 1), held=None)
        yield _fail(_in_phase(phase, 1))
        yield _wait(_in_phase(phase, 1))
    for before in DownloadStatus:
        yield _act(_downloading(before), Action.RETRY)
        yield _wait(_downloading(before))
        for after in DownloadStatus:
            yield _report(_downloading(before), after)
    for outcomes in ("success", "failed", "preempted"):
        yield _drawn(outcomes)
        yield _drawn(outcomes, autoretry_policy=POLICY)
    yield _with_scouts()
    for outcome in (Outcome.SUCCESS, Outcome.FAILED, Outcome.LOST, Outcome.STOPPED):
        yield _executing(outcome)
    yield _executing(Outcome.LOST, Outcome.LOST)
    yield _executing(Outcome.FAILED, autoretry_policy=POLICY)
    yield _executing_no_more()


def _lines(transitions: set[Transition] | frozenset[Transition]) -> list[str]:
    return sorted(f"{one.kind}: {one.before} -> {one.after} by {one.by}" for one in transitions)


def _in_status(status: TaskStatus, **payload: Any) -> Farm:
    """A farm whose job 1, of one task, is in a status."""
    farm = Farm()
    farm.submit(1, metadata={"mock_duration": "30"}, **payload)
    if status == TaskStatus.HOLDING:
        farm.do(actions.act_on_jobs(farm.state, Action.HOLD, ["1"]))
    farm.advance(70 * SECOND if status == TaskStatus.RUNNING else 6 * SECOND)
    outcome = {TaskStatus.DOWNLOADED: Outcome.SUCCESS, TaskStatus.REVIEWED: Outcome.SUCCESS}.get(status)
    if status in ENDED:
        farm.do(actions.force(farm.state, "1", "0", outcome or Outcome(status.value), None))
    if status == TaskStatus.DOWNLOADED:
        _report(farm, DownloadStatus.DOWNLOADED)
    elif status == TaskStatus.REVIEWED:
        farm.do(actions.act_on_jobs(farm.state, Action.REVIEWED, ["1"]))
    assert farm.state.jobs[1].tasks[0].status == status
    return farm


def _in_phase(phase: Phase, count: int) -> Farm:
    """A farm whose job 1, of so many tasks, is in a phase."""
    farm = Farm()
    only = {} if count else {"command": "upload only"}
    daemon = phase in (Phase.UPLOAD_PENDING, Phase.UPLOADING)
    command = farm.job(count, local_upload=not daemon, upload_files=FILES, **only)
    farm.do(replace(command, missing=("/a",)) if phase == Phase.SYNC_FAILED else command)
    if phase == Phase.UPLOADING:
        farm.do(uploads.claim(farm.state, None))
    assert farm.state.jobs[1].phase == phase
    return farm


def _act(farm: Farm, action: Action) -> Farm:
    """Do something to job 1 if its state allows it."""
    with suppress(StateForbidsError):
        farm.do(actions.act_on_jobs(farm.state, action, ["1"]))
    return farm


def _force(farm: Farm, outcome: Outcome) -> Farm:
    farm.do(actions.force(farm.state, "1", "0", outcome, None))
    return farm


def _report(farm: Farm, status: DownloadStatus) -> Farm:
    download_id = lookup.download_id(farm.state.jobs[1], 0)
    command = downloads.report(farm.state, download_id, status=status, bytes_downloaded=1)
    if command is not None:
        farm.do(command)
    return farm


def _finish(farm: Farm, *, held: str | None) -> Farm:
    payload = {"upload_files": FILES}
    farm.do(
        uploads.finish(farm.state, "u00001", reported={}, payload=payload, held_md5=lambda path, md5: held)
    )
    return farm


def _fail(farm: Farm) -> Farm:
    farm.do(uploads.fail(farm.state, "u00001", "no disk"))
    return farm


def _wait(farm: Farm) -> Farm:
    farm.advance(HOUR)
    return farm


def _downloading(status: DownloadStatus) -> Farm:
    """A farm whose job 1 has succeeded, and its outputs are in a status."""
    farm = _in_status(TaskStatus.SUCCESS)
    if status != DownloadStatus.PENDING:
        farm.do(downloads.offer(farm.state, farm.state.jobs[1], 0))
    if status == DownloadStatus.DOWNLOADED:
        _report(farm, status)
    return farm


def _drawn(outcomes: str, **payload: Any) -> Farm:
    farm = Farm()
    farm.submit(1, metadata={"mock_outcome": outcomes}, **payload)
    farm.until_idle()
    return farm


def _with_scouts() -> Farm:
    farm = Farm()
    farm.submit(2, scout_frames="0")
    farm.until_idle()
    return farm


def _executing(*outcomes: Outcome, **payload: Any) -> Farm:
    """A farm whose task runs for real, and comes to this."""
    farm = Farm(execute=1)
    farm.submit(1, **payload)
    farm.advance(6 * SECOND)
    for number, outcome in enumerate(outcomes):
        (waiting,) = execution.active(farm.state)
        farm.do(execution.start(farm.state, waiting, f"run {number}"))
        (run,) = execution.active(farm.state)
        outputs = (OutputFile("a.png", "1B2M2Y8AsgTpgAmY7PhCfg==", 0),) if outcome == Outcome.SUCCESS else ()
        farm.do(execution.end(farm.state, run, outcome, outputs=outputs))
    return farm


def _executing_no_more() -> Farm:
    farm = _executing()
    farm.do(OptionsChanged(replace(farm.state.options, execute=0)))
    return farm
