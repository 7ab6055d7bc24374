"""The test kit: a fake in a test's hands, as the tests of a submitter use it."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest
import requests
import responses
from requests.adapters import HTTPAdapter

from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor.lib.config import Config
from conductor.lib.wire.transport import Transport
from conductor_mock.app import create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.testkit import Fake, mock_conductor
from conductor_mock.testkit.control import Control, ControlError
from conductor_mock.testkit.serving import of_server
from support.farm import job as arguments

JOB = {
    "project": "default",
    "instance_type": "n1-standard-2",
    "tasks_data": [{"command": "render -f 1", "frames": "1"}, {"command": "render -f 2", "frames": "2"}],
    "output_path": "/proj/out",
}


@pytest.fixture
def fake() -> Iterator[Fake]:
    with mock_conductor() as opened:
        yield opened


def client() -> ApiClient:
    """A client of whatever the environment names, which never waits."""
    return ApiClient(Config.load(), transport=Transport(sleep=lambda _: None))


def submit(**more: Any) -> str:
    with client() as opened:
        return str(opened.create_job({**JOB, **more})[0]["jobid"])


def test_a_submission_is_seen_with_all_that_came_of_it(fake: Fake, tmp_path: Path) -> None:
    scene = tmp_path / "scene.ma"
    scene.write_bytes(b"a scene")
    answer, status = Submit(arguments(scene)).main()
    assert status == 201
    jid = answer["jobid"]
    fake.clock.until(jid)

    (job,) = fake.jobs
    assert job == fake.job(jid)
    assert (job.jid, job.status) == (jid, "success")
    assert job.payload["job_title"] == "bad luck"
    assert [task.status for task in job.tasks] == ["success"]
    assert [attempt.outcome for attempt in job.tasks[0].attempts] == ["success"]
    (file,) = fake.files
    assert (file.path, file.size) == (scene.as_posix(), 7)
    fake.assert_called("jobs.create", times=1)
    fake.assert_not_called("uploads.next")
    fake.assert_uploaded([scene])
    fake.assert_exactly_once()
    fake.assert_no_warnings()
    fake.assert_job(jid, status="success", project="default", priority=5)


def test_every_assertion_shows_what_was_there_instead(fake: Fake) -> None:
    jid = submit(frobnicate=1)
    failures: dict[str, Callable[[], None]] = {
        "jobs.create was asked for 1 time, not 2 times; what was asked:\n    auth.token": (
            lambda: fake.assert_called("jobs.create", 2)
        ),
        "projects.list was asked for 0 times, not at least once": lambda: fake.assert_called("projects.list"),
        "jobs.create was asked for 1 time, not 0 times": lambda: fake.assert_not_called("jobs.create"),
        "not uploaded: /a.ma; uploaded: nothing": lambda: fake.assert_uploaded("/a.ma"),
        "/frobnicate is not in the contract": fake.assert_no_warnings,
        "wanted 2 jobs: 1 submission became 00001": lambda: fake.assert_exactly_once(times=2),
        "project: expected 'other', has 'default'": lambda: fake.assert_job(jid, project="other"),
        "colour: expected 'red', has none": lambda: fake.assert_job(jid, colour="red"),
    }
    for text, check in failures.items():
        with pytest.raises(AssertionError) as caught:
            check()
        assert text in str(caught.value)


def test_what_cannot_be_meant_is_said_with_what_was_meant(fake: Fake) -> None:
    with pytest.raises(ValueError, match=r"no operation 'jobs\.creat'; did you mean 'jobs\.create'"):
        fake.assert_not_called("jobs.creat")
    with pytest.raises(ControlError, match=r"jobs\.creat"):
        fake.faults.add("jobs.creat")
    with pytest.raises(ControlError, match="there is no job '00007'"):
        fake.job("00007")
    with pytest.raises(TypeError, match="speeed"):
        mock_conductor(speeed=1)


def test_a_fault_counts_what_it_saw_and_did(fake: Fake) -> None:
    fault = fake.faults.add("jobs.create", times=2, status=503)
    assert (fault.seen, fault.consumed) == (0, 0)
    jid = submit()
    assert (fault.seen, fault.consumed) == (3, 2)
    assert [request.fault for request in fake.requests("jobs.create")] == ["status", "status", None]
    assert [request.status for request in fake.requests("jobs.create")] == [503, 503, 201]
    fake.assert_exactly_once()
    fake.faults.clear()
    with pytest.raises(LookupError, match="was cleared"):
        _ = fault.seen
    assert fake.job(jid).jid == jid


def test_tasks_go_as_asked_for(fake: Fake) -> None:
    fake.outcomes.add(frames="2", outcome=["failed"], exit_code=7)
    jid = submit()
    fake.clock.until_idle()
    first, second = fake.job(jid).tasks
    assert (first.status, second.status) == ("success", "failed")
    assert [(attempt.outcome, attempt.exit_code) for attempt in second.attempts] == [("failed", 7)]
    fake.outcomes.clear()


def test_time_stands_still_unless_it_is_moved(fake: Fake) -> None:
    before = fake.clock.now
    fake.clock.advance(90)
    assert (fake.clock.now - before).total_seconds() == 90
    assert fake.clock.speed == 0
    fake.clock.speed = 10
    assert fake.clock.speed == 10


def test_a_reset_leaves_nothing(fake: Fake) -> None:
    submit()
    fake.faults.add("jobs.list")
    fake.reset()
    assert (fake.jobs, fake.files, fake.requests(), fake.faults.all) == ([], [], [], [])


def test_an_account_of_a_server_that_goes_on_is_emptied_however_its_test_ends() -> None:
    accounts = []

    def fail(server: Server) -> NoReturn:
        with of_server(server) as fake:
            accounts.append(fake.account)
            fake.faults.add("jobs.list")
            raise AssertionError("a test that fails")

    with Server(create_app(Settings(ephemeral=True, speed=0))) as server:
        with pytest.raises(AssertionError, match="a test that fails"):
            fail(server)
        with closing(HTTPAdapter()) as adapter:
            assert Fake(Control(server.url, accounts[0], adapter), {}).faults.all == []


def test_exactly_once_is_kept_by_a_submitter_that_knows_and_broken_by_one_that_does_not() -> None:
    with mock_conductor() as fake:
        fake.faults.add("jobs.create", "lost_answer")
        submit()
        assert len(fake.requests("jobs.create")) == 2
        fake.assert_exactly_once()
    with mock_conductor() as fake:
        fake.faults.add("jobs.create", "lost_answer")
        with requests.Session() as session:
            query = {
                "grant_type": "client_credentials", "scope": "user",
                "client_id": fake.account.client_id, "client_secret": fake.account.private_key,
            }  # fmt: skip
            token = session.get(f"{fake.url}/api/oauth_jwt", params=query).json()["access_token"]
            session.headers["Authorization"] = f"Bearer {token}"
            with pytest.raises(requests.ConnectionError):
                session.post(f"{fake.url}/jobs/", json=JOB)
            session.post(f"{fake.url}/jobs/", json=JOB).raise_for_status()
        with pytest.raises(AssertionError, match="1 submission became 00001, 00002"):
            fake.assert_exactly_once()
        fake.assert_exactly_once(times=2)


# The context manager and decorator


@mock_conductor
def test_a_function_is_decorated_without_brackets(fake: Fake) -> None:
    assert submit() == fake.jobs[0].jid


@mock_conductor(strict=True)
@pytest.mark.parametrize("number", [1, 2])
def test_other_parameters_are_left_to_whoever_gives_them(number: int, fake: Fake, tmp_path: Path) -> None:
    assert (number in (1, 2), tmp_path.is_dir(), fake.jobs) == (True, True, [])
    with client() as opened, pytest.raises(Exception, match="frobnicate"):
        opened.create_job({**JOB, "frobnicate": 1})


@mock_conductor()
class TestAClass:
    """Every test of it has a fake of its own."""

    def test_that_has_a_job(self, fake: Fake) -> None:
        assert submit() == "00001"
        self.helper(fake)

    def test_that_has_one_too(self, fake: Fake) -> None:
        assert submit() == "00001"
        self.helper(fake)

    def helper(self, fake: Fake) -> None:
        assert len(fake.jobs) == 1


def test_an_async_function_has_it_until_it_is_done() -> None:
    @mock_conductor
    async def work(fake: Fake) -> int:
        await asyncio.sleep(0)
        submit()
        return len(fake.jobs)

    assert asyncio.run(work()) == 1  # type: ignore[call-arg]  # it is given the fake


def test_what_it_changes_is_put_back_and_the_users_home_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CONDUCTOR_MOCK_READY_FILE", "/run/other")
    before = dict(os.environ)

    @mock_conductor
    def break_off(fake: Fake) -> NoReturn:
        assert os.environ["CONDUCTOR_URL"] == fake.url
        assert "CONDUCTOR_MOCK_READY_FILE" not in os.environ
        assert Path.home() != tmp_path
        submit()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()  # type: ignore[call-arg]  # it is given the fake
    assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []


def test_it_stands_beside_a_mock_of_responses() -> None:
    with responses.RequestsMock() as other, mock_conductor() as fake:
        other.add("GET", "http://elsewhere.example/", body="mocked")
        assert submit() == "00001"
        assert requests.get("http://elsewhere.example/").text == "mocked"
        assert len(fake.jobs) == 1


def test_what_looks_like_the_real_service_is_never_asked(fake: Fake) -> None:
    with pytest.raises(requests.ConnectionError, match="nowhere else"):
        requests.get("https://dashboard.conductortech.com/api/v1/jobs")


# The plugin

SUITE = """
import os, subprocess, sys
import pytest, requests
from test_testkit_helpers import submit

def test_in_process(conductor_in_process):
    submit()
    conductor_in_process.assert_called("jobs.create", times=1)
    assert "this-process-only" in conductor_in_process.url

@pytest.mark.parametrize("number", [1, 2])
def test_on_a_socket(conductor_mock, number):
    assert submit() == "00001"
    child = subprocess.run([sys.executable, "-c", "from test_testkit_helpers import submit; print(submit())"],
                           capture_output=True, text=True)
    assert child.stdout == "00002\\n", child.stderr
    assert len(conductor_mock.jobs) == 2

@pytest.mark.conductor_mock(strict=True, allow_unused=True)
def test_strict(conductor_mock):
    conductor_mock.faults.add("jobs.list")
    assert submit() == "00001"

def test_unused(conductor_in_process):
    conductor_in_process.faults.add("jobs.list")

def test_odd(conductor_in_process):
    submit(frobnicate=1)

@pytest.mark.conductor_mock(allow_warnings=True)
def test_odd_and_allowed(conductor_in_process):
    submit(frobnicate=1)
"""

HELPERS = """
import json, os, requests

def submit(**more):
    url, key = os.environ["CONDUCTOR_URL"], json.loads(os.environ["CONDUCTOR_API_KEY"])
    query = {"grant_type": "client_credentials", "scope": "user", "client_id": key["client_id"],
             "client_secret": key["private_key"]}
    token = requests.get(url + "/api/oauth_jwt", params=query).json()["access_token"]
    job = {"project": "default", "instance_type": "n1-standard-2", "tasks_data": [{"command": "echo"}],
           "output_path": "/out", **more}
    answer = requests.post(url + "/jobs/", json=job, headers={"Authorization": "Bearer " + token})
    answer.raise_for_status()
    return answer.json()["jobid"]
"""


PLUGIN = ("-p", "no:conductor_mock", "-p", "conductor_mock.pytest_plugin")
"""By its module, whether it is installed under its name or not."""


def run_suite(folder: Path, suite: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user would who has the kit installed."""
    (folder / "test_suite.py").write_text(suite)
    (folder / "test_testkit_helpers.py").write_text(HELPERS)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
    command = [sys.executable, "-m", "pytest", "-q", *PLUGIN, *options]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_the_fixtures_give_a_fake_and_fail_a_test_for_what_was_not_used_or_odd(tmp_path: Path) -> None:
    finished = run_suite(tmp_path, SUITE)
    assert "7 passed, 2 errors" in finished.stdout, finished.stdout + finished.stderr
    assert "never used: fault " in finished.stdout
    assert "/frobnicate is not in the contract" in finished.stdout


@pytest.mark.slow
def test_a_plugin_that_is_not_used_imports_nothing() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import conductor_mock.pytest_plugin;"
        "print(sorted(set(sys.modules) - before))"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "['conductor_mock', 'conductor_mock.pytest_plugin']\n"


# Its page


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "testkit.md"


def test_the_sample_of_the_page_runs(tmp_path: Path) -> None:
    _, _, after = PAGE.read_text(encoding="utf-8").partition("<!-- sample: python -->\n```python\n")
    sample, end, _ = after.partition("\n```\n")
    assert end
    path = tmp_path / "sample.py"
    path.write_text(sample, encoding="utf-8")
    subprocess.run([sys.executable, "-W", "error", str(path)], cwd=tmp_path, check=True, timeout=60)


def test_the_page_names_every_member_of_a_fake_and_no_other() -> None:
    page = PAGE.read_text(encoding="utf-8")
    with mock_conductor() as fake:
        members = {name for name in dir(fake) if not name.startswith("_")}
    assert {name for name in members if f"`{name}" not in page} == set()
    assert set(re.findall(r"`(assert_\w+)\(", page)) == {
        name for name in members if name.startswith("assert_")
    }
