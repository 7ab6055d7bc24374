"""One run, start to end, wherever an executor puts it: fill the folder, start the process, watch it, collect.

`run` is a function of its order alone, and may happen in another process or on another machine that sees the same
files. It is ended from outside by a file in its folder (`Workspace.cancel`).
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from conductor_mock.execution import collection, folders, processes, sandbox
from conductor_mock.execution.collection import CollectionError
from conductor_mock.execution.folders import LinkError
from conductor_mock.execution.order import MIB, Order, Report
from conductor_mock.execution.processes import Process
from conductor_mock.execution.workspace import OpenSource, Workspace, WorkspaceError, open_path, why
from conductor_mock.farm.statuses import Outcome
from conductor_mock.wire.masking import mask_variable

POLL_S = 0.05
LOOK_S = 0.25
"""Between two looks at what a run has written, at least; a look that takes long is repeated less often."""

BLOCK = 1 << 16
MIN_FREE = 256 * MIB
NPROC_HEADROOM = 4096
"""Threads that a run may add to those that its user has: the kernel's limit is per user, so it must leave room."""

_CANCELLED = "cancelled"
"""Why a run ends that nobody wants any more."""

LAUNCHER = Path(__file__).with_name("launch.py")


def run(order: Order, open_source: OpenSource = open_path) -> Report:
    """Run a task to its end. Never raises: what goes wrong is a report too."""
    workspace = Workspace(order.folder)
    try:
        if not workspace.claim():
            return Report(Outcome.LOST, reason="whoever ran it is gone")
        workspace.open()
        with workspace.log.open("ab", buffering=0) as file:
            return _Run(order, workspace, _Log(file, order.limits.log), open_source).report()
    except (WorkspaceError, CollectionError) as error:
        return Report(Outcome.FAILED, reason=str(error))
    except OSError as error:
        if workspace.is_cancelled():  # its folder may be gone
            return Report(None)
        return Report(Outcome.FAILED, reason=f"it could not be run: {why(error)}")
    finally:
        workspace.close()


class _Log:
    """What a run says, kept up to a limit; what comes behind it is counted and let go.

    `size` is what the command has said, `kept` the bytes of the file that are written here.
    """

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._most = most
        self.size = self.kept = 0
        self.is_full = False

    def write(self, data: bytes) -> None:
        room = self._most - self.size
        self.size += len(data)
        if room > 0:
            self._put(data[:room])
        if self.size > self._most and not self.is_full:
            self.is_full = True
            self._put(f"\n[the log is cut here, after {self._most} bytes]\n".encode())

    def note(self, line: str) -> None:
        """A line of ours, which the limit does not cut."""
        self._put(line.encode("utf-8", "replace") + b"\n")

    def _put(self, data: bytes) -> None:
        self.kept += len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]


class _Run:
    """A run under way."""

    def __init__(self, order: Order, workspace: Workspace, log: _Log, open_source: OpenSource) -> None:
        self._order = order
        self._open_source = open_source
        self._limits = order.limits
        self._workspace = workspace
        self._log = log
        self._deadline = time.monotonic() + order.limits.timeout_s
        self._next_look = 0.0
        self._most_files = order.limits.files + len(order.inputs)
        self._base = 0
        self._is_a_crowd = False
        """More processes than may be: what forks for ever would only go on through the grace."""

    def report(self) -> Report:
        order, workspace = self._order, self._workspace
        workspace.note_run(host=socket.gethostname(), boot=processes.boot_id())
        for name, value in sorted(order.environment.items()):
            if name != processes.MARK:
                self._log.note(f"{name}={mask_variable(name, value)}")
        workspace.fill(order, self._open_source)
        self._log.note(f"$ {order.command}")
        before = collection.look(workspace.root, order.output) if order.output else {}
        self._base, _ = self._size()
        if workspace.is_cancelled():
            return Report(None)
        why_ended, code = self._run_command()
        if why_ended is None:  # it may have been quicker than the looks at it
            why_ended = self._over()
        if why_ended == _CANCELLED:
            return Report(None)
        if why_ended is not None or code != 0:
            return Report(Outcome.FAILED, code, why_ended or _why_it_failed(code, self._limits.output))
        if not order.output:
            return Report(Outcome.SUCCESS, 0)
        collected = collection.collect(
            workspace.root,
            order.output,
            before,
            spelling="" if order.sandbox is None else sandbox.output_spelling(order),
        )
        for line in collected.refused:
            self._log.note(f"[{line}]")
        if collected.unsaid:
            self._log.note(f"[{collected.unsaid} more are not collected]")
        return Report(Outcome.SUCCESS, 0, "", tuple(collected.made))

    def _run_command(self) -> tuple[str | None, int]:
        """Run the command; why it was ended, if it was, and its exit code. All of its processes are gone then."""
        self._write_start()
        reading, writing = os.pipe()
        try:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(LAUNCHER), str(self._workspace.start)],
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=writing,
                    cwd=self._workspace.home,
                    env={processes.MARK: self._order.run},
                    start_new_session=True,
                )
            finally:
                os.close(writing)
            os.set_blocking(reading, False)
            grace_s = self._limits.grace_s
            try:
                self._note_process(process.pid)
                why_ended = self._watch(process.pid, reading)
                grace_s = 0 if self._is_a_crowd else grace_s
            finally:
                # Until the leader is waited for below, its number is its own, and its group can be signalled safely.
                processes.end(
                    process.pid,
                    self._order.run,
                    grace_s=grace_s,
                    group_is_ours=lambda: process.returncode is None,
                )
                code = process.wait()
            self._drain(reading)
        finally:
            os.close(reading)
        return why_ended, code if code >= 0 else 128 - code

    def _write_start(self) -> None:
        order = self._order
        arguments, options = ["/bin/sh", str(self._workspace.script)], list[str]()
        if order.sandbox is not None:
            arguments, options = sandbox.arguments(order, order.sandbox)
        memory = {} if self._limits.memory is None else {"AS": self._limits.memory}
        start = {
            "arguments": arguments,
            "options": options,
            "environment": self._order.environment,
            "limits": {
                "CORE": 0,
                "FSIZE": self._limits.output,
                "NPROC": processes.threads_of_user() + NPROC_HEADROOM,
                **memory,
            },
        }
        self._workspace.start.write_text(json.dumps(start), encoding="ascii")

    def _note_process(self, pid: int) -> None:
        found = processes.look_at(pid)
        self._workspace.note_run(pid=pid, started=None if found is None else found.started)

    def _watch(self, pid: int, reading: int) -> str | None:
        """Keep what the command says until it ends; None, or why it has to be ended."""
        while True:
            is_open = self._drain(reading, POLL_S)
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None:
                return None
            if not is_open:
                time.sleep(POLL_S)  # it has closed its outputs, and goes on
            problem = self._problem(pid)
            if problem is not None:
                return problem

    def _problem(self, pid: int) -> str | None:
        if self._workspace.is_cancelled():
            return _CANCELLED
        now = time.monotonic()
        if now > self._deadline:
            return f"it took longer than {self._limits.timeout_s:g} s (--execute-timeout)"
        if now < self._next_look:
            return None
        problem = self._over()
        if problem is None:
            problem = self._crowd(processes.started_by(pid))
        done = time.monotonic()
        self._next_look = done + max(LOOK_S, 5 * (done - now))
        return problem

    def _crowd(self, found: list[Process]) -> str | None:
        limits = self._limits
        if len(found) > limits.processes:
            self._is_a_crowd = True
            return f"it had more than {limits.processes} processes (--execute-processes)"
        if limits.memory is not None and sum(process.memory for process in found) > limits.memory:
            return f"it used more than {limits.memory} bytes of memory (--execute-memory)"
        return None

    def _over(self) -> str | None:
        size, count = self._size()
        written = size - self._base + self._log.size
        if written > self._limits.output:
            return f"it wrote more than {self._limits.output} bytes (--execute-max-output)"
        if count > self._most_files:
            return f"it made more than {self._limits.files} files"
        if written > 0 and shutil.disk_usage(self._workspace.folder).free < MIN_FREE:
            return f"the disk has less than {MIN_FREE // MIB} MiB left"
        return None

    def _size(self) -> tuple[int, int]:
        """Bytes and number of the files in the private folder, but for the log, which is counted as it comes."""
        size = count = 0
        try:
            for found in folders.walk(self._workspace.root):
                count += 1
                if found.status is not None and not stat.S_ISDIR(found.status.st_mode):
                    size += found.status.st_size
                if count > self._most_files:
                    break
        except LinkError:  # the command moves folders about: the next look counts again
            pass
        return size - self._log.kept, count

    def _drain(self, reading: int, wait_s: float = 0) -> bool:
        """Keep what the command has printed, waiting a little for it; whether it can print more."""
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        if not poll.poll(1000 * wait_s):
            return True
        for _ in range(64):  # then look at the clock again
            try:
                data = os.read(reading, BLOCK)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._log.write(data)
        return True


def _why_it_failed(code: int, output: int) -> str:
    if code == 128 + signal.SIGXFSZ:
        return f"it wrote a file of more than {output} bytes (--execute-max-output)"
    if code > 128 and code - 128 in set(signal.Signals):
        return f"it was ended by {signal.Signals(code - 128).name}"
    return "" if code != 127 else "the shell found no such command"
