"""A state machine that drives your own submitter through jobs, faults and time, beside a model of what must be so.

    from conductor_mock.testkit.machine import ConductorMachine, JobSpec

    class MySubmitter(ConductorMachine):
        def submit(self, spec: JobSpec) -> str:
            return my_submitter.submit(spec.title, spec.tasks, spec.files)

    TestMySubmitter = MySubmitter.TestCase

It is here and not in ``conductor_contracts.strategies`` because it needs a fake to drive; the contracts know none.
Hypothesis comes with the extra ``testkit``.
"""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from conductor_contracts.job_states import load_job_states
from conductor_contracts.strategies import file_trees, frame_specs, write_tree
from conductor_mock.testkit.fake import Fake
from conductor_mock.testkit.mocking import mock_conductor
from conductor_mock.testkit.values import Job

LONGEST_S = 7200.0
"""So many simulated seconds pass at once, at most."""


@dataclass(frozen=True)
class JobSpec:
    """A job that is to be submitted. ``tasks`` are ``(command, frames)``; ``files`` are there, with these contents."""

    title: str
    tasks: tuple[tuple[str, str], ...]
    files: Mapping[str, bytes]
    output_path: str = "/proj/out"
    project: str = "default"
    instance_type: str = "n1-standard-2"


@dataclass
class Model:
    """What must be so: the jobs that the submitter named, those it may have made unknowingly, the ended ones."""

    jobs: dict[str, JobSpec] = field(default_factory=dict)
    doubtful: list[JobSpec] = field(default_factory=list)
    """Submissions that ended in an error: each may be a job, or none."""
    ended: dict[str, str] = field(default_factory=dict)


class ConductorMachine(RuleBasedStateMachine):
    """Submits jobs, lets requests fail and time pass, in any order, and holds the fake against the model after each.

    Override `submit`; the rest has defaults. More rules and invariants of your own go beside these.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    """Those of the fake, as `mock_conductor` takes them."""
    faults: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"operation": "jobs.create", "kind": "lost_answer"},
        {"operation": "jobs.create", "kind": "status", "status": 503},
        {"operation": "files.get_upload_urls", "kind": "status", "status": 503},
        {"operation": "objects.put", "kind": "reset"},
    )
    """What may go wrong with requests, once each time: arguments of ``fake.faults.add``. Empty: nothing does."""
    errors: ClassVar[tuple[type[Exception], ...]] = (Exception,)
    """What `submit` may raise after a fault; without one, no submission may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self._stack = ExitStack()
        self.fake: Fake = self._stack.enter_context(self.open())
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        """Where the files of jobs are written."""
        self._faulty = False

    # What a subclass says

    def submit(self, spec: JobSpec) -> str | int:
        """Submit a job by the code under test, and return the id that it got (such as "00001", "1" or 1)."""
        raise NotImplementedError("override submit: hand the job to your submitter and return the job id")

    def expected(self, spec: JobSpec) -> JobSpec:
        """The job that is to become of one, whose files are there by now: for commands that name their paths."""
        return spec

    def open(self) -> AbstractContextManager[Fake]:
        """The fake: in this process. For programs that are started, one on a socket."""
        return mock_conductor(**self.settings)

    def specs(self) -> st.SearchStrategy[JobSpec]:
        """The jobs that are submitted."""
        commands = st.sampled_from(["render", "render -q", 'render "a b"'])
        tasks = st.lists(st.tuples(commands, frame_specs(min_frame=0)), min_size=1, max_size=3).map(tuple)
        return st.builds(
            lambda title, work, files: JobSpec(title, work, files),
            st.text("abc é", min_size=1, max_size=8).map(lambda text: text.strip() or "a"),
            tasks,
            file_trees(max_files=3, max_bytes=20),
        )

    # What happens

    @rule(data=st.data())
    def submit_a_job(self, data: st.DataObject) -> None:
        """Submit one; it is a job, or an error after a fault."""
        drawn = data.draw(self.specs(), label="spec")
        below = self.folder / str(len(self.model.jobs) + len(self.model.doubtful))
        spec = JobSpec(**{**vars(drawn), "files": write_tree(below, drawn.files)})
        expected = self.expected(spec)
        try:
            jid = self.submit(spec)
        except self.errors:
            if not self._faulty:
                raise
            self.model.doubtful.append(expected)
        else:
            jid = _job_id(jid)
            _must(jid not in self.model.jobs, f"two submissions became job {jid}")
            self.model.jobs[jid] = expected

    @precondition(lambda self: self.faults)
    @rule(data=st.data())
    def let_a_request_fail(self, data: st.DataObject) -> None:
        """Ask for one of the faults."""
        fault = data.draw(st.sampled_from(self.faults), label="fault")
        self.fake.faults.add(**fault)
        self._faulty = True

    @rule(seconds=st.floats(0, LONGEST_S))
    def let_time_pass(self, seconds: float) -> None:
        """Let the farm work for a while."""
        self.fake.clock.advance(seconds)

    @precondition(lambda self: self.model.jobs)
    @rule()
    def let_everything_end(self) -> None:
        """Let the farm work until nothing is due."""
        self.fake.clock.until_idle()

    # What must be so

    @invariant()
    def every_submission_is_one_job(self) -> None:
        """Each job that was named is there, and no other but one for each submission that ended in an error."""
        jobs = {job.jid: job for job in self.fake.jobs}
        missing = self.model.jobs.keys() - jobs.keys()
        _must(not missing, f"jobs that nobody has: {sorted(missing)}")
        for jid, spec in self.model.jobs.items():
            self._is_as_submitted(jobs[jid], spec)
        left = list(self.model.doubtful)
        for jid in sorted(jobs.keys() - self.model.jobs.keys()):
            found = next((one for one in left if _differs(jobs[jid], one) is None), None)
            if found is None:
                raise AssertionError(
                    f"job {jid} is one that nobody submitted, or submitted once: {jobs[jid]}"
                )
            left.remove(found)

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        """A job that has ended has the status that it ended with, as long as nobody acts on it."""
        ends = load_job_states().ended["jobs"]
        for job in self.fake.jobs:
            before = self.model.ended.get(job.jid, job.status)
            _must(job.status == before, f"job {job.jid} was {before} and is {job.status}")
            if job.status in ends:
                self.model.ended[job.jid] = job.status

    def _is_as_submitted(self, job: Job, spec: JobSpec) -> None:
        differs = _differs(job, spec)
        _must(differs is None, f"job {job.jid} is another one than was submitted: {differs}")
        held = {(file.path, file.md5) for file in self.fake.files}
        for path, content in spec.files.items():
            sent = (path.replace("\\", "/"), _md5(content)) in held
            _must(sent, f"job {job.jid}: {path} was not uploaded as it is")

    def teardown(self) -> None:
        """The fake ends, and the files are gone."""
        self._stack.close()


def _must(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _job_id(submitted: object) -> str:
    """The id that `submit` returned, with its zeros. Raises TypeError for what is none."""
    is_id = isinstance(submitted, (str, int)) and not isinstance(submitted, bool)
    text = str(submitted) if is_id else ""
    if not (text.isascii() and text.isdigit()):
        raise TypeError(
            f"submit returned {submitted!r:.80}; it is to return the id of the job that it made, such as '00001'"
        )
    return text.zfill(5)


def _differs(job: Job, spec: JobSpec) -> str | None:
    """What of a job is not as it was asked for; None for nothing."""
    title = job.payload.get("job_title")
    if title != spec.title:
        return f"its title is {title!r}, not {spec.title!r}"
    tasks = tuple((task.command, task.frames) for task in job.tasks)
    if tasks != spec.tasks:
        return f"its tasks are {tasks}, not {spec.tasks}"
    declared = {entry["destination"] for entry in job.payload.get("upload_files") or ()}
    missing = {path.replace("\\", "/") for path in spec.files} - declared
    return f"it names no {sorted(missing)} among its files" if missing else None


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
