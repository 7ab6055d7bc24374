"""The client's other calls and commands against the fake: a job to its end, and what is around it."""

from __future__ import annotations

import html
import http.client
import json
import os
import re
import signal
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import yaml
from click.testing import CliRunner, Result

from conductor.cli import cli
from conductor.lib.accounts import get_account, list_account_environment
from conductor.lib.actions import TASK_ACTIONS, Action, act_on_jobs, act_on_tasks
from conductor.lib.api_client import ApiClient
from conductor.lib.browser_login import login_with_browser
from conductor.lib.config import Config
from conductor.lib.exceptions import NotEndedError, RefusedError
from conductor.lib.jobs import get_job, list_jobs
from conductor.lib.logs import follow_log, get_log
from conductor.lib.package_environment import PackageEnvironment
from conductor.lib.package_tree import PackageTree
from conductor.lib.tasks import list_tasks
from conductor.lib.usage import get_compute_usage, get_storage_usage
from conductor.lib.waiting import wait_for_jobs
from support.farm import Farm, farm, job
from support.programs import ROOT, conductor
from support.served import served


@pytest.fixture
def client(here: Farm) -> Iterator[ApiClient]:
    with here.client() as one:
        yield one


def advance(here: Farm, seconds: float) -> None:
    """Let simulated time pass."""
    here.control.ask("POST", "/_mock/clock", {"advance": seconds})


def submit(here: Farm, **more: Any) -> str:
    answer, _ = here.submit(job(**more))
    return str(answer["jobid"])


TWO_TASKS = [{"command": "render -f 1", "frames": "1"}, {"command": "render -f 2", "frames": "2"}]


def test_waiting_lasts_until_simulated_time_has_brought_the_job_to_its_end(
    here: Farm, client: ApiClient
) -> None:
    jid = submit(here, tasks_data=TWO_TASKS)
    seen: list[str] = []
    [ended] = wait_for_jobs(
        [jid],
        client=client,
        wait=lambda seconds: advance(here, 20 * seconds),
        clock=lambda: 0.0,
        on_change=lambda jobs: seen.append(jobs[0].status),
    )
    assert ended.succeeded
    assert (ended.tasks, ended.finished_tasks, ended.runtime > 0) == (2, 2, True)
    assert seen[-1] == "success"
    assert "running" in seen


def test_a_held_job_is_waited_for_no_longer_than_asked(here: Farm, client: ApiClient) -> None:
    jid = submit(here)
    act_on_jobs(Action.HOLD, [jid], client=client)
    passed = [0.0]

    def wait(seconds: float) -> None:
        passed.append(passed[-1] + seconds)
        advance(here, 3600)

    with pytest.raises(NotEndedError, match=jid):
        wait_for_jobs([jid], timeout=90, client=client, wait=wait, clock=lambda: passed[-1])
    assert (passed[-1], get_job(jid, client=client).status) == (90, "holding")
    act_on_jobs(Action.UNHOLD, [jid], client=client)
    [ended] = wait_for_jobs([jid], client=client, wait=wait, clock=lambda: passed[-1])
    assert ended.succeeded


def test_jobs_are_found_by_what_they_are(here: Farm, client: ApiClient) -> None:
    ids = [
        submit(here, owner=owner, project=project)
        for owner, project in [("kim", "demo"), ("alex", "default")]
    ]
    act_on_jobs("kill", ids[:1], client=client)
    assert [one.jid for one in list_jobs(client=client)] == ids
    assert [one.jid for one in list_jobs(owner="kim", client=client)] == ids[:1]
    assert [one.jid for one in list_jobs(project="default", client=client)] == ids[1:]
    assert [one.jid for one in list_jobs(statuses=["killed"], client=client)] == ids[:1]
    day = datetime.strptime(get_job(ids[0], client=client).created, "%Y-%m-%dT%H:%M:%S%z").date()
    assert len(list_jobs(since=day, client=client)) == 2
    assert list_jobs(since=day + timedelta(1), client=client) == []
    assert [one.jid for one in list_jobs(jids=[2, 99], client=client)] == ["00002"]


def test_a_log_is_followed_from_before_the_task_began(here: Farm, client: ApiClient) -> None:
    jid = submit(here)
    with pytest.raises(RefusedError, match="has no log"):
        get_log(jid, 0, client=client)
    lines = list(
        follow_log(jid, 0, client=client, wait=lambda seconds: advance(here, 15 * seconds), clock=lambda: 0.0)
    )
    whole = get_log(jid, 0, client=client)
    assert (tuple(lines), whole.task_status) == (whole.lines, "success")
    assert any("render -f 1" in line for line in lines)


def status_of(act: Callable[[], object]) -> int | None:
    """200, or the status that the service refuses with."""
    try:
        act()
    except RefusedError as error:
        return error.status
    return 200


@pytest.mark.parametrize("action", Action)
def test_every_action_is_one_that_the_fake_knows(here: Farm, client: ApiClient, action: Action) -> None:
    jid = submit(here)
    # 409: it knows the action, and the state of the job forbids it.
    assert status_of(lambda: act_on_jobs(action, [jid], client=client)) in (200, 409)
    if action in TASK_ACTIONS:
        assert status_of(lambda: act_on_tasks(action, jid, [0], client=client)) in (200, 409)


def test_tasks_are_killed_and_started_again(here: Farm, client: ApiClient) -> None:
    jid = submit(here, tasks_data=TWO_TASKS)
    assert "1 Tasks" in act_on_tasks(Action.KILL, jid, [1], client=client)
    advance(here, 3600)
    assert [task.status for task in list_tasks(jid, client=client)] == ["success", "killed"]
    act_on_tasks(Action.RETRY, jid, ["001"], client=client)
    advance(here, 3600)
    assert [task.status for task in list_tasks(jid, client=client)] == ["success", "success"]


def test_usage_is_what_ran(here: Farm, client: ApiClient) -> None:
    jid = submit(here)
    advance(here, 3600)
    [task] = list_tasks(jid, client=client)
    today = datetime.now(timezone.utc).date()
    rows = get_compute_usage(today - timedelta(1), today + timedelta(1), client=client)
    assert sum(row.minutes for row in rows) >= task.runtime / 60 > 0
    assert sum(row.cost for row in rows) > 0
    assert get_compute_usage(today + timedelta(9), today + timedelta(9), client=client) == []
    storage = get_storage_usage(today - timedelta(1), today, client=client)
    assert [day.day for day in storage.days] == [today - timedelta(1), today]


def test_the_account_has_a_name_and_an_environment(client: ApiClient) -> None:
    account = get_account(client=client)
    assert (account.account_id.isdigit(), account.name != "") == (True, True)
    variables = list_account_environment(client=client)
    assert variables
    environment = PackageEnvironment([variable.as_record() for variable in variables])
    assert set(environment) == {variable.name for variable in variables}


def test_every_host_of_the_catalog_and_its_plugins_make_an_environment(client: ApiClient) -> None:
    tree = PackageTree(client.list_packages())
    assert tree.roots
    for root in tree.roots:
        for branch in root.walk():
            assert PackageEnvironment(root.package.record, branch.package.record)


def run(environment: dict[str, str], *words: str) -> Result:
    """Run a command as the account of this environment."""
    return CliRunner().invoke(cli, ["--quiet", *words], env=environment)


def test_an_exported_catalog_is_served_as_what_it_was_taken_from(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yml", tmp_path / "second.json"
    with farm(tmp_path / "one", catalog="aws") as taken_from:
        done = run(taken_from.environment, "catalog", "export", str(first))
        assert (done.exit_code, done.stderr) == (0, "")
    with farm(tmp_path / "two", catalog=first) as served_from:
        assert run(served_from.environment, "catalog", "export", str(second)).exit_code == 0
    exported = json.loads(second.read_text())
    assert exported == yaml.load(first.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    assert all(exported.values())
    assert any("." in machine["name"] for machine in exported["instance_types"])


def test_a_job_is_submitted_waited_for_and_looked_at_by_commands(tmp_path: Path) -> None:
    file = tmp_path / "job.yml"
    file.write_text(yaml.safe_dump({key: value for key, value in job().items() if key != "upload_paths"}))
    with served(tmp_path / "served", "--speed", "100000") as server:
        assert run(server.ready["env"], "submit", "--file", str(file)).stdout == "submitted job 00001 (201)\n"
        waited = run(server.ready["env"], "wait", "1")
        assert (waited.exit_code, waited.stdout) == (0, "00001 success 1/1 tasks\n")
        assert "00001  success  1/1" in run(server.ready["env"], "jobs").stdout
        assert "render -f 1" in run(server.ready["env"], "tasks", "1").stdout
        log = run(server.ready["env"], "logs", "1", "000")
        assert (log.exit_code, log.stdout) == (
            0,
            run(server.ready["env"], "logs", "1", "0", "--follow").stdout,
        )
        ended = run(server.ready["env"], "kill", "1")
        assert (ended.exit_code, "00001" in ended.stderr) == (2, True)


def test_the_samples_of_the_library_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "reference" / "library.md").read_text(encoding="utf-8")
    blocks = [
        textwrap.dedent(block)
        for block in re.findall(r"(?:^    .*\n|(?<=\n)\n(?=    ))+", page, re.MULTILINE)
    ]
    names: dict[str, Any] = {}
    with served(tmp_path / "served", "--speed", "1000000") as server:
        for name, value in server.ready["env"].items():
            monkeypatch.setenv(name, value)
        for block in blocks:
            exec(compile(block, "library.md", "exec"), names)
    assert (names["code"], names["job"].status, names["log"].task_status) == (201, "success", "success")
    assert names["arnold"].package_id in names["args"]["software_package_ids"]
    assert "PATH" in names["args"]["environment"]


def test_ctrl_c_ends_a_wait_with_one_line(tmp_path: Path) -> None:
    with served(tmp_path / "served", "--speed", "0") as server:
        environment = server.ready["env"]
        args = json.dumps({key: value for key, value in job().items() if key != "upload_paths"})
        (tmp_path / "job.json").write_text(args)
        assert run(environment, "submit", "--file", str(tmp_path / "job.json")).exit_code == 0
        waiting = subprocess.Popen(
            conductor("wait", "1"), env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
        )
        with waiting:
            assert waiting.stderr is not None
            assert waiting.stderr.readline().startswith("job 00001 ")
            waiting.send_signal(signal.SIGINT)
            said = waiting.stderr.read()
    assert (waiting.returncode, said) == (130, "conductor: interrupted\n")


def agree(page: str) -> bool:
    """A browser in front of a person who agrees: from the page to where it sends the browser with a token."""
    url = urlsplit(page)
    at_service = http.client.HTTPConnection("127.0.0.1", url.port or 0, timeout=60)
    at_service.request("GET", f"{url.path}?{url.query}")
    shown = at_service.getresponse()
    cookie = (shown.getheader("Set-Cookie") or "").partition(";")[0]
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', shown.read().decode())
    form = urlencode({name: html.unescape(value) for name, value in fields})
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    at_service.request("POST", "/login", form, headers)
    target = urlsplit(at_service.getresponse().getheader("Location") or "")
    at_service.close()
    at_client = http.client.HTTPConnection("127.0.0.1", target.port or 0, timeout=60)
    at_client.request("GET", f"{target.path}?{target.query}")
    assert at_client.getresponse().status == 200
    at_client.close()
    return True


def test_a_login_by_browser_opens_the_service(tmp_path: Path) -> None:
    with served(tmp_path / "served") as server:
        environ = {"CONDUCTOR_URL": server.url, "CONDUCTOR_AUTH_PORT": "0"}
        config = Config.load(environ=environ, home=tmp_path)
        login = login_with_browser(config, open_browser=agree)
        with ApiClient(config) as client:
            assert client.list_projects()
            assert client.account_id == login.account_id
