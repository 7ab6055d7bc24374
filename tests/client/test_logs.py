"""Logs of tasks, read once and followed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from conductor.lib.api_client import ApiClient
from conductor.lib.exceptions import RefusedError, UnexpectedAnswerError
from conductor.lib.logs import follow_log, get_log
from conductor.lib.polling import Polling
from support.client_world import URL

LOG = f"{URL}/get_log_file"


def answer(*lines: str, status: str = "running", new: Any = None, **more: str) -> dict[str, Any]:
    return {
        "logs": [{"log": list(lines), **more}],
        "new_num_lines": [len(lines)] if new is None else new,
        "task_status": status,
    }


def asked(mock: responses.RequestsMock) -> list[str]:
    """From which line each request wanted the log."""
    queries = [parse_qs(urlsplit(call.request.url or "").query) for call in mock.calls]
    return [query["num_lines[]"][0] for query in queries if "num_lines[]" in query]


def follow(client: ApiClient, waits: list[float] | None = None, **more: Any) -> Iterator[str]:
    notes = waits if waits is not None else []
    polling = Polling(first=1.0, factor=2.0, longest=4.0)
    return follow_log(
        "12", "3", client=client, polling=polling, wait=notes.append, clock=lambda: sum(notes), **more
    )


def test_a_log_is_asked_for_as_the_vendors_client_does(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", LOG, json=answer("a\n", "b", instance_name="i", container_id="c", timestamp="1.7E9"))
    log = get_log("12", "3", client=client)
    assert mock.calls[0].request.url == f"{LOG}?job=00012&task=003&num_lines%5B%5D=0"
    assert (log.text, log.next_line, log.task_status) == ("a\nb\n", 2, "running")
    assert (log.instance_name, log.container_id, log.timestamp) == ("i", "c", 1.7e9)


def test_following_yields_every_line_once_until_the_task_has_ended(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    for body in (
        answer("a", "b"),
        answer(),
        answer("c"),
        answer("d", status="success"),
        answer("e", status="success"),
    ):
        mock.add("GET", LOG, json=body)
    waits: list[float] = []
    assert list(follow(client, waits)) == ["a", "b", "c", "d", "e"]
    assert asked(mock) == ["0", "2", "2", "3", "4"]
    assert waits == [1, 2, 1, 1]


def test_lines_come_before_the_next_question_is_asked(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", LOG, json=answer("a", "b"))
    lines = follow(client, from_line=7)
    assert (next(lines), next(lines)) == ("a", "b")
    assert asked(mock) == ["7"]


def test_the_services_count_of_lines_is_what_adds_up(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("GET", LOG, json=answer("two\nlines in one", new=[2]))
    assert get_log(1, 1, from_line=3, client=client).next_line == 5


@pytest.mark.parametrize("new", [[], None, ["1"], [-1], "x"])
def test_without_a_count_lines_are_counted_here(
    mock: responses.RequestsMock, client: ApiClient, new: object
) -> None:
    mock.add("GET", LOG, json={**answer("a"), "new_num_lines": new})
    assert get_log(1, 1, client=client).next_line == 1


def test_a_task_that_did_not_begin_is_waited_for(mock: responses.RequestsMock, client: ApiClient) -> None:
    mock.add("GET", LOG, status=404)
    mock.add("GET", LOG, json=answer("a", status="killed"))
    mock.add("GET", LOG, json=answer("b", status="killed"))
    mock.add("GET", f"{URL}/api/v1/tasks", json={"data": [{"taskLabel": "003", "status": "pending"}]})
    waits: list[float] = []
    assert list(follow(client, waits)) == ["a", "b"]
    assert waits == [1, 1]


def test_a_task_that_ended_without_ever_running_has_no_lines(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", LOG, status=404)
    mock.add("GET", f"{URL}/api/v1/tasks", json={"data": [{"taskLabel": "003", "status": "killed"}]})
    assert list(follow(client)) == []


def test_a_task_that_there_is_not_is_no_reason_to_wait(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", LOG, status=404)
    mock.add("GET", f"{URL}/api/v1/tasks", json={"data": []})
    with pytest.raises(RefusedError, match="no task 003 of job 00012"):
        list(follow(client))


def test_a_service_that_always_sends_the_whole_log_does_not_keep_anybody_for_ever(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", LOG, json=answer("a", status="success"))
    assert list(follow(client)) == ["a"]
    mock.replace("GET", LOG, json=answer("a"))
    lines = follow(client)
    assert next(lines) == "a"
    mock.replace("GET", LOG, json=answer("a", "b", status="success"))
    assert list(lines) == ["a", "b", "a", "b"]


def test_another_refusal_is_not_taken_for_a_log_to_come(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", LOG, status=400, body="why")
    with pytest.raises(RefusedError, match="why"):
        list(follow(client))


def test_a_service_that_restarts_is_asked_again_from_the_same_line(
    mock: responses.RequestsMock, client: ApiClient
) -> None:
    mock.add("GET", LOG, json=answer("a"))
    for _ in range(5):
        mock.add("GET", LOG, status=503)
    mock.add("GET", LOG, json=answer(status="success"))
    assert list(follow(client)) == ["a"]
    assert asked(mock) == ["0", *["1"] * 6]


@pytest.mark.parametrize(
    "body", [{}, {"logs": []}, {"logs": [{}]}, {"logs": [3]}, {"logs": [{"log": "text"}]}]
)
def test_a_log_without_lines_breaks_the_protocol(
    mock: responses.RequestsMock, client: ApiClient, body: dict[str, Any]
) -> None:
    mock.add("GET", LOG, json=body)
    with pytest.raises(UnexpectedAnswerError, match="logs must be"):
        get_log(1, 1, client=client)
