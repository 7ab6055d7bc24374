"""The farm without a server around it: one account that is driven by hand, and plans of what happens to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from conductor_mock.farm import fold, snapshot
from conductor_mock.farm.clock import SECOND, Anchor
from conductor_mock.farm.commands import AccountOpened, Command, JobCreated
from conductor_mock.farm.records import Record
from conductor_mock.farm.state import Job
from conductor_mock.farm.steps import advance_until
from conductor_mock.farm.values import Machine, Options
from support.states import image

HOUR = 3600 * SECOND
MACHINE = Machine(
    name="n1-standard-4",
    cores=4,
    price_micro_usd_per_hour=200_000,
    preemptible_micro_usd_per_hour=50_000,
    license_micro_usd_per_hour=7_000,
    speed=100,
)


class Farm:
    """One account, driven by hand."""

    def __init__(
        self, *, fleet: int = 0, seed: int = 1, release_scouts: bool = True, execute: int = 0
    ) -> None:
        options = Options(
            simulation_version=fold.SIMULATION_VERSION,
            catalog_sha256="",
            seed=seed,
            fleet=fleet,
            provider="gcs",
            part_size=1 << 30,
            release_scouts=release_scouts,
            execute=execute,
        )
        opened = AccountOpened("me", "5", "", options, Anchor(0, 0, 0))
        self.state = fold.follow(None, Record(1, 0, opened))

    def do(self, command: Command | None) -> None:
        assert command is not None
        fold.follow(self.state, Record(self.state.seq + 1, self.state.now_us, command))

    def job(self, count: int, **payload: Any) -> JobCreated:
        """The command of a job of so many tasks."""
        return job_of(count, **payload)

    def submit(self, count: int, **payload: Any) -> Job:
        number = self.state.next_job_number
        self.do(job_of(count, **payload))
        return self.state.jobs[number]

    def advance(self, us: int) -> None:
        fold.advance(self.state, self.state.now_us + us)

    def until_idle(self) -> None:
        finished = False
        while not finished:
            command, finished = advance_until(self.state, 0, None)
            self.do(command)

    def image(self) -> Any:
        """Everything that the state is, to compare."""
        return image(self.state)

    def stored(self) -> Any:
        """The state as a snapshot has it."""
        return json.loads(json.dumps(snapshot.write(self.state)))


def job_of(count: int, **payload: Any) -> JobCreated:
    body = {
        "instance_type": MACHINE.name,
        "project": "default",
        "output_path": "/out",
        "tasks_data": [{"command": f"render {frame}", "frames": str(frame)} for frame in range(count)],
        **payload,
    }
    return JobCreated(body, "", MACHINE)


@dataclass(frozen=True)
class Arrival:
    """A job, and how long after the one before it comes."""

    after_us: int
    count: int
    payload: dict[str, Any]


policies = st.fixed_dictionaries(
    {},
    optional={
        name: st.fixed_dictionaries({"max_retries": st.integers(0, 5)}) for name in ("failed", "preempted")
    },
)
payloads = st.fixed_dictionaries(
    {},
    optional={
        "priority": st.integers(0, 9),
        "preemptible": st.booleans(),
        "max_instances": st.integers(0, 3),
        "autoretry_policy": policies,
        "scout_frames": st.sampled_from(["", "0", "1,3", "0-9x4", "99"]),
        "metadata": st.sampled_from(
            [
                {},
                {"mock_outcome": "failed,success"},
                {"mock_outcome": "preempted", "mock_frames": "1-2"},
                {"mock_duration": "7"},
                {"mock_duration": "0"},
            ]
        ),
    },
)
arrivals = st.lists(
    st.builds(Arrival, st.integers(0, 200 * SECOND), st.integers(0, 6), payloads), min_size=1, max_size=5
)
farms: st.SearchStrategy[dict[str, Any]] = st.builds(dict, fleet=st.integers(0, 4), seed=st.integers(0, 3))


def run(farm: Farm, plan: list[Arrival]) -> list[Job]:
    jobs = []
    for arrival in plan:
        farm.advance(arrival.after_us)
        jobs.append(farm.submit(arrival.count, **arrival.payload))
    return jobs
