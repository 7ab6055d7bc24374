"""What servers on the same data have together besides accounts: faults, keys, and who does what for all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import requests

from conductor_mock.app import close_app, create_app
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from conductor_mock.store.keys import KeysError, load_or_create_file
from support.balancer import Balancer
from support.execution import EXECUTING, Render, eventually, is_running
from support.post import post_office
from support.served import PATIENCE_S, run_cli, served, token
from support.server import ApiCaller, Fake, ManualWall, job_payload, running

pytest.importorskip("conductor_mock.store.membership", reason="servers do not share their data yet")

ROLES = ["sweep", "mail"]


@contextmanager
def two_servers(directory: Path, **settings: Any) -> Iterator[tuple[Fake, Fake]]:
    wall = ManualWall()
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(running(wall, data_dir=directory, shared=True, **settings)) for _ in range(2)
        )
        yield one, other


def at(fake: Fake, caller: ApiCaller) -> ApiCaller:
    """The same caller, with the same token, at another server."""
    return ApiCaller(fake.app, caller.client_id, caller.private_key, caller.token)


def add_fault(caller: ApiCaller, **rule: Any) -> None:
    answer = caller.post("/_mock/faults", rule, query={"account": caller.client_id})
    assert answer.status == 200, answer


def faults_of(caller: ApiCaller) -> Any:
    return caller.get("/_mock/faults", query={"account": caller.client_id}).json()["faults"]


def test_a_fault_asked_for_at_one_server_is_met_at_both_and_counted_once(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (one, other):
        here = one.caller()
        there = at(other, here)
        add_fault(here, fault={"kind": "status", "status": 503}, times=2, match={"operation": "jobs.list"})
        met = [caller.get("/api/v1/jobs").status for caller in (there, here, there, here)]
        assert met == [503, 503, 200, 200]
        assert faults_of(here) == faults_of(there)
        assert [(rule["seen"], rule["consumed"]) for rule in faults_of(there)] == [(4, 2)]
        there.delete("/_mock/faults", query={"account": here.client_id})
        assert faults_of(here) == []


def test_a_token_of_one_server_ends_the_expiry_that_the_other_tells_of(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (one, other):
        here = one.caller()
        there = at(other, here)
        add_fault(here, fault={"kind": "expired_token"})
        assert there.get("/api/v1/jobs").status == 401
        assert at(one, here).sign_in().status == 200
        assert there.get("/api/v1/jobs").status == 200


def test_a_fault_that_is_deleted_at_one_server_frees_who_waits_at_the_other(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (one, other), Server(one.app, closes=False) as server:
        here = one.caller()
        there = at(other, here)
        add_fault(here, fault={"kind": "stall", "seconds": 600}, match={"operation": "jobs.list"})
        ended: list[Exception] = []

        def ask() -> None:
            try:
                requests.get(
                    f"{server.url}/api/v1/jobs",
                    headers={"Authorization": f"Bearer {here.token}"},
                    timeout=PATIENCE_S,
                )
            except requests.RequestException as error:
                ended.append(error)

        asking = Thread(target=ask)
        asking.start()
        eventually(lambda: faults_of(there)[0]["consumed"] == 1)
        there.delete("/_mock/faults", query={"account": here.client_id})
        asking.join(PATIENCE_S)
        (error,) = ended
        assert isinstance(error, requests.ConnectionError), (
            "its connection was closed, and it waited for no end"
        )
        assert not isinstance(error, requests.Timeout)


def test_faults_are_of_the_servers_that_run_and_gone_with_the_last_of_them(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("[{fault: {kind: status}, match: {operation: jobs.create}}]")
    data = tmp_path / "data"
    wall = ManualWall()
    with running(wall, data_dir=data, shared=True, faults=rules) as one:
        caller = one.default_caller()
        assert len(faults_of(caller)) == 1
        with running(wall, data_dir=data, shared=True, faults=rules) as other:
            assert len(faults_of(at(other, caller))) == 1, "the file was read by the first"
            add_fault(at(other, caller), fault={"kind": "stall"})
        assert len(faults_of(caller)) == 2, "one of them still runs"
    with running(wall, data_dir=data, shared=True) as next_one:
        assert faults_of(at(next_one, caller)) == []


def test_what_one_server_hands_out_holds_at_the_other(tmp_path: Path) -> None:
    with two_servers(tmp_path) as (one, other):
        caller = one.default_caller()
        url = caller.upload_url("/proj/a.ma", b"scene")
        there = at(other, caller)
        assert there.put(url, b"scene", headers={"Content-Type": "application/octet-stream"}).status == 200
        assert there.get("/api/v1/jobs").status == 200
        assert one.service.keys == other.service.keys


def test_a_server_with_another_file_of_keys_is_told_so(tmp_path: Path) -> None:
    ours, others = tmp_path / "ours", tmp_path / "others"
    for file in (ours, others):
        load_or_create_file(file)
    data = tmp_path / "data"
    with (
        running(data_dir=data, shared=True, keys=ours) as one,
        running(data_dir=data, shared=True, keys=ours) as two,
    ):
        assert one.service.keys == two.service.keys
        with (
            pytest.raises(KeysError, match="the same --keys FILE, or none"),
            running(data_dir=data, shared=True, keys=others),
        ):
            pass


def test_one_server_has_every_role_and_the_other_takes_over_when_it_ends(tmp_path: Path) -> None:
    wall = ManualWall()
    with post_office() as office, ExitStack() as stack:
        settings: dict[str, Any] = {"data_dir": tmp_path, "shared": True, "smtp": office.url}
        first = stack.enter_context(ExitStack())
        one = first.enter_context(running(wall, **settings))
        other = stack.enter_context(running(wall, **settings))
        assert (one.service.roles.held(), other.service.roles.held()) == (ROLES, [])
        caller = one.caller()
        end_a_job(caller)
        eventually(lambda: len(office.mails) == 1)
        first.close()
        there = at(other, caller)
        eventually(lambda: other.service.roles.held() == ROLES)
        end_a_job(there)
        eventually(lambda: len(office.mails) == 2)
        eventually(lambda: mail_states(there) == ["sent", "sent"])
    assert len(office.mails) == 2


def mail_states(caller: ApiCaller) -> list[str]:
    mails = caller.get("/_mock/mails", query={"account": caller.client_id}).json()["mails"]
    return [mail["delivery"]["state"] for mail in mails]


def end_a_job(caller: ApiCaller) -> None:
    jid = caller.submit(notify={"emails": ["kim@example.com"]}).json()["jobid"]
    answer = caller.post(
        f"/_mock/jobs/{jid}/tasks/000", {"status": "success"}, query={"account": caller.client_id}
    )
    assert answer.status == 200, answer


@pytest.mark.slow
def test_a_task_runs_at_one_server_and_again_at_the_next_when_that_one_ends(tmp_path: Path) -> None:
    wall = ManualWall()
    settings: dict[str, Any] = {"data_dir": tmp_path / "data", "shared": True, **EXECUTING}
    with ExitStack() as stack:
        first = stack.enter_context(ExitStack())
        one = first.enter_context(running(wall, **settings))
        other = stack.enter_context(running(wall, **settings))
        caller = one.default_caller()
        there = at(other, caller)
        started, go_on = tmp_path / "started", tmp_path / "go_on"
        command = f"echo $$ >> {started}; while [ ! -e {go_on} ]; do sleep 0.05; done; echo done"
        render = Render(other, there, tmp_path / "data", "none")
        jid = render.start(command)
        eventually(lambda: started.exists() and len(started.read_text().split()) == 1)
        (pid,) = map(int, started.read_text().split())
        first.close()
        assert not is_running(pid)
        eventually(lambda: other.service.roles.held() == ["sweep", "execute"])
        eventually(lambda: len(started.read_text().split()) == 2)
        go_on.touch()
        job = render.until_ended(jid)
        assert job["status"] == "success"
        assert [attempt["outcome"] for attempt in job["tasks"][0]["attempts"]] == ["stopped", "success"]
        assert len(started.read_text().split()) == 2, "nothing ran twice at a time, and nothing a third time"


@pytest.mark.slow
def test_a_rolling_restart_behind_a_balancer_loses_no_request(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, shared=True, speed=0)
    over = Event()
    answers: list[int] = []

    with ExitStack() as stack, Balancer() as balancer:
        servers = [Server(create_app(settings), grace_s=5) for _ in range(2)]

        def stop_all() -> None:
            for server in servers:
                server.stop()

        stack.callback(stop_all)
        for server in servers:
            server.start()
            balancer.ports.append(server.port)
        key = json.loads(servers[0].environment()["CONDUCTOR_API_KEY"])
        with requests.Session() as asking:
            bearer = {"Authorization": f"Bearer {token(asking, balancer.url, key)}"}

        def client() -> None:
            with requests.Session() as session:
                session.headers.update(bearer)
                while not over.is_set():
                    posted = session.post(f"{balancer.url}/jobs/", json=job_payload(), timeout=PATIENCE_S)
                    listed = session.get(f"{balancer.url}/api/v1/jobs?limit=1", timeout=PATIENCE_S)
                    answers.extend((posted.status_code, listed.status_code))

        clients = [Thread(target=client) for _ in range(3)]
        stack.callback(over.set)
        for one in clients:
            one.start()

        def elsewhere(server: Server) -> int:
            return balancer.forwarded.total() - balancer.forwarded[server.port]

        def emptied(server: Server) -> None:
            before = len(answers)
            eventually(lambda: len(answers) >= before + 6)
            server.drain()
            others = elsewhere(server)
            eventually(lambda: elsewhere(server) > others)
            eventually(lambda: balancer.is_idle(server.port))

        for place in (0, 1, 0):
            server = servers[place]
            emptied(server)
            server.stop()
            balancer.ports.remove(server.port)
            servers[place] = Server(create_app(settings), grace_s=5)
            servers[place].start()
            balancer.ports.append(servers[place].port)
        over.set()
        for one in clients:
            one.join(PATIENCE_S)
        assert set(answers) == {200, 201}
        made = requests.get(
            f"{balancer.url}/api/v1/jobs?limit=1000", headers=bearer, timeout=PATIENCE_S
        ).json()
        assert len(made["data"]) == answers.count(201), "none is lost, and none is there twice"


SERVER = """
import sys
from pathlib import Path
from conductor_mock.app import close_app, create_app
from conductor_mock.context import service_of
from conductor_mock.settings import Settings

directory = Path(sys.argv[1])
app = create_app(
    Settings(data_dir=directory, shared=True, speed=0, execute=True, execute_slots=2, execute_sandbox="none")
)
print(*service_of(app).roles.held(), flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_a_task_of_a_server_that_is_killed_is_lost_and_runs_again_at_another(tmp_path: Path) -> None:
    data, started, go_on = tmp_path / "data", tmp_path / "started", tmp_path / "go_on"
    killed = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert killed.stdout is not None
    with killed, ExitStack() as stack:
        stack.callback(killed.kill)
        assert killed.stdout.readline() == "sweep execute\n"
        app = create_app(Settings(data_dir=data, shared=True, speed=0, **EXECUTING))
        stack.callback(close_app, app)
        other = Fake(app, ManualWall())
        render = Render(other, other.default_caller(), data, "none")
        assert other.service.roles.held() == []
        command = f"echo $$ >> {started}; echo tried; while [ ! -e {go_on} ]; do sleep 0.05; done"
        jid = render.start(command)
        render.until_said(jid, "tried")
        (pid,) = map(int, started.read_text().split())
        assert is_running(pid)
        killed.kill()
        killed.wait()

        eventually(lambda: other.service.roles.held() == ["sweep", "execute"])
        assert not is_running(pid), "it is ended before another one runs in its place"
        eventually(lambda: len(started.read_text().split()) == 2)
        go_on.touch()
        assert render.until_ended(jid)["status"] == "success"
        render.until_outcomes(jid, ["lost", "success"])
        assert len(started.read_text().split()) == 2


@pytest.mark.slow
def test_servers_that_are_started_with_the_option_share_and_one_without_it_is_refused(tmp_path: Path) -> None:
    with served(tmp_path, "--shared") as one:
        with served(tmp_path / "other", "--data-dir", str(tmp_path / "data"), "--shared") as other:
            assert one.api_key == other.api_key
            with one.session() as session:
                posted = session.post(f"{one.url}/jobs/", json=job_payload(), timeout=PATIENCE_S)
                assert posted.status_code == 201
                listed = session.get(f"{other.url}/api/v1/jobs", timeout=PATIENCE_S).json()
                assert [job["jid"] for job in listed["data"]] == [posted.json()["jobid"]]
            alone = run_cli("serve", "--port", "0", "--data-dir", str(tmp_path / "data"))
            assert (alone.returncode, "is in use by another" in alone.stderr) == (2, True)
            assert other.end() == 0
        assert one.end() == 0
