"""Many stories of submissions, faults and time, each held to the model of the kit: one job of each submission."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st

from conductor.lib.exceptions import ConductorError
from conductor_contracts.strategies import file_trees
from conductor_mock.testkit.machine import ConductorMachine, JobSpec
from submitter import Shot, arguments, submit


class Submissions(ConductorMachine):
    """The stories of the kit, about shots: the first file of a job is its scene, the others are textures."""

    errors = (ConductorError,)

    def specs(self) -> st.SearchStrategy[JobSpec]:
        lengths = st.integers(1, 12).map(lambda last: (("render", f"1-{last}"),))
        files = file_trees(min_files=1, max_files=2, max_bytes=20)
        return st.builds(JobSpec, st.just("sh010"), lengths, files)

    def expected(self, spec: JobSpec) -> JobSpec:
        tasks = arguments(shot_of(spec))["tasks_data"]
        return replace(spec, tasks=tuple((task["command"], task["frames"]) for task in tasks))

    def submit(self, spec: JobSpec) -> str:
        with self.fake.client() as client:
            return submit(shot_of(spec), client)


def shot_of(spec: JobSpec) -> Shot:
    scene, *textures = map(Path, spec.files)
    ((_, frames),) = spec.tasks
    return Shot(
        spec.title,
        scene,
        tuple(textures),
        Path(spec.output_path),
        first=1,
        last=int(frames.removeprefix("1-")),
        chunk=5,
        machine=spec.instance_type,
    )


TestSubmissions = Submissions.TestCase
TestSubmissions.settings = settings(max_examples=4, stateful_step_count=6, deadline=None)
