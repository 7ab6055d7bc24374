"""Imports a program and forks a process for each start that it is asked for: ``warm_parent.py SOCKET MODULE``.

A start is a byte with the three streams, and a line of JSON; the answer is a line with the number of the process.
`support.warm` asks. The process is forked by a child that ends before it begins, so it is a child of whoever asked.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import resource
import runpy
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

IMPORTED = {
    "conductor_mock": (
        "conductor_mock.cli.serve_together",
        *(f"conductor_mock.cli.{name}" for name in ("child", "data", "env", "logs", "run", "serve")),
        *(f"conductor_mock.commands.{name}" for name in ("clock", "faults", "jobs", "reset")),
        *(f"conductor_mock.dashboard.{name}" for name in ("job", "jobs", "live", "task")),
        "requests",
    ),
    "support.forked_server": ("conductor_mock.app", "conductor_mock.serving.server"),
    "support.what_a_program_sees": ("json", "random", "tempfile"),
}
"""What is imported before, for each program: as little of it is run as its own start would run."""

READ = {
    "conductor_mock": (
        "conductor_contracts.contract.load",
        "conductor_contracts.contract.load_control",
        "conductor_mock.catalog.default",
    )
}
"""What is called before: each reads a file of the program that stays as it is, and keeps what it has read."""


def main() -> None:
    """Answer starts until there is nobody who asks; in a process that was started, be the program."""
    control, module = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # Ctrl-C reaches us beside who asks, and is not ours to tell of
    for name in IMPORTED[module]:
        importlib.import_module(name)
    for name in READ.get(module, ()):
        where, _, function = name.rpartition(".")
        getattr(importlib.import_module(where), function)()
    _check_alone({0, 1, 2, control.fileno()})
    gc.collect()
    gc.freeze()  # what all share is not looked at again and again, and so not copied
    asked = _wait(control)
    if asked is None:
        return
    _become(asked, module)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _check_alone(known: set[int]) -> None:
    """A file or a thread that an import left here would be in every process, or be missing in it."""
    there = {int(path.name) for path in list(Path("/proc/self/fd").iterdir()) if path.exists()}
    threads = list(Path("/proc/self/task").iterdir())
    assert there == known, f"an import holds files open: {sorted(there - known)}"
    assert len(threads) == 1, f"an import has started {len(threads) - 1} threads"


def _wait(control: socket.socket) -> dict[str, Any] | None:
    """In each process that is to be a program what was asked for; None, here, when nobody asks any more."""
    while True:
        first, streams, _, _ = socket.recv_fds(control, 1, 3)
        if not first:
            return None
        asked = _line(control)
        told, tell = os.pipe()
        begin, hold = os.pipe()
        middle = os.fork()
        if not middle:
            pid = os.fork()
            if pid:
                os.write(tell, b"%d\n" % pid)
                os._exit(0)
            os.close(hold)
            os.read(begin, 1)  # until we are the child of who asks
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            for number in (*streams, told, tell, begin, control.detach()):
                os.close(number)
            return asked
        os.waitpid(middle, 0)
        control.sendall(os.read(told, 32))
        for number in (*streams, told, tell, begin, hold):
            os.close(number)


def _line(control: socket.socket) -> dict[str, Any]:
    read = b""
    while not read.endswith(b"\n"):
        more = control.recv(1 << 16)
        if not more:
            raise EOFError("half of a start was asked for")
        read += more
    asked: dict[str, Any] = json.loads(read)
    return asked


def _become(asked: dict[str, Any], module: str) -> None:
    """Be in the place that a process has after an exec."""
    if asked["new_session"]:
        os.setsid()
    os.umask(asked["umask"])
    for which, soft, hard in asked["limits"]:
        if resource.getrlimit(which) != (soft, hard):
            resource.setrlimit(which, (soft, hard))
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    os.chdir(asked["cwd"])
    sys.path[0] = str(Path.cwd())
    sys.argv = ["-m", *asked["arguments"]]
    sys.orig_argv[1:] = ["-m", module, *asked["arguments"]]
    _open_streams()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in signal.valid_signals():
        if number in asked["ignored"]:
            with suppress(OSError):  # those that nobody may ignore
                signal.signal(number, signal.SIG_IGN)
        elif signal.getsignal(number) is signal.SIG_IGN:  # by whoever started us, and not by who asks
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, asked["blocked"])


def _open_streams() -> None:
    """Standard streams anew, as Python opens them: those of ours know whether what was there before can be sought."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        old = getattr(sys, name)
        at_once = old.write_through  # PYTHONUNBUFFERED
        buffer = 0 if at_once and mode == "w" else -1
        opened: Any = open(old.fileno(), f"{mode}b", buffer, closefd=False)  # noqa: SIM115 - until the end
        lines = not at_once and (name == "stderr" or opened.isatty())
        options = {"newline": "\n", "line_buffering": lines, "write_through": at_once}
        new: Any = io.TextIOWrapper(opened, old.encoding, old.errors, **options)
        getattr(opened, "raw", opened).name, new.mode = old.name, mode
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


if __name__ == "__main__":
    main()
