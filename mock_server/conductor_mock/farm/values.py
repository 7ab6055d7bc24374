"""Values that commands carry and the state keeps: an account's options, a machine, an output file."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from conductor_mock.farm.encoding import stored_as


@dataclass(frozen=True, slots=True)
class Options:
    """What decides a run besides requests."""

    simulation_version: int
    catalog_sha256: str
    seed: int
    fleet: int
    """The most instances at once; 0 is no limit."""
    provider: str
    """The style of upload URLs (wire reference 2.6), `gcs` or `s3`."""
    part_size: int
    """Files of more bytes are uploaded in parts."""
    release_scouts: bool
    """Whether tasks that wait for scouts start when every scout has succeeded; else somebody must release them."""
    execute: int = 0
    """How many tasks run for real at once, as processes of the server's machine; 0 simulates them."""

    def to_json(self) -> dict[str, Any]:
        """As they are shown."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of a job, copied when the job is accepted, so that a later catalogue changes nothing.

    An unknown instance type has no price and the speed of the reference.
    """

    name: str
    cores: int
    price_micro_usd_per_hour: int = field(metadata=stored_as("price"))
    preemptible_micro_usd_per_hour: int = field(metadata=stored_as("preemptible_price"))
    license_micro_usd_per_hour: int = field(metadata=stored_as("licence_price"))
    """For the job's software on one such machine."""
    speed: int
    """Per cent of a reference machine."""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One output of a task: below the job's output path, with its base64 md5 and its size in bytes."""

    relative_path: str
    md5: str
    size: int
