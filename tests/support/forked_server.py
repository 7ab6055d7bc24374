"""Starts a server in a child for each line on standard input, and prints ``PID PORT KEY-JSON`` once it serves.

A line is a JSON object: the server's ``settings``, its ``port`` (0: any), and ``wall_us``, at which its clock stands
still (null: it goes). A server is ready in a tenth of the time that a program takes: everything was imported before. So
one may be killed a thousand times. The next line is read when the server of the last one has ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any


def serve(told: int, settings: dict[str, Any], *, port: int = 0, wall_us: int | None = None) -> None:
    """Serve until killed, or asked to end."""
    from conductor_mock.app import create_app
    from conductor_mock.context import service_of
    from conductor_mock.serving.server import Server
    from conductor_mock.settings import Settings
    from conductor_mock.store.wall import wall_us as real_wall

    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    given = Settings(**{**settings, "data_dir": Path(settings["data_dir"])})
    app = create_app(given, wall=real_wall if wall_us is None else lambda: wall_us)
    with Server(app, port=port) as server:
        line = f"{os.getpid()} {server.port} {service_of(app).keys.api_key()}\n"
        os.write(told, line.encode())
        over.wait()


def main() -> None:
    import conductor_mock.app
    import conductor_mock.serving.server  # noqa: F401

    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                serve(sys.stdout.fileno(), **asked)
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
