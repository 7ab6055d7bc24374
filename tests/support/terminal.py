"""A terminal for one program."""

from __future__ import annotations

import os
import pty
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO


@dataclass
class Terminal:
    """A program in the foreground of a terminal of its own, and what it has written there so far."""

    pid: int
    screen: IO[bytes]
    said: bytes = b""

    def wait_for(self, pattern: bytes) -> bytes:
        """What fits the pattern, once it was said."""
        while not (found := re.search(pattern, self.said)):
            self.said += self.screen.read(1024)
        return found.group()

    def press_ctrl_c(self, *, until: bytes) -> None:
        """Press Ctrl-C. The program itself hears of it once what is below it has said so: two signals that come before
        one of them is looked at are one.
        """
        os.kill(self.pid, signal.SIGSTOP)
        self.screen.write(b"\x03")
        self.wait_for(until)
        os.kill(self.pid, signal.SIGCONT)

    def code(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextmanager
def in_a_terminal(arguments: list[str]) -> Iterator[Terminal]:
    pid, terminal = pty.fork()
    if not pid:
        os.execv(arguments[0], arguments)
    with os.fdopen(terminal, "r+b", buffering=0) as screen:
        yield Terminal(pid, screen)
