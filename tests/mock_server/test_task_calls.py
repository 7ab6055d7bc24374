"""Tasks over HTTP: tasks.list and tasks.act."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_mock.farm import views
from conductor_mock.farm.state import Job, State
from support.server import Fake


@pytest.mark.parametrize(
    ("filter_", "found"),
    [
        ("", [(job, task) for job in "12" for task in "012"]),
        ("jobLabel_eq_00002", [("2", task) for task in "012"]),
        ("jid_eq_00001,tid_gt_000", [("1", "1"), ("1", "2")]),
        ("taskLabel_eq_002", [("1", "2"), ("2", "2")]),
        ("jobLabel_eq_00001,taskLabel_lt_001", [("1", "0")]),
        ("jobLabel_eq_00003", []),
        ("status_eq_success", []),
        ("jobLabel_eq_1", [("1", task) for task in "012"]),
    ],
)
def test_tasks_are_those_that_fit_the_filter_in_order(
    shared_fake: Fake, filter_: str, found: list[tuple[str, str]]
) -> None:
    caller = shared_fake.newcomer()
    for _ in range(2):
        caller.submit(tasks_data=[{"command": f"r {number}", "frames": "1"} for number in range(3)])
    records = caller.get("/api/v1/tasks", query={"filter": filter_}).json()["data"]
    assert [(record["jobLabel"].lstrip("0"), str(int(record["taskLabel"]))) for record in records] == found


@pytest.mark.parametrize(("job", "task"), [("jobLabel", "taskLabel"), ("jid", "tid")])
def test_a_task_that_is_asked_for_by_its_number_is_looked_at_alone(
    shared_fake: Fake, monkeypatch: pytest.MonkeyPatch, job: str, task: str
) -> None:
    """A job may have a hundred thousand."""
    caller = shared_fake.newcomer()
    for _ in range(2):
        caller.submit(tasks_data=[{"command": f"r {number}"} for number in range(3)])
    made: list[tuple[int, int]] = []
    task_record = views.task_record

    def counted(state: State, of: Job, index: int) -> dict[str, Any]:
        made.append((of.number, index))
        return task_record(state, of, index)

    monkeypatch.setattr(views, "task_record", counted)
    filter_ = f"{job}_eq_00002,{task}_eq_001"
    assert len(caller.get("/api/v1/tasks", query={"filter": filter_}).json()["data"]) == 1
    assert made == [(2, 1)]


def test_an_action_on_tasks_says_which_it_moved(shared_fake: Fake) -> None:
    caller = shared_fake.newcomer()
    caller.submit(tasks_data=[{"command": f"r {number}"} for number in range(3)])

    def act(action: str, *tids: str) -> Any:
        body = {"action": action, "jobid": "00001", "taskids": list(tids)}
        return caller.request("PUT", "/tasks_multi", body=body)

    assert act("hold", "0", "002").json() == {
        "body": "success",
        "message": ' 2 Tasks set to "hold"\n\t000\n\t002',
    }
    assert act("kill", "001").json()["message"] == ' 1 Tasks set to "kill"\n\t001'
    assert [task.status for task in shared_fake.state(caller).jobs[1].tasks] == [
        *("holding", "killed", "holding")
    ]
    assert act("kill", "001").status == 409
