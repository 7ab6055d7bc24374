"""What a run is told and what it tells: plain values, so that it may happen in another process or machine."""

from __future__ import annotations

from dataclasses import dataclass

from conductor_mock.execution.collection import Made
from conductor_mock.farm.statuses import Outcome

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a run: wall seconds, bytes that it writes (files and words), processes and bytes of memory at once.

    `log` bytes of what it says are kept. Between a polite end and a hard one it has `grace_s`.
    """

    timeout_s: float = 3600
    output: int = 10 * 1024 * MIB
    log: int = 8 * MIB
    files: int = 100_000
    processes: int = 512
    memory: int | None = None
    grace_s: float = 2


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A world of its own for each task: whether it has the network, and which paths of the machine it can also read."""

    network: bool = False
    readable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """A file of the job: where it goes below the run's folder, where its content is to be had, its permission bits.

    `source` means something to whoever opens it (`workspace.OpenSource`).
    """

    target: str
    source: str
    mode: int


@dataclass(frozen=True, slots=True)
class Order:
    """One run: everything is mapped as far as it has to be, and lies below `folder`. `output` is the folder to
    collect, by names; it is empty without an output path.
    """

    run: str
    folder: str
    inputs: tuple[Input, ...]
    command: str
    environment: dict[str, str]
    output: tuple[str, ...]
    limits: Limits
    sandbox: Sandbox | None = None
    """None: paths of the job were mapped into `folder`; else only drives were, and the rest is there as it is named."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended. `made` are the files that appeared or changed below the output folder."""

    outcome: Outcome | None
    """Success, failed, or lost with whoever ran it; None when it was cancelled."""
    exit_code: int | None = None
    reason: str = ""
    made: tuple[Made, ...] = ()
    contents: tuple[tuple[bytes, int], ...] = ()
    """Of what was made elsewhere, in its order: md5s and bytes."""
    worker: str = ""
    """Which worker has it."""
