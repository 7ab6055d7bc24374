"""The table of job states is whole, and its words are those of the wire."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from conductor_contracts.contract import load as load_contract
from conductor_contracts.job_states import KINDS, OF_TASKS, job_states_of, load_job_states

TABLE = load_job_states()
BY_ITSELF = {"time", "scouts"}
"""Causes that nobody is needed for."""
OTHER_CAUSES = {*BY_ITSELF, "run", "options", "force"}


def schema(name: str) -> Any:
    return load_contract().document["components"]["schemas"][name]


def test_the_words_are_those_of_the_wire() -> None:
    assert schema("JobStatus")["enum"] == [*TABLE.statuses["jobs"]]
    assert schema("TaskStatus")["enum"] == [*TABLE.statuses["tasks"]]
    assert {*TABLE.statuses["tasks"]} <= schema("Job")["properties"].keys()
    assert {*schema("DownloadReport")["properties"]["status"]["enum"]} == {*TABLE.statuses["downloads"]}
    assert schema("JobsAction")["properties"]["action"]["enum"] == [*TABLE.actions]
    assert schema("TasksAction")["properties"]["action"]["enum"] == [
        action for action, single_tasks in TABLE.actions.items() if single_tasks
    ]


def test_every_cause_is_an_operation_an_action_or_explained() -> None:
    known = {*load_contract().operations, *TABLE.actions, *OTHER_CAUSES}

    assert {one.by for one in TABLE.possible} <= known
    assert {*TABLE.actions, *OTHER_CAUSES} <= {one.by for one in TABLE.possible}


@pytest.mark.parametrize("kind", KINDS)
def test_every_status_can_be_reached_and_what_has_ended_stays_so_by_itself(kind: str) -> None:
    possible = [one for one in TABLE.possible if one.kind == kind]
    reached = {one.after for one in possible} - {None, OF_TASKS}
    of_tasks = {*TABLE.of_tasks} if kind == "jobs" else set()

    assert reached | of_tasks == {*TABLE.statuses[kind]}
    assert TABLE.ended[kind] <= {*TABLE.statuses[kind]}
    assert not [one for one in possible if one.by in BY_ITSELF and one.before in TABLE.ended[kind]]


def test_a_job_is_what_its_tasks_are() -> None:
    assert {*TABLE.of_tasks} == {*TABLE.statuses["tasks"]}
    assert {*TABLE.statuses["tasks"]} <= {*TABLE.statuses["jobs"]}
    assert TABLE.ended["jobs"] == TABLE.ended["tasks"]


def test_forcing_is_to_an_end() -> None:
    assert {*TABLE.forced} <= TABLE.ended["tasks"]
    assert {after for _, after in TABLE.moved_by("tasks", "force")} == {*TABLE.forced, "pending"}


def test_a_transition_of_a_status_that_is_not_listed_is_refused() -> None:
    text = "{statuses: {pending: x}, ended: [], transitions: [{by: time, from: [pending], to: [pendign]}]}"
    document = {kind: yaml.safe_load(text) for kind in KINDS}

    with pytest.raises(ValueError, match="tasks, by time: 'pendign' is no status"):
        job_states_of(document)
