"""What a run is told and what it tells: plain values, so that it may happen in another process or machine."""

from __future__ import annotations

from dataclasses import dataclass

from conductor_mock.execution.collection import Made
from conductor_mock.farm.statuses import Outcome

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a run: wall seconds, bytes that it writes (files and words), processes at once.

    `log` bytes of what it says are kept. Between a polite end and a hard one it has `grace_s`.
    """

    timeout_s: float = 3600
    output: int = 10 * 1024 * MIB
    log: int = 8 * MIB
    files: int = 100_000
    processes: int = 512
    grace_s: float = 2


@dataclass(frozen=True, slots=True)
class Input:
    """A file of the job: where it goes below the run's folder, where its content lies, its permission bits."""

    target: str
    source: str
    mode: int


@dataclass(frozen=True, slots=True)
class Order:
    """One run: everything is mapped already, and lies below `folder`. `output` is the folder to collect, by names.

    Without an output path it is empty."""

    run: str
    folder: str
    inputs: tuple[Input, ...]
    command: str
    environment: dict[str, str]
    output: tuple[str, ...]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended. `made` are the files that appeared or changed below the output folder."""

    outcome: Outcome | None
    """Success, failed, or lost with whoever ran it; None when it was cancelled."""
    exit_code: int | None = None
    reason: str = ""
    made: tuple[Made, ...] = ()
