"""The environment of a run: a minimal one, the job's over it, the private folders over both.

Nothing of the server's own environment is handed on but its PATH, behind the job's, and what tells language and time
zone. So no secret of the server gets into a task.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from conductor_mock.execution.leaks import Guard, LeakError
from conductor_mock.execution.processes import MARK

HANDED_ON = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")
PRIVATE = ("HOME", "TMPDIR", "TMP", "TEMP")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a command finds its own: the folder that mapped paths lie in, HOME, and that for temporary files."""

    folder: str
    home: str
    temporary: str


class EnvironmentProblemError(ValueError):
    """A variable that no process can have, or that leads out of the private folder; the text names it."""


def compose(
    job: Mapping[str, str], guard: Guard, places: Places, *, run: str, server: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of a run. `job` is the payload's, whose values are mapped. Raises EnvironmentProblemError.

    HOME and the folders for temporary files are the private ones, whatever the job says.
    """
    path = server.get("PATH") or os.defpath
    found = {name: server[name] for name in HANDED_ON if name in server}
    found |= {"PATH": path, "SHELL": "/bin/sh"}
    for name, value in job.items():
        _check(name, value)
        found[name] = _mapped(name, value, guard, places.folder)
    if job.get("PATH"):
        found["PATH"] = f"{found['PATH']}{os.pathsep}{path}"
    elif "PATH" in job:
        found["PATH"] = path
    found |= dict.fromkeys(PRIVATE, places.temporary)
    found["HOME"] = places.home
    found[MARK] = run
    return found


def _mapped(name: str, value: str, guard: Guard, folder: str) -> str:
    mapped = guard.tree.map(value, folder, is_command=False)
    try:
        guard.check(mapped, folder, is_command=False)
    except LeakError as error:
        raise EnvironmentProblemError(f"the environment variable {name[:80]!r}: {error}") from None
    return mapped


def _check(name: str, value: str) -> None:
    shown = repr(name[:80])
    if not name or "=" in name or "\0" in name or "\0" in value:
        raise EnvironmentProblemError(
            f"the environment variable {shown} cannot be set: '=' or NUL in it, or no name"
        )
    try:
        os.fsencode(name + value)
    except UnicodeEncodeError:
        raise EnvironmentProblemError(f"the environment variable {shown} is no text") from None
