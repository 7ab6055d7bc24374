"""The processes of a run, found and ended: its session, and whoever carries its mark, wherever they hid.

A run's first process leads a session of its own, and its environment carries a mark that children inherit. Signals to
single processes go through a file descriptor of the process, checked against its start time, so that a number that
was given to another process in the meantime is never hit.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MARK = "CONDUCTOR_MOCK_RUN"
"""The variable that every process of a run inherits; its value is the run's name."""

PROC = Path("/proc")
PAUSE_S = 0.02
STUBBORN_S = 30


@dataclass(frozen=True, slots=True)
class Process:
    """A line of the process table. `started` is in clock ticks since the machine booted."""

    pid: int
    parent: int
    group: int
    session: int
    threads: int
    started: int
    memory: int = 0
    """Bytes that it holds in memory, those that it shares with others included."""


def is_supported() -> bool:
    """Whether processes can be found and ended here: only Linux shows them under /proc."""
    return (PROC / "self" / "stat").exists() and hasattr(os, "pidfd_open")


def boot_id() -> str:
    """What tells one boot of the machine from another: process numbers and start times begin again."""
    return (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()


def all_processes() -> Iterator[Process]:
    """Every process that has not ended."""
    for entry in os.scandir(PROC):
        if entry.name.isdigit():
            process = look_at(int(entry.name))
            if process is not None:
                yield process


def look_at(pid: int) -> Process | None:
    """One process, unless it has ended."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before may hold anything
    if fields[0] in "ZX":
        return None
    return Process(
        pid,
        int(fields[1]),
        int(fields[2]),
        int(fields[3]),
        threads=int(fields[17]),
        started=int(fields[19]),
        memory=int(fields[21]) * resource.getpagesize(),
    )


def members(leader: int | None, run: str) -> list[Process]:
    """The processes of a run: those of its leader's session, those with its mark, and their children.

    A leader of None is not known or not this one's any more: then only the mark counts.
    """
    table = list(all_processes())
    pids = {process.pid for process in table if process.session == leader or _is_marked(process.pid, run)}
    return _with_children(table, pids)


def started_by(leader: int) -> list[Process]:
    """The processes of a run as far as they stay in its session or below it; cheaper than `members`."""
    table = list(all_processes())
    return _with_children(table, {process.pid for process in table if process.session == leader})


def _with_children(table: list[Process], pids: set[int]) -> list[Process]:
    grown = True
    while grown:
        children = {process.pid for process in table if process.parent in pids} - pids
        pids |= children
        grown = bool(children)
    return [process for process in table if process.pid in pids]


def threads_of_user() -> int:
    """Threads of the user who runs this, which is what the kernel's limit counts."""
    return sum(process.threads for process in all_processes() if _owner(process.pid) == os.getuid())


def end(leader: int | None, run: str, *, grace_s: float, group_is_ours: Callable[[], bool]) -> bool:
    """End every process of a run: a polite signal, then a hard one, until none is left. Whether that came to be.

    `group_is_ours` tells whether the leader's number still means its group, which is then signalled as a whole: a
    command that forks faster than it is looked at ends by that alone. Without grace that is done before anything else.
    """
    if not grace_s:
        _signal_all(leader, [], signal.SIGKILL, group_is_ours)
    processes = members(leader, run)
    if not processes:
        return True
    if grace_s:
        _signal_all(leader, processes, signal.SIGTERM, group_is_ours)
    deadline = time.monotonic() + grace_s
    while (processes := members(leader, run)) and time.monotonic() < deadline:
        time.sleep(PAUSE_S)
    deadline = time.monotonic() + STUBBORN_S
    while processes and time.monotonic() < deadline:
        _signal_all(leader, processes, signal.SIGKILL, group_is_ours)
        time.sleep(PAUSE_S)
        processes = members(leader, run)
    return not processes


def _signal_all(
    leader: int | None, processes: list[Process], number: signal.Signals, group_is_ours: Callable[[], bool]
) -> None:
    if leader is not None and group_is_ours():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, number)
    for process in processes:
        if process.group != leader or number == signal.SIGKILL:
            _signal(process, number)


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:  # it has ended
        return
    try:
        now = look_at(process.pid)
        if now is not None and now.started == process.started:
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def _is_marked(pid: int, run: str) -> bool:
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:  # another user's, or it has ended
        return False
    return f"{MARK}={run}".encode() in environment.split(b"\0")


def _owner(pid: int) -> int | None:
    try:
        return (PROC / str(pid)).stat().st_uid
    except OSError:
        return None
