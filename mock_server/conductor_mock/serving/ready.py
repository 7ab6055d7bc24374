"""The ready file: what a server that accepts connections says of itself, for whoever waits or looks for it.

A regular file is there whole or not at all, and only as long as its server is. What is no regular file (a pipe, a
device) is written to, and stays.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from conductor_mock.store.durable import write_private

OWN_FILE = "server.json"
"""In the data directory: the ready file that every server has."""

_DEVICES = ("/dev/", "/proc/")


def write(path: Path, document: Mapping[str, Any]) -> None:
    """Tell of a server. A pipe takes it when somebody reads. Raises OSError."""
    text = json.dumps(document, indent=2) + "\n"
    if _is_replaced(path):
        write_private(path.resolve(), text, durable=False)  # after a power cut no server runs
    elif not _is_ours(path) and stat.S_ISFIFO(path.stat().st_mode):  # to open one waits for its reader
        threading.Thread(target=_write_into, args=(path, text), name="ready file", daemon=True).start()
    else:
        _write_into(path, text)


def clear(path: Path, *, pid: int | None = None) -> None:
    """Take a ready file away: any that is one, or only that of a process. Raises OSError."""
    if not _is_replaced(path):
        return
    found = read(path)
    if found is not None and (pid is None or found["pid"] == pid):
        path.resolve().unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any] | None:
    """What a regular ready file says (`url`, `pid`, `version`, `env`); None when there is none, or another file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        str(document["url"]), int(document["pid"]), dict(document["env"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return dict(document)


def of_running(directory: Path) -> dict[str, Any] | None:
    """What the server says of itself that runs on a data directory; None when none does, or it says nothing."""
    found = read(directory / OWN_FILE)
    return found if found is not None and is_running(directory) else None


def is_running(directory: Path) -> bool:
    """Whether a server runs on a data directory. Of several that share it the one that started last says where, and
    once it has stopped none does.
    """
    return _is_locked(directory / "lock")


def _is_ours(path: Path) -> bool:
    """Whether it is a device, or one of this process's own streams, open already."""
    return os.fspath(path.absolute()).startswith(_DEVICES)


def _is_replaced(path: Path) -> bool:
    if _is_ours(path):
        return False
    try:
        return stat.S_ISREG(path.stat().st_mode) or stat.S_ISDIR(path.stat().st_mode)
    except FileNotFoundError:
        return True


def _write_into(path: Path, text: str) -> None:
    with suppress(BrokenPipeError), path.open("w", encoding="utf-8") as file:  # whoever read has seen enough
        file.write(text)


def _is_locked(path: Path) -> bool:
    """Whether a server holds a lock. Raises nothing: one that cannot be looked at is held by nobody we could ask."""
    if not path.exists():
        return False
    import filelock  # it loads a good deal, and few commands look

    lock = filelock.FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False
