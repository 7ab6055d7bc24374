"""The processes of a server with workers, and waiting for what they do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from support.served import PATIENCE_S, ServedProcess


def workers_of(server: ServedProcess) -> list[int]:
    """The processes of its workers."""
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid: int) -> bool:
    """Whether a process runs; one that waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait for another process."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, what
        pause.wait(0.05)
