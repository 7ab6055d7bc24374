"""Uploads that kill themselves at their n-th step, each then done again: a program, since SIGKILL takes it all.

    python killed_uploads.py < plan.json > outcomes.json

The plan: ``environment`` (of the client), ``folder`` (of the files), ``homes`` (a folder for the homes of users, one
for each point), ``threads``, and ``points``: the steps to die at, 0 for none. Every point is an account of its own. A
step is a request that is about to be sent or was just answered, a block that was read from a file, a row that is
about to be remembered or just was. The program loads everything once and forks for every upload.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from conductor.lib.api_client import ApiClient
from conductor.lib.config import Config
from conductor.lib.file_utils import expand_paths
from conductor.lib.files.cache_file import CacheFile
from conductor.lib.files.local import look_at
from conductor.lib.md5_cache import Md5Cache
from conductor.lib.upload.file_body import FileBody
from conductor.lib.uploader import Uploader
from conductor.lib.wire.transport import Transport

F = TypeVar("F", bound=Callable[..., Any])

STEPS = ((Transport, "_attempt", True), (FileBody, "read", False), (CacheFile, "write", True))
"""What is counted: a method, and whether the moment before it is a step as well as the one after it."""


class Fuse:
    """Counts steps, and kills the process at one of them."""

    def __init__(self, at: int) -> None:
        self.at, self.steps = at, 0
        self._lock = threading.Lock()

    def burn(self) -> None:
        """Take a step."""
        with self._lock:
            self.steps += 1
            if self.steps == self.at:
                os.kill(os.getpid(), signal.SIGKILL)

    def lay(self) -> None:
        """Let the client take these steps."""
        for owner, name, before in STEPS:
            setattr(owner, name, self._with_steps(getattr(owner, name), before))

    def _with_steps(self, method: F, before: bool) -> Callable[..., Any]:
        def stepping(*arguments: Any, **named: Any) -> Any:
            if before:
                self.burn()
            result = method(*arguments, **named)
            self.burn()
            return result

        return stepping


def upload(plan: dict[str, Any], point: int, fuse: Fuse) -> dict[str, Any]:
    """Upload the plan's folder as the user of a point."""
    home = Path(plan["homes"]) / str(point)
    home.mkdir(exist_ok=True)
    key = {**json.loads(plan["environment"]["CONDUCTOR_API_KEY"]), "client_id": f"point-{point}"}
    environ = {
        **plan["environment"],
        "CONDUCTOR_API_KEY": json.dumps(key),
        "CONDUCTOR_THREAD_COUNT": str(plan["threads"]),
    }
    os.environ.update(environ, HOME=str(home), XDG_CACHE_HOME=str(home), XDG_CONFIG_HOME=str(home))
    # The files are as old as the test: without this clock they would be too new to be remembered.
    cache = Md5Cache(home / "cache", now_ns=lambda: 2**62)
    fuse.lay()
    with ApiClient(Config.load(environ=environ, home=home), transport=Transport(environ=environ)) as client:
        report = Uploader(client, cache=cache).upload(look_at(expand_paths([plan["folder"]])))
    return {
        "files": len(report.files),
        "sent": report.bytes_sent,
        "resumed": report.bytes_resumed,
        "steps": fuse.steps,
    }


def in_a_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What work in a forked process returned; None if it was killed. Raises RuntimeError if it failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            os.write(writer, json.dumps(work()).encode())
            code = 0
        except BaseException:  # noqa: BLE001 - the parent is told by the code, the reader by the text
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGKILL:
        return None
    if code != 0:
        raise RuntimeError(f"an upload ended with {code}")
    return dict(json.loads(said))


def main() -> None:
    plan = json.load(sys.stdin)
    outcomes = []
    for point in plan["points"]:
        first = in_a_child(lambda point=point: upload(plan, point, Fuse(point)))  # type: ignore[misc]
        again = in_a_child(lambda point=point: upload(plan, point, Fuse(0)))  # type: ignore[misc]
        outcomes.append({"point": point, "first": first, "again": again})
    json.dump(outcomes, sys.stdout)


if __name__ == "__main__":
    main()
