"""The client's statuses and actions are those of `job-states.yaml`: none is missing, none is more."""

from __future__ import annotations

from conductor.lib.actions import TASK_ACTIONS, Action
from conductor.lib.download.records import DownloadStatus
from conductor.lib.statuses import JOB_ENDED, SUCCEEDED, TASK_ENDED, JobStatus, TaskStatus
from conductor_contracts.job_states import load_job_states

TABLE = load_job_states()


def test_the_words_are_those_of_the_table() -> None:
    assert [*JobStatus] == [*TABLE.statuses["jobs"]]
    assert [*TaskStatus] == [*TABLE.statuses["tasks"]]
    assert {status.value for status in DownloadStatus} == {*TABLE.statuses["downloads"]}
    assert [*Action] == [*TABLE.actions]
    assert [*TASK_ACTIONS] == [action for action, single_tasks in TABLE.actions.items() if single_tasks]


def test_what_has_ended_is_what_the_table_says_and_what_waits_for_a_person() -> None:
    waits_for_a_person = {
        status
        for status in TABLE.statuses["jobs"]
        if {one.by for one in TABLE.possible if (one.kind, one.before) == ("jobs", status)}
        <= {*TABLE.actions}
    } - {*TABLE.of_tasks}

    assert TABLE.ended["tasks"] == TASK_ENDED
    assert TABLE.ended["jobs"] | waits_for_a_person == JOB_ENDED
    assert waits_for_a_person == {"sync_failed"}


def test_what_has_succeeded_is_what_a_reviewer_can_look_at() -> None:
    assert {before for before, _ in TABLE.moved_by("tasks", Action.REVIEWED)} | {"reviewed"} == SUCCEEDED


def test_a_status_is_shown_as_the_service_shows_it() -> None:
    assert f"{JobStatus.SYNC_FAILED} {TaskStatus.SUCCESS!s:>8}" == "sync_failed  success"
