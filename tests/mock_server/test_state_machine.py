"""The server and a small model of it, side by side: whatever is done to both, they show the same."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from conductor_mock.store.tables import METADATA
from support.children import is_there, wait_until, workers_of
from support.examples import examples
from support.farm_model import ACTIONS, ON_TASKS, Job, Model, Task
from support.machines import Machine, OverSockets, machines
from support.served import served
from support.server import START_US, ApiCaller, Fake, ManualWall, job_file, job_payload, running
from support.workers import any_of, workers

SCENE = b"the scene"
LOCATIONS = st.sampled_from(["", "london"])

retries = st.fixed_dictionaries({}, optional={"failed": st.integers(0, 2), "preempted": st.integers(0, 2)})
outcomes = st.lists(st.sampled_from(["success", "failed"]), min_size=1, max_size=3)


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Job, dict[str, Any]]:
    """A job as the model has it, but for its number, and the payload that makes the server's."""
    count, seconds = draw(st.integers(1, 4)), draw(st.sampled_from([0, 1, 30, 60]))
    how = draw(outcomes) if seconds else draw(st.sampled_from([["preempted"], ["preempted", "success"]]))
    scouts = draw(st.sampled_from(["", "0", "0,1", "7"]))
    job = Job(
        0,
        [Task() for _ in range(count)],
        seconds,
        how,
        draw(retries),
        draw(st.integers(3, 6)),
        draw(st.integers(0, 2)),
        draw(LOCATIONS),
    )
    wanted = {int(number) for number in scouts.split(",") if number and int(number) < count}
    for index, task in enumerate(job.tasks):
        task.scout = index in wanted
        task.status = "holding" if wanted and not task.scout else "pending"
    payload = job_payload(
        tasks_data=[{"command": f"render {index}", "frames": str(index)} for index in range(count)],
        scout_frames=scouts,
        metadata={"mock_outcome": ",".join(how), "mock_duration": str(seconds)},
        autoretry_policy={name: {"max_retries": most} for name, most in job.retries.items()},
        priority=job.priority,
        max_instances=job.max_instances,
        location=job.location,
    )
    return job, payload


class Farm(RuleBasedStateMachine):
    """One account of a server that is stopped, killed and started again, and the model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.wall = ManualWall()
        self.model = Model()
        self.seen: list[tuple[str, int, tuple[str, list[str]]]] = []
        self._start()

    @initialize(fleet=st.integers(0, 3))
    def begin(self, fleet: int) -> None:
        self.change_fleet(fleet)

    @rule(made=jobs())
    def submit(self, made: tuple[Job, dict[str, Any]]) -> None:
        job, payload = made
        self._submit(job, payload)

    @rule(made=jobs(), there=st.booleans())
    def submit_for_a_daemon(self, made: tuple[Job, dict[str, Any]], there: bool) -> None:
        job, payload = made
        job.phase, job.upload = "upload_pending", "pending"
        self._submit(job, {**payload, "local_upload": False, "upload_files": [job_file("/f", SCENE)]})

    @rule(made=jobs())
    def submit_with_a_file_that_was_never_sent(self, made: tuple[Job, dict[str, Any]]) -> None:
        job, payload = made
        job.phase = "sync_failed"
        self._submit(job, {**payload, "local_upload": True, "upload_files": [job_file("/g", b"never")]})

    @rule(seconds=st.sampled_from([0, 1, 5, 30, 59, 60, 61, 119, 120, 300, 3600]))
    def advance(self, seconds: int) -> None:
        self._clock(advance=seconds)
        self.model.advance(seconds)

    @rule()
    def until_idle(self) -> None:
        answer = self._clock(until="idle")
        self.model.until_idle()
        assert self.model.holds() == [
            (
                int(hold["jid"]),
                hold["status"],
                hold["tasks"],
                hold["request"] and hold["request"]["body"]["action"],
            )
            for hold in answer["holds"]
        ]

    @rule(by_themselves=st.booleans())
    def change_scouts(self, by_themselves: bool) -> None:
        assert self._control("POST", "/_mock/options", {"release_scouts": by_themselves}).status == 200
        self.model.release_scouts = by_themselves

    @rule(fleet=st.integers(0, 3))
    def change_fleet(self, fleet: int) -> None:
        assert self._control("POST", "/_mock/options", {"fleet": fleet}).status == 200
        self.model.set_fleet(fleet)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), name=st.sampled_from(sorted(ACTIONS)))
    def act_on_jobs(self, data: st.DataObject, name: str) -> None:
        chosen = data.draw(st.lists(st.sampled_from(self.model.jobs), min_size=1, max_size=2, unique_by=id))
        body = {"action": name, "jobids": [self._jid(job) for job in chosen]}
        answer = self.caller.request("PUT", "/jobs_multi", body=body)
        assert answer.status == (200 if self.model.act(name, chosen) else 409)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), name=st.sampled_from(ON_TASKS))
    def act_on_tasks(self, data: st.DataObject, name: str) -> None:
        job = data.draw(st.sampled_from(self.model.jobs))
        chosen = data.draw(st.sets(st.sampled_from(range(len(job.tasks))), min_size=1))
        body = {"action": name, "jobid": self._jid(job), "taskids": [f"{index:03d}" for index in chosen]}
        answer = self.caller.request("PUT", "/tasks_multi", body=body)
        moved = self.model.act_on_tasks(name, job, [job.tasks[index] for index in chosen])
        assert answer.status == (200 if moved else 409)

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), status=st.sampled_from(["success", "failed", "preempted", "killed"]))
    def force(self, data: st.DataObject, status: str) -> None:
        job = data.draw(st.sampled_from(self.model.jobs))
        index = data.draw(st.sampled_from(range(len(job.tasks))))
        answer = self._control("POST", f"/_mock/jobs/{self._jid(job)}/tasks/{index:03d}", {"status": status})
        assert answer.status == (200 if self.model.force(job, job.tasks[index], status) else 409)

    @rule(location=LOCATIONS, count=st.integers(1, 3))
    def take_downloads(self, location: str, count: int) -> None:
        answer = self.caller.get("/downloads/next", query={"location": location, "count": count})
        expected = list(self.model.to_download(location))[:count]
        given = answer.json()["data"] if answer.status == 201 else []
        assert [one["download_id"] for one in given] == [self._download_id(*one) for one in expected]
        for _, task in expected:
            self.model.hand_out(task)

    @precondition(lambda self: any(task.download for job in self.model.jobs for task in job.tasks))
    @rule(data=st.data(), status=st.sampled_from(["downloading", "downloaded", "pending"]))
    def report_download(self, data: st.DataObject, status: str) -> None:
        there = [(job, task) for job in self.model.jobs for task in job.tasks if task.download]
        job, task = data.draw(st.sampled_from(there))
        self._report(job, task, status)

    @precondition(lambda self: any(True for place in ("", "london") for _ in self.model.to_download(place)))
    @rule(location=LOCATIONS, status=st.sampled_from(["downloaded", "pending"]), count=st.integers(1, 2))
    def take_downloads_and_say_how_it_went(self, location: str, status: str, count: int) -> None:
        taken = list(self.model.to_download(location))[:count]
        self.take_downloads(location, count)
        for job, task in taken:
            self._report(job, task, status)

    @rule(location=LOCATIONS)
    def claim_upload(self, location: str) -> None:
        answer = self.caller.request("PUT", "/uploads/client/next", body={"location": location})
        job = self.model.to_upload(location)
        if job is None:
            assert answer.status == 204
        else:
            assert answer.json()["data"]["id"] == f"u{self._jid(job)}"
            self.model.claim(job)

    @rule(location=LOCATIONS, seconds=st.sampled_from([119, 120]))
    def claim_an_upload_and_fall_silent(self, location: str, seconds: int) -> None:
        self.claim_upload(location)
        self.shows_the_same()  # what is shown before time passes is how it was then
        self.advance(seconds)

    @precondition(lambda self: any(job.upload for job in self.model.jobs))
    @rule(data=st.data(), what=st.sampled_from(["update", "finish", "fail"]))
    def report_upload(self, data: st.DataObject, what: str) -> None:
        job = data.draw(st.sampled_from([job for job in self.model.jobs if job.upload]))
        path = f"/uploads/u{self._jid(job)}/{what}"
        if what == "update":
            body = {"bytes_transfered": 1, "transfer_size": 2}
            assert self.caller.post(path, body).status == 200
            self.model.progress(job)
        elif what == "finish":
            answer = self.caller.post(path, {"upload_files": {}})
            assert answer.status == (200 if self.model.finish(job) else 409)
        else:
            answer = self.caller.request(
                "POST", path, data=b"no disk", headers={"Content-Type": "text/plain"}
            )
            assert answer.status == (200 if self.model.fail(job) else 409)

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        """A job as it was is what was shown then."""
        jid, second, shown = data.draw(st.sampled_from(self.seen))
        now_us = self._control("GET", "/_mock/clock").json()["now_us"]
        ago = timedelta(seconds=self.model.now - second)
        when = (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=now_us) - ago).isoformat()
        answer = self._control("GET", f"/_mock/jobs/{jid}", query={"at": when})
        assert (answer.json()["status"], [task["status"] for task in answer.json()["tasks"]]) == shown

    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        """Stop the server, or let it end without a last snapshot, and start it again."""
        if crash:
            for fake in self.fakes:
                fake.crash()
        self.server.close()
        self._start()

    @rule()
    def reset(self) -> None:
        assert self._control("POST", "/_mock/reset").status == 204
        fleet = self.model.fleet
        self.model = Model()
        self.seen.clear()
        self._upload_the_scene()
        self.change_fleet(fleet)

    @invariant()
    def shows_the_same(self) -> None:
        records = self.caller.jobs()
        tasks: dict[str, list[str]] = {record["jid"]: [] for record in records}
        for one in self.caller.get("/api/v1/tasks").json()["data"]:
            tasks[one["jid"]].append(one["status"])
        shown = [(record["status"], tasks[record["jid"]]) for record in records]
        assert shown == self.model.statuses()
        for record, (status, statuses) in zip(records, shown, strict=True):
            assert record["tasks"] == len(statuses)
            counted = {name: record[name] for name in set(statuses)}
            assert counted == {name: statuses.count(name) for name in set(statuses)}
            self._remember(record["jid"], (status, statuses))

    def teardown(self) -> None:
        self.server.close()
        self.stack.close()

    def _remember(self, jid: str, shown: tuple[str, list[str]]) -> None:
        """What is shown of a job now; only the last of what is shown at one moment is how it was then."""
        self.seen = [one for one in self.seen if one[:2] != (jid, self.model.now)]
        self.seen.append((jid, self.model.now, shown))

    def _start(self) -> None:
        self.server = contextlib.ExitStack()
        self.fakes = self._servers()
        self.caller = self._caller()
        self._upload_the_scene()

    def _servers(self) -> list[Fake]:
        return [self.server.enter_context(running(self.wall, data_dir=self.folder))]

    def _caller(self) -> ApiCaller:
        return self.fakes[0].caller()

    def _upload_the_scene(self) -> None:
        self.caller.upload("/f", SCENE)

    def _report(self, job: Job, task: Task, status: str) -> None:
        report = {"download_id": self._download_id(job, task), "status": status}
        answer = self.caller.post(
            "/downloads/status", {**report, "bytes_downloaded": 1, "bytes_to_download": 2}
        )
        assert answer.status == 200
        self.model.report(task, status)

    def _submit(self, job: Job, payload: dict[str, Any]) -> None:
        job.number = len(self.model.jobs) + 1
        answer = self.caller.post("/jobs/", payload)
        assert answer.json()["jobid"] == self._jid(job)
        self.model.submit(job)

    def _clock(self, **body: Any) -> Any:
        answer = self._control("POST", "/_mock/clock", body)
        assert answer.status == 200
        return answer.json()

    def _control(
        self, method: str, path: str, body: Any = None, *, query: dict[str, str] | None = None
    ) -> Any:
        mine = {"account": self.caller.client_id, **(query or {})}
        return self.caller.request(method, path, body=body, query=mine)

    def _jid(self, job: Job) -> str:
        return f"{job.number:05d}"

    def _download_id(self, job: Job, task: Task) -> str:
        index = next(index for index, one in enumerate(job.tasks) if one is task)
        return f"d{self._jid(job)}-{index:03d}-{task.attempts}"


class Turns(Farm):
    """Each call goes to one of several servers, which the seed of a story chooses."""

    def __init__(self) -> None:
        self.chance = random.Random(1)
        super().__init__()

    @initialize(seed=st.integers(0, 1 << 16))
    def take_turns(self, seed: int) -> None:
        self.chance.seed(seed)


class FarmOfTwo(Turns):
    """The same account on two servers that share their data: each call goes to one of them, whichever comes."""

    @rule(number=st.integers(0, 1))
    def one_forgets(self, number: int) -> None:
        """One server is killed and comes again: what it had in memory is gone, and the other one goes on."""
        self.fakes[number].crash()

    def _servers(self) -> list[Fake]:
        return self.server.enter_context(workers(self.folder, self.wall))

    def _caller(self) -> ApiCaller:
        caller = any_of(self.fakes)
        caller.chance = self.chance
        return caller


class FarmOfTwoMachines(FarmOfTwo):
    """The same as of two machines: what they share is a PostgreSQL database."""

    url = ""

    def _servers(self) -> list[Fake]:
        return self.server.enter_context(workers(self.folder, self.wall, database_url=self.url))

    def teardown(self) -> None:
        super().teardown()
        engine = sa.create_engine(self.url)
        METADATA.drop_all(engine)
        engine.dispose()


class FarmOfTwoProcesses(Turns):
    """The same account on two servers that are processes, of which any may be killed: each call goes to one of them."""

    @rule(number=st.integers(0, 1))
    def one_is_killed(self, number: int) -> None:
        """And comes again: the other one goes on."""
        self._again(self.machines[number], kill=True)

    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        """End both and start them again, one after the other."""
        for machine in self.machines:
            self._again(machine, kill=crash)
        self._upload_the_scene()

    def _again(self, machine: Machine, *, kill: bool) -> None:
        machine.signal(signal.SIGKILL if kill else signal.SIGTERM)
        machine.start()

    def _servers(self) -> list[Fake]:
        settings = {"data_dir": str(self.folder / "data"), "shared": True, "speed": 0}
        self.machines = self.server.enter_context(machines(self.folder, 2, settings, wall_us=START_US))
        return []

    def _caller(self) -> ApiCaller:
        caller = OverSockets(Flask("none"), "studio", "the key of the studio", machines=self.machines)
        caller.chance = self.chance
        assert caller.sign_in().status == 200
        return caller


class FarmOfTwoWorkers(Turns):
    """The same account on a server of two workers: each call has a connection of its own, which either may take."""

    @rule(number=st.integers(0, 1))
    def one_is_killed(self, number: int) -> None:
        """And another is started in its place, while the other one goes on."""
        alive = workers_of(self.process)
        os.kill(alive[number % len(alive)], signal.SIGKILL)

    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        """End all of them and start again."""
        alive = workers_of(self.process)
        self.process.end(signal.SIGKILL if crash else signal.SIGTERM)
        wait_until(lambda: not any(map(is_there, alive)), "a worker outlives its parent")
        self.server.close()
        self._start()

    def _servers(self) -> list[Fake]:
        options = ("--workers", "2", "--speed", "0")
        self.process = self.server.enter_context(served(self.folder, *options))
        wait_until(lambda: len(workers_of(self.process)) == 2, "one of two workers is not there")
        return []

    def _caller(self) -> ApiCaller:
        caller = OverSockets(Flask("none"), "studio", "the key of the studio", machines=[self.process])
        assert caller.sign_in().status == 200
        return caller


def machine_of(share: int, steps: int) -> settings:
    """Settings of a machine that takes a share of the examples of the profile: an example is a whole story."""
    default = settings.default
    assert default is not None
    return settings(max_examples=max(1, default.max_examples // share), stateful_step_count=steps)


@pytest.mark.slow
@pytest.mark.hypothesis
@pytest.mark.share(5)
def test_the_server_and_the_model_show_the_same() -> None:
    run_state_machine_as_test(Farm, settings=machine_of(2, 25))


@pytest.mark.slow
@pytest.mark.hypothesis
@pytest.mark.share(5)
def test_two_servers_on_the_same_data_and_the_model_show_the_same() -> None:
    few = examples(6, full=12, parent=settings(stateful_step_count=25))
    run_state_machine_as_test(FarmOfTwo, settings=few)


@pytest.mark.slow
@pytest.mark.hypothesis
@pytest.mark.share(5)
def test_two_servers_on_one_postgresql_and_the_model_show_the_same(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FarmOfTwoMachines, "url", postgres)
    run_state_machine_as_test(FarmOfTwoMachines, settings=machine_of(10, 15))


@pytest.mark.prove
def test_two_servers_on_the_same_data_and_the_model_show_the_same_in_many_stories() -> None:
    run_state_machine_as_test(FarmOfTwo, settings=settings(max_examples=150, stateful_step_count=40))


@pytest.mark.prove
def test_two_processes_on_the_same_data_and_the_model_show_the_same_in_many_stories() -> None:
    examples = int(os.environ.get("CONDUCTOR_MOCK_TEST_STORIES", "70"))
    run_state_machine_as_test(
        FarmOfTwoProcesses, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )


@pytest.mark.slow
def test_two_workers_behind_one_port_and_the_model_show_the_same() -> None:
    run_state_machine_as_test(FarmOfTwoWorkers, settings=machine_of(50, 12))


@pytest.mark.prove
def test_two_workers_behind_one_port_and_the_model_show_the_same_in_many_stories() -> None:
    examples = int(os.environ.get("CONDUCTOR_MOCK_TEST_STORIES", "70"))
    run_state_machine_as_test(
        FarmOfTwoWorkers, settings=settings(max_examples=examples, stateful_step_count=40)
    )


@pytest.mark.prove
def test_the_server_and_the_model_show_the_same_in_many_stories() -> None:
    run_state_machine_as_test(Farm, settings=settings(max_examples=150, stateful_step_count=40))
