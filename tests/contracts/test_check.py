"""`check` says of a submission what the service would: the fake is asked, and the two must agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conductor_contracts import strategies as contract
from conductor_contracts.check import check, check_text
from conductor_contracts.cli import main
from conductor_contracts.commands import check as command
from conductor_contracts.problems import MAX_PROBLEMS, Problem
from conductor_mock.inprocess import URL
from contracts.services import Fake
from support.payloads import job_payloads

TASKS = [{"command": "render", "frames": "1-5"}]
GOOD: dict[str, Any] = {"instance_type": "n1-standard-2", "tasks_data": TASKS, "output_path": "/proj/out"}
Submit = Callable[[bytes], requests.Response]


@pytest.fixture(scope="module")
def submit(fake: Fake) -> Submit:
    """Send a body to the fake."""
    session = fake.service().session()
    key = {"client_id": fake.key["client_id"], "client_secret": fake.key["private_key"]}
    query = {"grant_type": "client_credentials", "scope": "owner admin user", **key}
    token = session.get(f"{URL}/api/oauth_jwt", params=query).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return partial(session.post, f"{URL}/jobs/", headers=headers)


def agree(submit: Submit, body: bytes) -> None:
    """Hold a verdict against what the fake answers."""
    verdict, answer = check_text(body), submit(body)
    assert verdict.taken == (answer.status_code == 201), (verdict, answer.text)
    if verdict.taken:
        warned = json.loads(answer.headers.get("X-Conductor-Mock-Warnings", "[]"))
        ours = {
            text
            for text in warned
            if "the catalogue has no" not in text and "decides nothing" not in text
            if "was never uploaded" not in text and "more to warn about" not in text
        }
        assert ours <= set(map(str, verdict.unusual))
    elif verdict.problems[0].path:
        said = [(one["path"], one["message"]) for one in answer.json()["errors"]]
        places = [problem.path for problem in (*verdict.problems, *verdict.unusual)]
        assert [path for path, _ in said] == places[: len(said)], (said, verdict)
        assert len(said) == min(len(places), MAX_PROBLEMS)


@given(st.one_of(contract.payloads(), job_payloads()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_service_takes_is_taken_and_what_it_warns_of_is_unusual(
    submit: Submit, payload: dict[str, Any]
) -> None:
    agree(submit, json.dumps(payload).encode())


@given(contract.broken_payloads())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_service_refuses_is_refused_at_the_same_place(
    submit: Submit, broken: tuple[dict[str, Any], str]
) -> None:
    payload, where = broken
    agree(submit, json.dumps(payload).encode())
    assert where in [problem.path for problem in check(payload).problems]


RIGHT = json.dumps(GOOD).encode()


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A right body with a few bytes of it gone, doubled or changed."""
    body = bytearray(RIGHT)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body) - 1))
        body[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(body)


@given(st.one_of(bodies(), st.binary(max_size=20)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_are_no_submission_are_refused_and_raise_nothing(submit: Submit, body: bytes) -> None:
    agree(submit, body)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        '\ufeff{"a": 1}',
        json.dumps({**GOOD, "priority": float("nan")}),
        json.dumps({**GOOD, "metadata": {"a": "\ud800"}}),
        json.dumps({**GOOD, "metadata": 1})[:-1],
        '{"metadata": ' + "[" * 70 + "]" * 70 + "}",
        json.dumps({"command": "r", "frame_range": "1-9999999", "cores": 1}),
        json.dumps({"command": "r" * 300, "frame_range": "1-1000000", "cores": 1}),
        json.dumps({"command": "r", "frame_range": ", ".join(["1-2"] * 201), "cores": 1}),
    ],
)
def test_what_no_schema_says_is_refused_too(submit: Submit, text: str) -> None:
    assert not check_text(text.encode()).taken
    agree(submit, text.encode())


@pytest.mark.parametrize(
    ("fields", "unusual"),
    [
        ({}, []),
        ({"scout_frame": "1"}, [("/scout_frame", "is not in the contract; did you mean 'scout_frames'?")]),
        (
            {"scout_frames": "9"},
            [("/scout_frames", "'9' fits no task, so none is held; the frames of the tasks are 1-5")],
        ),
        (
            {"scout_frames": "first"},
            [("/scout_frames", "'first' is no frame specification, so no task is held")],
        ),
        ({"environment": {"A": 1.5}}, [("/environment/A", "must be text or a whole number, got 1.5")]),
        (
            {"output_path": None},
            [("/output_path", "is not given, so nothing that the tasks write can be downloaded")],
        ),
        (
            {"tasks_data": None, "output_path": None, "command": "upload only", "frame_range": "x"},
            [],
        ),
        (
            {
                "upload_files": [
                    {"destination": "/a", "md5": "kAFQmDzST7DWlj99KOF/cg==", "st_size": 3},
                    {"destination": "/a", "md5": "1B2M2Y8AsgTpgAmY7PhCfg==", "st_size": 0},
                    {"destination": "/a", "md5": "kAFQmDzST7DWlj99KOF/cg==", "st_size": 3},
                ],
                "upload_size": 3,
            },
            [
                ("/upload_files/1/destination", "is that of file 0 too, with another md5"),
                ("/upload_size", "is 3, the sizes of the files add up to 6"),
            ],
        ),
    ],
    ids=str,
)
def test_what_is_taken_and_probably_means_something_else_is_unusual(
    fields: dict[str, Any], unusual: list[tuple[str, str]]
) -> None:
    verdict = check({**GOOD, **fields})
    assert verdict.taken
    assert list(verdict.unusual) == [Problem(*one) for one in unusual]


def run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["check", *arguments], input=stdin)


def test_the_command_says_what_is_wrong_and_what_is_unusual_and_exits_by_it(tmp_path: Path) -> None:
    path = tmp_path / "payload.json"
    path.write_text(json.dumps({**GOOD, "scout_frame": "1"}))
    result = run(str(path))
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "unusual  /scout_frame is not in the contract; did you mean 'scout_frames'?",
        "would be taken",
    ]
    assert run(str(path), "--strict").exit_code == 1

    refused = run("-", stdin='{"tasks_data": [{"command": " "}], "cores": 1}')
    assert refused.exit_code == 1
    assert refused.output.splitlines() == [
        'refused  /tasks_data/0/command must be a string that is not blank, got " "',
        "would be refused: 1 problem",
    ]


def test_the_verdict_can_be_read_by_programs() -> None:
    result = run("-", "--json", stdin='{"cores": 0, "tasks_data": [{"command": "r"}], "title": "a"}')
    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "taken": False,
        "problems": [{"path": "/cores", "message": "must be 1 or more, got 0"}],
        "unusual": [{"path": "/title", "message": "is not in the contract; did you mean 'job_title'?"}],
    }


def test_a_file_that_is_not_there_or_too_long_is_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(str(tmp_path / "none.json")).exit_code == 2
    path = tmp_path / "payload.json"
    path.write_bytes(RIGHT)
    monkeypatch.setattr(command, "MAX_BYTES", len(RIGHT) - 1)
    result = run(str(path))
    assert result.exit_code == 2
    assert f"has more than {len(RIGHT) - 1} bytes" in result.output
