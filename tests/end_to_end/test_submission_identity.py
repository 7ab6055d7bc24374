"""Each submission ends as its own one job, or as an error that says so: whoever else submits the same, whatever breaks.

Every job carries a mark where the job list does not show it (in its environment), so that the fake knows whose it is
and the client does not.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor.lib.config import Config
from conductor.lib.exceptions import Acted, ConductorError, OutcomeUnknownError
from conductor.lib.files import file_lock
from conductor.lib.login.credentials import credentials_folder
from conductor.lib.submission.ledger import ledger_folder
from conductor.lib.wire.call import Call, Sent
from conductor.lib.wire.operations import JOBS_CREATE
from conductor.lib.wire.transport import Transport
from conductor_contracts.strategies import fault_schedules
from conductor_mock.app import create_app
from conductor_mock.inprocess import in_process
from conductor_mock.serving.server import Server
from conductor_mock.settings import Settings
from support.control import PATIENCE_S, Control
from support.examples import examples
from support.farm import job, without_explanation

OPERATIONS = ("jobs.create", "jobs.create", "jobs.create", "jobs.list", "auth.token")

VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"tasks_data": [{"command": "render -f 2", "frames": "2"}]},
    {"tasks_data": [{"command": "render", "frames": "1"}, {"command": "render", "frames": "2"}]},
    {"project": "another"},
    {"job_title": "other luck"},
)
"""Equal jobs, nearly equal ones, and one that has another title."""

MOMENTS = ("before it is sent", "after it was sent", "while it waits")


@dataclass(frozen=True)
class Story:
    """A submission, and others that come from other clients in the middle of it."""

    variant: int
    client: int
    inside: tuple[tuple[str, Story], ...] = ()
    killed: bool = False
    """Whether its process ends once it was sent."""

    def count(self) -> int:
        """How many submissions there are in it."""
        return 1 + sum(story.count() for _, story in self.inside)


def stories(depth: int = 2) -> st.SearchStrategy[Story]:
    """Submissions of three clients; `depth` of them can be within one another."""
    inside: st.SearchStrategy[Any] = st.just(())
    if depth:
        within = st.tuples(st.sampled_from(MOMENTS), st.deferred(lambda: stories(depth - 1)))
        inside = st.lists(within, max_size=2).map(tuple)
    return st.builds(
        Story,
        st.integers(0, len(VARIANTS) - 1),
        st.integers(0, 2),
        inside,
        st.sampled_from([False, False, True]),
    )


class Killed(BaseException):
    """What ends a process ends the submission here."""


class Interrupted(Transport):
    """A transport in which other things happen at the moments of a submission, each moment's once."""

    def __init__(self) -> None:
        super().__init__(environ={}, sleep=self._meanwhile, random=lambda: 0.0, read_timeout=PATIENCE_S)
        self.due: dict[str, list[Any]] = {}

    def happens(self, moment: str) -> None:
        """Let happen what is due now."""
        for each in self.due.pop(moment, []):
            each()

    def _meanwhile(self, _: float) -> None:
        self.happens("while it waits")

    def send(self, call: Call) -> Sent:
        if call.operation is not JOBS_CREATE:
            return super().send(call)
        self.happens("before it is sent")
        try:
            return super().send(call)
        finally:
            self.happens("after it was sent")


@dataclass
class World:
    """A fake, its clients, and what each submission ended as, by its mark."""

    url: str
    config: Config = field(repr=False)
    ended: dict[str, str | ConductorError | Killed] = field(default_factory=dict)

    def begin(self) -> None:
        """As new: no jobs, no faults, no notes, no token."""
        control = Control(self.url)
        control.reset()
        control.ask("DELETE", "/_mock/faults")
        for folder in (ledger_folder(), credentials_folder()):
            shutil.rmtree(folder, ignore_errors=True)
        self.ended.clear()

    def tell(self, story: Story, clients: dict[tuple[int, int], ApiClient], depth: int = 0) -> None:
        """Submit, with the others inside. Within one another even the same client is another process."""
        mark = str(len(self.ended))
        self.ended[mark] = ""
        client = clients.setdefault((story.client, depth), self._client())
        transport = client.transport
        assert isinstance(transport, Interrupted)
        transport.due = {"after it was sent": [_kill]} if story.killed else {}
        for moment, inner in story.inside:
            transport.due.setdefault(moment, []).append(
                lambda inner=inner: self.tell(inner, clients, depth + 1)
            )
        arguments = job(**{"owner": "kim", **VARIANTS[story.variant], "environment": {"MARK": mark}})
        try:
            answer, status = Submit(arguments, client=client).main()
            assert status == 201
            self.ended[mark] = answer["jobid"]
        except ConductorError as error:
            self.ended[mark] = error
        except Killed as killed:
            self.ended[mark] = killed

    def _client(self) -> ApiClient:
        return ApiClient(self.config, transport=Interrupted())

    def check(self) -> None:
        """Hold every end to what the fake knows."""
        made: dict[str, list[str]] = {mark: [] for mark in self.ended}
        for found in Control(self.url).jobs():
            made[found["payload"]["environment"]["MARK"]].append(found["jid"])
        for mark, ended in self.ended.items():
            is_kept(ended, made[mark])


def _kill() -> None:
    raise Killed


def is_kept(ended: str | ConductorError | Killed, made: list[str]) -> None:
    """An id is that of its own one job, `unknown` is at most one, and every other error is none."""
    if isinstance(ended, (OutcomeUnknownError, Killed)):
        assert len(made) <= 1, ended
    elif isinstance(ended, ConductorError):
        assert (ended.acted, made) == (Acted.NO, []), ended
    else:
        assert made == [ended]


both_ways = pytest.mark.parametrize("keys", [True, False], ids=["keys", "no keys"])


@pytest.fixture
def world(tmp_path: Path, keys: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    # Who submits while another one waits for a token has that one below it on the stack, and its lock with it.
    monkeypatch.setattr(file_lock, "PATIENCE_SECONDS", 0.0)
    with in_process(Settings(ephemeral=True, speed=1, honour_keys=keys)) as fake:
        yield World(fake.url, Config.load(environ=fake.environment(), home=tmp_path))


@pytest.mark.hypothesis
@pytest.mark.share(5)
@both_ways
def test_each_submission_ends_as_its_own_job_or_as_an_error_that_says_so(world: World) -> None:
    @examples(30, full=60, parent=without_explanation)
    @given(
        told=st.lists(stories(), min_size=1, max_size=4),
        # Without keys nobody can know of what something in between sends twice.
        schedule=fault_schedules(operations=OPERATIONS, max_size=4).map(
            lambda rules: [rule for rule in rules if rule["fault"]["kind"] != "duplicate"]
        ),
    )
    def holds(told: list[Story], schedule: list[dict[str, Any]]) -> None:
        world.begin()
        for rule in schedule:
            Control(world.url).ask("POST", "/_mock/faults", rule)
        clients: dict[tuple[int, int], ApiClient] = {}
        for story in told:
            world.tell(story, clients)
        assert len(world.ended) <= sum(story.count() for story in told)
        world.check()

    holds()


FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "delay", "seconds": 0},
    {"kind": "reset"},
    {"kind": "lost_answer"},
    {"kind": "stall"},
    {"kind": "corrupt"},
)


@both_ways
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_equal_job_of_another_process_in_the_middle_is_never_taken_for_it(
    world: World, moment: str
) -> None:
    for first, second, killed in product(FAULTS, FAULTS, [False, True]):
        world.begin()
        for fault in (first, second):
            rule = {"match": {"operation": "jobs.create"}, "fault": fault, "times": 1}
            Control(world.url).ask("POST", "/_mock/faults", rule)
        world.tell(Story(0, 0, ((moment, Story(1, 1, killed=killed)),)), {})
        world.check()


# Real processes

SUBMISSIONS = """
import json, sys
from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor.lib.exceptions import ConductorError, OutcomeUnknownError
from conductor.lib.wire.transport import Transport
ended = {}
for number in range(4):
    arguments = json.loads(sys.argv[2]) | {"environment": {"MARK": f"{sys.argv[1]}-{number}"}}
    with ApiClient(transport=Transport(sleep=lambda seconds: None)) as client:
        try:
            ended[f"{sys.argv[1]}-{number}"] = Submit(arguments, client=client).main()[0]["jobid"]
        except OutcomeUnknownError as error:
            ended[f"{sys.argv[1]}-{number}"] = ["unknown", str(error)]
        except ConductorError as error:
            ended[f"{sys.argv[1]}-{number}"] = [error.acted.value, str(error)]
print(json.dumps(ended))
"""


@both_ways
def test_processes_that_submit_the_same_at_once_never_take_each_others_jobs(
    tmp_path: Path, keys: bool
) -> None:
    with Server(create_app(Settings(ephemeral=True, speed=1, honour_keys=keys))) as server:
        control = Control(server.url)
        for kind, skip in (
            ("reset", 1),
            ("lost_answer", 2),
            ("reset", 3),
            ("truncate", 1),
            ("lost_answer", 1),
        ):
            rule = {"match": {"operation": "jobs.create"}, "fault": {"kind": kind}, "times": 1, "skip": skip}
            control.ask("POST", "/_mock/faults", rule)
        environment = {**os.environ, **server.environment()}
        running = [
            subprocess.Popen(
                [sys.executable, "-c", SUBMISSIONS, name, json.dumps(job(owner="kim"))],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            for name in "abc"
        ]
        ended: dict[str, Any] = {}
        for process in running:
            ended |= json.loads(process.communicate(timeout=PATIENCE_S)[0])
        made: dict[str, list[str]] = {mark: [] for mark in ended}
        for found in control.jobs():
            made[found["payload"]["environment"]["MARK"]].append(found["jid"])
    assert len(ended) == 12
    for mark, end in ended.items():
        if isinstance(end, str):
            assert made[mark] == [end]
        else:
            assert len(made[mark]) <= (1 if end[0] == "unknown" else 0), end
    if keys:
        assert all(isinstance(end, str) for end in ended.values()), ended
