"""What an earlier server, or a worker that is gone, left running: ended before anything else is done with its task.

Whoever is killed cannot end its tasks. Each run's folder tells its mark, and, once it was spawned, the number
and start time of its first process, and on which boot of which machine that was.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from conductor_mock.execution import processes
from conductor_mock.execution.wanted import FOLDER, runs_folder
from conductor_mock.execution.workspace import Workspace
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.ownership import lock_file

log = logging.getLogger(__name__)

GRACE_S = 0.5


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """While it is open, no other process drives runs in this data directory, or ends them.

    Raises DatabaseError when one does.
    """
    lock = lock_file(directory / f"{FOLDER}.lock", f"the folder of runs in {directory}")
    try:
        yield
    finally:
        lock.release()


def end_if_left(directory: Path) -> None:
    """`end_all`, unless somebody drives them."""
    if runs_folder(directory).is_dir():
        with suppress(DatabaseError), held(directory):
            end_all(directory)


def end_all(directory: Path) -> None:
    """End the processes of every run that has a folder in this data directory; the folders stay."""
    folder = runs_folder(directory)
    if not folder.is_dir():
        return
    for found in sorted(folder.iterdir()):
        if found.is_dir():
            end_one(Workspace(found))


def end_one(workspace: Workspace) -> None:
    """End the processes of one run, wherever they are: those of this machine here, others are asked to."""
    workspace.cancel()
    facts = workspace.read_run()
    if not processes.is_supported():
        return
    if facts.get("host") != socket.gethostname() or facts.get("boot") != processes.boot_id():
        return  # another machine's, or ended with the last boot
    leader = facts.get("pid") if _is_the_same(facts.get("pid"), facts.get("started")) else None
    ended = processes.end(
        leader,
        workspace.folder.name,
        grace_s=GRACE_S,
        group_is_ours=lambda: _is_the_same(facts.get("pid"), facts.get("started")),
    )
    if not ended:
        log.error("processes of the run %s, which nobody watches, could not be ended", workspace.folder.name)


def _is_the_same(pid: object, started: object) -> bool:
    """Whether the process of this number is the one that was noted, not a later one."""
    found = processes.look_at(pid) if isinstance(pid, int) else None
    return found is not None and found.started == started
