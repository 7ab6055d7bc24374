"""Actions on jobs and tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
import requests
import responses

from conductor.lib.actions import TASK_ACTIONS, Action, act_on_jobs, act_on_tasks
from conductor.lib.api_client import ApiClient
from conductor.lib.exceptions import Acted, BadArgumentError, OutcomeUnknownError, RefusedError
from support.client_world import URL


@pytest.fixture
def mock() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as requests_mock:
        yield requests_mock


def body(mock: responses.RequestsMock) -> object:
    return json.loads(mock.calls[0].request.body or "")


@pytest.mark.parametrize("action", Action)
def test_an_action_on_jobs_is_sent_with_padded_ids_each_once(
    mock: responses.RequestsMock, client: ApiClient, action: Action
) -> None:
    mock.add("PUT", f"{URL}/jobs_multi", json={"body": "success", "message": "done: 00012"})
    assert act_on_jobs(action.value, ["12", 13, "00012"], client=client) == "done: 00012"
    assert body(mock) == {"action": action.value, "jobids": ["00012", "00013"]}


@pytest.mark.parametrize("action", TASK_ACTIONS)
def test_an_action_on_tasks_names_the_job(
    mock: responses.RequestsMock, client: ApiClient, action: Action
) -> None:
    mock.add("PUT", f"{URL}/tasks_multi", json={"body": "success"})
    assert act_on_tasks(action, 12, [3, "004"], client=client) == "success"
    assert body(mock) == {"action": action.value, "jobid": "00012", "taskids": ["003", "004"]}


@pytest.mark.parametrize(
    "act",
    [
        lambda client: act_on_jobs("explode", ["1"], client=client),
        lambda client: act_on_tasks(Action.RETRY_FAILED, 1, [1], client=client),
        lambda client: act_on_jobs(Action.KILL, [], client=client),
        lambda client: act_on_tasks(Action.KILL, 1, [], client=client),
        lambda client: act_on_jobs(Action.KILL, ["all"], client=client),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    mock: responses.RequestsMock, client: ApiClient, act: Callable[[ApiClient], str]
) -> None:
    with pytest.raises(BadArgumentError):
        act(client)
    assert len(mock.calls) == 0


def test_a_refusal_says_what_the_service_says(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("PUT", f"{URL}/jobs_multi", status=409, json={"message": "00012 has ended"})
    with pytest.raises(RefusedError, match=r"job 00012 \(kill\): .*00012 has ended") as caught:
        act_on_jobs(Action.KILL, ["12"], client=client)
    assert (caught.value.status, caught.value.acted) == (409, Acted.NO)


def test_an_action_without_an_answer_is_never_repeated(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("PUT", f"{URL}/tasks_multi", body=requests.ConnectionError("reset"))
    with pytest.raises(OutcomeUnknownError, match="look at the status of the tasks of job 00012") as caught:
        act_on_tasks(Action.RETRY, 12, [3], client=client)
    assert (len(mock.calls), caught.value.acted) == (1, Acted.UNKNOWN)
