"""The fixtures, as a user's tests have them: what they give, what they fail a test for, what they leave behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.app import create_app
from conductor_mock.inprocess import in_process
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.testkit.evidence import folder_name
from support.programs import PATIENCE_S

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

def test_unused_outcome(conductor_mock):
    conductor_mock.outcomes.add("failed", frames="7")

def test_invalid(conductor_mock):
    with pytest.raises(requests.HTTPError):
        submit(tasks_data="none")

def test_stray(conductor_mock):
    requests.get(conductor_mock.url + "/api/v1/jobz")

@pytest.mark.conductor_mock(allow_invalid=True)
def test_invalid_and_allowed(conductor_mock):
    requests.get(conductor_mock.url + "/api/v1/jobz")
    with pytest.raises(requests.HTTPError):
        submit(tasks_data="none")

@pytest.mark.conductor_mock(allow_unusd=True)
def test_misspelt(conductor_mock):
    pass

@pytest.mark.conductor_mock("strict")
def test_by_place(conductor_in_process):
    pass

@pytest.mark.conductor_mock(speed="fast")
def test_type(conductor_in_process):
    pass

@pytest.mark.conductor_mock(fleet=-1)
def test_range(conductor_mock):
    pass

@pytest.mark.conductor_mock(catalog="no such catalogue")
@pytest.mark.parametrize("name", ["conductor_mock", "conductor_in_process"])
def test_catalogue(name, request):
    request.getfixturevalue(name)

@pytest.mark.conductor_mock(seed=7, speed=10, provider="s3")
class TestOptionsOfAnAccount:
    def test_on_the_socket(self, conductor_mock, request):
        assert (conductor_mock.options.now.seed, conductor_mock.clock.speed) == (7, 10)

    @pytest.mark.conductor_mock(seed=8)
    def test_in_process(self, conductor_in_process):
        options = conductor_in_process.options.now
        assert (options.seed, options.provider) == (8, "s3")

def test_stopped_and_left(conductor_mock):
    conductor_mock.stop()

@pytest.mark.conductor_mock(catalog="aws")
def test_after_that(conductor_mock):
    assert requests.get(conductor_mock.url + "/_mock/health").ok

@pytest.fixture
def mine(conductor_in_process):
    return conductor_in_process

def test_fails_beside_what_it_left(mine):
    mine.faults.add("jobs.list")
    submit()
    raise AssertionError("for a reason")

def test_fails_on_a_socket(conductor_mock):
    jid = submit()
    conductor_mock.clock.until(jid)
    raise AssertionError("for a reason")
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


PLUGINS = ("xdist", "randomly", "_hypothesis_pytestplugin", "conductor_mock.pytest_plugin")
"""What is loaded: the kit's own by its module, whether it is installed under its name or not."""


def run_suite(folder: Path, suite: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a user would who has the kit installed."""
    (folder / "test_suite.py").write_text(suite)
    (folder / "test_testkit_helpers.py").write_text(HELPERS)
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
    loaded = (word for name in PLUGINS for word in ("-p", name))
    command = [sys.executable, "-m", "pytest", "-q", *loaded, *options]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def reported(shown: str, name: str) -> str:
    """What is said of a test's failure: as far as the heading of the next one, or the summary."""
    return re.split(r"^[_=]{3,} .* [_=]{3,}$", shown.partition(f"_ {name} _")[2], flags=re.MULTILINE)[0]


@pytest.mark.slow
def test_the_fixtures_give_a_fake_and_fail_a_test_for_what_it_left(tmp_path: Path) -> None:
    finished = run_suite(tmp_path, SUITE, "--conductor-mock-artifacts", "evidence")
    shown = finished.stdout
    assert "4 failed, 15 passed, 9 errors" in shown, shown + finished.stderr
    for expected in (
        r"never used: fault \d+ \(status for jobs\.list\): 0 seen, 0 consumed",
        r"never used: outcome failed for frames '7': 0 seen, 0 consumed",
        r"\(allow_unused=True for a test that may\)",
        r"/frobnicate is not in the contract",
        r"there is 1 invalid request:\n.*jobs\.create.*tasks_data",
        r"there is 1 invalid request:\n    no operation \(GET /api/v1/jobz\): 404",
        r"there is no option 'allow_unusd'; did you mean 'allow_unused'\?",
        r"takes options by name only, not 'strict'",
        r"the marker conductor_mock of test_type: speed must be a number or None, not 'fast'",
        r"the marker conductor_mock of test_range: .*fleet must be 0 or more, got -1",
        r"the marker conductor_mock of test_catalogue\[conductor_mock\]: .*no such catalogue",
        r"the marker conductor_mock of test_catalogue\[conductor_in_process\]: .*no such catalogue",
    ):
        assert re.search(expected, shown), expected
    for name in ("test_misspelt", "test_type", "test_range", "test_catalogue[conductor_mock]"):
        assert "Traceback" not in reported(shown, name)
        assert ".py:" not in reported(shown, name)
    for name in ("test_fails_beside_what_it_left", "test_fails_on_a_socket"):
        assert "jobs.create (POST /jobs/): 201" in reported(shown, name)
    assert "never used" not in reported(shown, "test_fails_beside_what_it_left")

    failed = {folder.name for folder in (tmp_path / "evidence").iterdir()}
    assert {
        f"test_suite.py-{name}" for name in ("test_fails_on_a_socket", "test_unused", "test_odd")
    } <= failed
    folder = tmp_path / "evidence" / "test_suite.py-test_fails_on_a_socket"
    assert "job 00001 success" in (folder / "journal.txt").read_text()
    with in_process() as other:
        answer = requests.post(
            f"{other.url}/_mock/bundle",
            (folder / "account.bundle").read_bytes(),
            headers={"Content-Type": "application/zip"},
        )
        assert (answer.status_code, answer.json()["jobs"]) == (201, 1)


@pytest.mark.slow
def test_all_workers_may_use_one_server_that_somebody_else_started(tmp_path: Path) -> None:
    with Server(create_app(Settings(ephemeral=True))) as server:
        finished = run_suite(
            tmp_path, SUITE, "-k", "socket or strict", "--conductor-mock-url", f"{server.url}/", "-n", "2"
        )
        shown = finished.stdout
        assert "1 failed, 3 passed, 1 error" in shown, shown + finished.stderr
        assert "strict of the marker conductor_mock of test_strict is for a whole server" in shown
        accounts = requests.get(f"{server.url}/_mock/jobs", params={"account": "*"}).json()
        assert accounts == {"jobs": []}
    artifacts = re.search(r"bundle replay (\S+)", shown)
    assert artifacts is not None
    assert Path(artifacts[1]).is_file(), "without a folder of one's own it lies in that of pytest"


@pytest.mark.slow
def test_a_plugin_that_is_not_used_imports_nothing() -> None:
    program = (
        "import sys, pytest; before = set(sys.modules); import conductor_mock.pytest_plugin;"
        "print(sorted(set(sys.modules) - before))"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == "['conductor_mock', 'conductor_mock.pytest_plugin']\n"


@pytest.mark.parametrize("missing", ["pytest", "hypothesis", "responses"])
def test_without_the_extra_one_sentence_says_what_to_install(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from conductor_mock.testkit import mock_conductor\n"
        "with mock_conductor() as fake: fake.assert_not_called('jobs.create')\n"
        "import conductor_mock.pytest_plugin"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if missing == "pytest":
        last = finished.stderr.splitlines()[-1]
        assert last == "ImportError: the fixtures need pytest: pip install 'conductor-mock[testkit]'"
    else:
        assert finished.returncode == 0, finished.stderr


SHARED = """
import datetime, os
import pytest, requests
from conductor_mock.testkit import mock_conductor
from test_testkit_helpers import submit

URL = "http://this-process-only.conductor-mock.test"
APPS = []

@pytest.mark.xfail(strict=True)
def test_leaves_a_mess(conductor_in_process, request):
    APPS.append(request.getfixturevalue("_conductor_mock_in_process").service.app)
    conductor_in_process.clock.advance(1000)
    conductor_in_process.options.change(seed=99)
    conductor_in_process.faults.add(kind="status", status=503, times=None)
    conductor_in_process.outcomes.add("failed")
    conductor_in_process.stop()
    requests.get(URL)

def test_between_two_of_them_nobody_answers():
    assert len(APPS) == 1
    assert "CONDUCTOR_URL" not in os.environ
    with pytest.raises(requests.ConnectionError):
        requests.get(URL)

@pytest.mark.parametrize("number", range(3))
def test_an_account_is_new_whatever_another_test_left(conductor_in_process, request, number):
    assert APPS == [request.getfixturevalue("_conductor_mock_in_process").service.app]
    fake = conductor_in_process
    assert (fake.jobs, fake.files, fake.requests(), fake.strays, fake.faults.all) == ([], [], [], [], [])
    assert fake.options.now.seed != 99 and fake.clock.speed == 0
    assert submit() == "00001"
    with mock_conductor() as other:
        assert other.jobs == []
        assert submit() == "00001"
        assert len(other.jobs) == 1
    assert submit() == "00002"
    with fake.serve() as url:
        assert requests.get(url + "/_mock/health").ok
    fake.clock.until_idle()
    assert [job.status for job in fake.jobs] == ["success", "success"]

@pytest.mark.conductor_mock(strict=True, allow_invalid=True)
def test_a_server_of_its_own_where_an_account_does_not_do(conductor_in_process, request):
    with pytest.raises(requests.HTTPError):
        submit(frobnicate=1)

@pytest.mark.parametrize("name", ["conductor_mock", "conductor_in_process"])
@pytest.mark.parametrize("library", ["freezegun", "time_machine"])
@pytest.mark.parametrize("year", [2035, 2020, 2035])
def test_in_another_time(request, name, library, year):
    when = datetime.datetime(year, 5, 17, 12, tzinfo=datetime.timezone.utc)
    module = pytest.importorskip(library)
    with module.freeze_time(when) if library == "freezegun" else module.travel(when, tick=False):
        fake = request.getfixturevalue(name)
        assert fake.clock.now.year == year
        jid = submit()
        fake.clock.until(jid)
        fake.assert_job(jid, status="success")
        with fake.client() as client:
            assert [job["jid"] for job in client.list_jobs()] == [jid]

@pytest.mark.parametrize("name", ["conductor_mock", "conductor_in_process"])
def test_in_this_time_again(request, name):
    fake = request.getfixturevalue(name)
    assert abs(fake.clock.now - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(hours=1)
    assert submit() == "00001"
"""


@pytest.mark.slow
def test_the_tests_of_a_session_share_a_server_and_nothing_else(tmp_path: Path) -> None:
    shown = run_suite(tmp_path, SHARED, "-p", "no:randomly").stdout
    assert re.search(r"^19 passed, 1 xfailed in", shown, re.MULTILINE), shown


UNENDED = r"""
import os, pytest

CHARACTERS = ["a/b", "a:b", "a-b", "..", "\x1b[31m", "n\x00l", "é", "x" * 300, "x" * 301, "a b", ""]

@pytest.mark.parametrize("name", CHARACTERS)
def test_named(conductor_in_process, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raise AssertionError("named so")

def test_skipped_half_way(conductor_in_process):
    conductor_in_process.faults.add("jobs.list")
    pytest.skip("not here")

@pytest.mark.xfail(strict=True)
def test_fails_as_expected(conductor_in_process):
    conductor_in_process.faults.add("jobs.list")
    raise AssertionError("as expected")

@pytest.mark.xfail(reason="but passes")
def test_does_not_fail_as_expected(conductor_in_process):
    pass
"""


@pytest.mark.slow
def test_each_test_that_fails_has_a_folder_and_one_that_did_not_end_is_not_held_against_it(
    tmp_path: Path,
) -> None:
    shown = run_suite(tmp_path, UNENDED, "--conductor-mock-artifacts", "evidence").stdout
    assert "11 failed, 1 skipped, 1 xfailed, 1 xpassed" in shown, shown
    folders = list((tmp_path / "evidence").iterdir())
    assert len({folder.name.lower() for folder in folders}) == 11
    assert all((folder / "journal.txt").is_file() for folder in folders)


@pytest.mark.slow
def test_what_a_fake_has_seen_is_told_also_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shown = run_suite(tmp_path, SUITE, "-k", "fails_beside", "--conductor-mock-artifacts", "file").stdout
    assert "jobs.create (POST /jobs/): 201" in shown, shown
    assert re.search(r"nothing is kept in \S+/file/test_suite\S+: Not a directory", shown), shown


@given(st.lists(st.text(max_size=200), min_size=2, max_size=8, unique=True))
def test_names_of_folders_are_plain_and_of_one_test_each(names: list[str]) -> None:
    found = [folder_name(f"test_a.py::test[{name}]") for name in names]
    assert len({name.lower() for name in found}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,139}", name) for name in found)
