"""Values that commands carry and the state keeps: an account's options, a machine, an output file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """What decides a run besides requests.

    `fleet` is the most instances at once (0: no limit); `provider` is the style of upload URLs (wire reference 2.6),
    `gcs` or `s3`; files over `part_size` bytes are uploaded in parts. With `release_scouts` the tasks that wait for
    scouts start when every scout has succeeded, else somebody must release them. `execute` is how many tasks run for
    real at once, as processes of the server's machine; 0 simulates them.
    """

    simulation_version: int
    catalog_sha256: str
    seed: int
    fleet: int
    provider: str
    part_size: int
    release_scouts: bool
    execute: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Options:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine of a job, copied when the job is accepted, so that a later catalogue changes nothing.

    Money is in micro-dollars per hour; `licence_price` is for the job's software on one such machine. `speed` is in
    per cent of a reference machine. An unknown instance type has no price and the speed of the reference.
    """

    name: str
    cores: int
    price: int
    preemptible_price: int
    licence_price: int
    speed: int


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One output of a task: below the job's output path, with its base64 md5 and its size in bytes."""

    relative_path: str
    md5: str
    size: int
