"""The context manager and decorator: what they change, and put back."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import NoReturn

import pytest
import requests
import responses

from conductor.cli import main
from conductor_mock.testkit import Fake, mock_conductor
from support.testkit import JOB, client, run_in_a_loop, submit


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

    assert run_in_a_loop(work()) == 1  # type: ignore[call-arg]  # it is given the fake


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


@mock_conductor
def test_what_looks_like_the_real_service_is_never_asked(fake: Fake) -> None:
    with pytest.raises(requests.ConnectionError, match="nowhere else"):
        requests.get("https://dashboard.conductortech.com/api/v1/jobs")


def test_a_catalogue_may_be_a_document() -> None:
    own = {"projects": [{"id": "1", "name": "batman", "status": "active"}]}
    with mock_conductor(catalog=own) as fake:
        assert [project["name"] for project in fake.catalog.projects] == ["batman"]
        fake.reset()
        assert [project["name"] for project in fake.catalog.projects] == ["batman"]


@mock_conductor
def test_the_command_runs_in_process_too(fake: Fake, capsys: pytest.CaptureFixture[str]) -> None:
    jid = submit()
    with pytest.raises(SystemExit) as ended:
        main(["jobs", "--json"])
    assert ended.value.code == 0
    assert [job["jid"] for job in json.loads(capsys.readouterr().out)] == [jid]
    fake.assert_called("jobs.list")
