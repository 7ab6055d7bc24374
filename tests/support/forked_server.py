"""Starts a server in a child for each line on standard input, ``DIRECTORY EXECUTE``, and prints ``PID PORT KEY-JSON``.

A server is ready in a tenth of the time that a program takes: everything was imported before. So one may be killed a
thousand times.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any


def serve(directory: Path, execute: bool, told: int) -> None:
    """Serve until killed, or until standard input of the parent's program ends."""
    from conductor_mock.app import create_app
    from conductor_mock.context import service_of
    from conductor_mock.serving.server import Server
    from conductor_mock.settings import Settings

    settings: dict[str, Any] = {"execute": True, "execute_slots": 2} if execute else {}
    app = create_app(Settings(data_dir=directory, speed=0, part_size=8, **settings))
    with Server(app) as server:
        line = f"{os.getpid()} {server.port} {service_of(app).keys.api_key()}\n"
        os.write(told, line.encode())
        threading.Event().wait()


def main() -> None:
    import conductor_mock.app
    import conductor_mock.serving.server  # noqa: F401

    for line in sys.stdin:
        directory, execute = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                serve(Path(directory), execute, sys.stdout.fileno())
                code = 0
            except BaseException:  # noqa: BLE001 - it is told below, and the child ends here in any case
                import traceback

                traceback.print_exc()
                os.write(sys.stdout.fileno(), b"0 0 null\n")
            finally:
                os._exit(code)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
