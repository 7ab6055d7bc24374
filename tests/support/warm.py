"""Programs of this project as processes that are forked off one in which everything was imported before.

A start from nothing takes a second of processor time, nearly all of it imports, and tests start hundreds. What is
forked sees what it would after an exec: its arguments, environment, folder, streams, signals, limits and session, no
file and no thread of anybody else. It is a child of the caller (`tests/mock_server/test_warm_starts.py` compares). Not
so are `/proc/PID/cmdline`, and what a start itself costs or imports: tests about these start from nothing.
"""

from __future__ import annotations

import atexit
import ctypes
import inspect
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]

_PATIENCE_S = 60
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_LIMITS = sorted(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))


def started(
    module: str,
    arguments: Sequence[str],
    *,
    cold: bool = False,
    stdin: Any = None,
    stdout: Any = None,
    stderr: Any = None,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    start_new_session: bool = False,
) -> subprocess.Popen[str]:
    """`python -m module arguments` as a process of its own, its pipes of text; `cold` starts it from nothing.

    It starts from nothing, too, where there is no Linux, and where the environment has another
    word for the interpreter.
    """
    is_warm = sys.platform == "linux" and not cold
    if is_warm:
        wanted = _for_the_interpreter(os.environ if env is None else env)
        is_warm = wanted == _parent_of(os.getpid(), module).environment
    return (_Forked if is_warm else subprocess.Popen)(
        [sys.executable, "-m", module, *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=env,
        start_new_session=start_new_session,
        text=True,
    )


def _for_the_interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    """What Python itself reads before it comes to a program."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(("PYTHON", "LC_", "LD_")) or name in ("LANG", "LANGUAGE")
    }


class _Forked(subprocess.Popen[str]):
    """A process that a warm parent forks. Pipes, waiting and signals are those of any other one."""

    def _execute_child(self, *given: Any) -> None:
        """What starts the process: the one part that is another."""
        usual = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]
        asked = usual.bind(self, *given).arguments
        ends = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        _, _, module, *arguments = asked["args"]
        self.pid = _parent_of(os.getpid(), module).fork(
            [number if end == -1 else end for number, end in enumerate(ends)],
            arguments=arguments,
            cwd=os.fspath(asked["cwd"] or Path.cwd()),
            environment=dict(os.environ if asked["env"] is None else asked["env"]),
            new_session=asked["start_new_session"],
        )
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[name] for name in pipes))  # type: ignore[attr-defined]


class _Parent:
    """The process that has imported a program, and forks."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_PATIENCE_S)
        self.environment = _for_the_interpreter(os.environ)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "support.warm_parent", str(theirs.fileno()), module],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=TESTS,
                pass_fds=[theirs.fileno()],
            )

    def fork(self, streams: Sequence[int], **asked: Any) -> int:
        """Fork a program with these streams; its process, a child of ours."""
        asked |= {
            "umask": int(_status("Umask"), 8),
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            "ignored": sorted(
                one for one in signal.valid_signals() if signal.getsignal(one) is signal.SIG_IGN
            ),
            "limits": [[one, *resource.getrlimit(one)] for one in _LIMITS],
        }
        with self._lock, _orphans_come_here():
            socket.send_fds(self._socket, [b"+"], list(streams))
            self._socket.sendall(json.dumps(asked).encode() + b"\n")
            pid = int(self._socket.recv(32) or 0)
        if not pid:
            raise ChildProcessError(f"the warm parent of {self._module} has ended: what it said is above")
        return pid

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # whatever else was forked here has it open, too
        self._socket.close()
        self._process.wait(_PATIENCE_S)


def _parent_of(caller: int, module: str) -> _Parent:
    """The warm parent of a program. A fork of the caller has another one, as its children are not the caller's."""
    with _ONE_EACH:
        return _started_parent(caller, module)


_ONE_EACH = threading.Lock()


@cache
def _started_parent(caller: int, module: str) -> _Parent:
    parent = _Parent(module)
    atexit.register(lambda: parent.close() if os.getpid() == caller else None)
    return parent


@contextmanager
def _orphans_come_here() -> Iterator[None]:
    """For the block, whoever below us loses its parent is our child from then on, and not that of process 1."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this process may not take in orphans")
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _status(name: str) -> str:
    """A line of what the system tells of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{name}:"))
