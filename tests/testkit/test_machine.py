"""The state machine passes a good submitter, and fails one that retries naively, forgets files or mixes up jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor.lib.exceptions import ConductorError
from conductor.lib.wire.transport import Transport
from conductor_mock.testkit import Fake
from conductor_mock.testkit.machine import ConductorMachine, JobSpec

pytestmark = pytest.mark.slow  # each example has a fake of its own

calm = settings(
    max_examples=12,
    stateful_step_count=6,
    report_multiple_bugs=False,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


def client() -> ApiClient:
    """One that waits for nothing."""
    return ApiClient(transport=Transport(sleep=lambda _: None))


def arguments(spec: JobSpec) -> dict[str, object]:
    return {
        "job_title": spec.title,
        "project": spec.project,
        "instance_type": spec.instance_type,
        "output_path": spec.output_path,
        "tasks_data": [{"command": command, "frames": frames} for command, frames in spec.tasks],
        "upload_paths": list(spec.files),
    }


class Good(ConductorMachine):
    errors = (ConductorError,)

    def submit(self, spec: JobSpec) -> str:
        with client() as ours:
            answer, _ = Submit(arguments(spec), client=ours).main()
        return str(answer["jobid"])


def posted(fake: Fake, spec: JobSpec, retries: int) -> str:
    """A submitter of a few lines, which knows no keys: it tries again whatever went wrong."""
    key = fake.account
    query = {
        "grant_type": "client_credentials",
        "scope": "user",
        "client_id": key.client_id,
        "client_secret": key.private_key,
    }
    token = requests.get(f"{fake.url}/api/oauth_jwt", params=query, timeout=60).json()["access_token"]
    body = {name: value for name, value in arguments(spec).items() if name != "upload_paths"}
    for left in reversed(range(retries)):
        try:
            headers = {"Authorization": f"Bearer {token}"}
            answer = requests.post(f"{fake.url}/jobs/", json=body, headers=headers, timeout=60)
            answer.raise_for_status()
            return str(answer.json()["jobid"])
        except requests.RequestException:
            if not left:
                raise
    raise AssertionError("it was not tried")


class Naive(ConductorMachine):
    """Tries again whatever went wrong, and so makes two jobs of one."""

    faults: ClassVar[tuple[Mapping[str, Any], ...]] = ({"operation": "jobs.create", "kind": "lost_answer"},)

    def submit(self, spec: JobSpec) -> str:
        return posted(self.fake, JobSpec(**{**vars(spec), "files": {}}), retries=3)

    def specs(self) -> st.SearchStrategy[JobSpec]:
        return super().specs().map(lambda one: JobSpec(one.title, one.tasks, {}))


class Calm(Naive):
    """The same, where nothing goes wrong."""

    faults = ()


class Forgetful(Good):
    """Uploads all files but one."""

    faults = ()

    def submit(self, spec: JobSpec) -> str:
        fewer = dict(list(spec.files.items())[1:])
        return super().submit(JobSpec(**{**vars(spec), "files": fewer}))


class MixedUp(Good):
    """Names the first job whatever it submitted."""

    def submit(self, spec: JobSpec) -> str:
        super().submit(spec)
        return "00001"


class Refused(Calm):
    """Asks for a machine of no size, which is refused without any fault."""

    def submit(self, spec: JobSpec) -> str:
        return posted(self.fake, JobSpec(**{**vars(spec), "instance_type": ""}), retries=1)


class Short(Calm):
    """Names the job by its number."""

    def submit(self, spec: JobSpec) -> int:  # type: ignore[override]
        return int(super().submit(spec))


class Silent(Calm):
    """Submits, and forgets to say what it became."""

    def submit(self, spec: JobSpec) -> str:
        super().submit(spec)
        return None  # type: ignore[return-value]


class Whole(Calm):
    """Returns the answer instead of what it says."""

    def submit(self, spec: JobSpec) -> str:
        return {"jobid": super().submit(spec)}  # type: ignore[return-value]


class OfPaths(Good):
    """Makes its commands of the paths of the files."""

    def expected(self, spec: JobSpec) -> JobSpec:
        return replace(spec, tasks=((f"render {' '.join(spec.files)}", "1-3"),))

    def submit(self, spec: JobSpec) -> str:
        return super().submit(self.expected(spec))


class OfOtherPaths(OfPaths):
    """Promises that, and makes them of something else."""

    def submit(self, spec: JobSpec) -> str:
        return Good.submit(self, spec)


class Unsaid(ConductorMachine):
    """Says nothing."""


@pytest.mark.parametrize("machine", [Good, Calm, Short, OfPaths])
def test_a_good_submitter_passes(machine: type[ConductorMachine]) -> None:
    run_state_machine_as_test(machine, settings=calm)


@pytest.mark.parametrize(
    ("machine", "error", "said"),
    [
        (Naive, AssertionError, "is one that nobody submitted, or submitted once"),
        (Forgetful, AssertionError, "among its files"),
        (MixedUp, AssertionError, "two submissions became job 00001|is another one than was submitted"),
        (Refused, requests.HTTPError, "400"),
        (
            Silent,
            TypeError,
            "submit returned None; it is to return the id of the job that it made, such as '00001'",
        ),
        (Whole, TypeError, "submit returned {'jobid': '00001'}; it is to return the id"),
        (OfOtherPaths, AssertionError, "another one than was submitted: its tasks are"),
        (Unsaid, NotImplementedError, "override submit"),
    ],
)
def test_a_bad_submitter_fails_and_it_is_said_why(
    machine: type[ConductorMachine], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        run_state_machine_as_test(machine, settings=calm)
