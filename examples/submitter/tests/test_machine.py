"""Many stories of submissions, faults and time, each held to a model of three lines."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import submitter
from conductor_mock.testkit import mock_conductor
from submitter import Shot, submit

SHOT = Shot.of_file(Path(submitter.__file__).parent / "shot.json")


class Submissions(RuleBasedStateMachine):
    """The model is the titles, in the order in which they were submitted."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.fake = self.stack.enter_context(mock_conductor())
        self.client = self.stack.enter_context(self.fake.client())
        self.titles: list[str] = []

    @rule(chunk=st.integers(1, 12))
    def submit(self, chunk: int) -> None:
        title = f"shot {len(self.titles)}"
        submit(replace(SHOT, title=title, chunk=chunk), self.client)
        self.titles.append(title)

    @rule(kind=st.sampled_from(["lost_answer", "reset", "status"]))
    def bad_luck(self, kind: str) -> None:
        self.fake.faults.add("jobs.create", kind)

    @rule(seconds=st.integers(1, 600))
    def time_passes(self, seconds: int) -> None:
        self.fake.clock.advance(seconds)

    @invariant()
    def every_submission_is_one_job(self) -> None:
        assert [job.payload["job_title"] for job in self.fake.jobs] == self.titles

    def teardown(self) -> None:
        self.stack.close()


TestSubmissions = Submissions.TestCase
TestSubmissions.settings = settings(max_examples=4, stateful_step_count=6, deadline=None)
