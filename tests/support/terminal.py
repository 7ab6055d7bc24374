"""A terminal for one program."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from support.served import PATIENCE_S


@dataclass
class Terminal:
    """A program in the foreground of a terminal of its own, and what it has written there so far."""

    process: subprocess.Popen[bytes]
    screen: IO[bytes]
    said: bytes = b""

    def wait_for(self, pattern: bytes) -> bytes:
        """What fits the pattern, once it was said."""
        while not (found := re.search(pattern, self.said)):
            self.said += self._read()
        return found.group()

    def _read(self) -> bytes:
        """The next of it. Until the program has opened its terminal, and after its end, there is nobody there."""
        while True:
            try:
                return self.screen.read(1024)
            except OSError:
                if self.process.poll() is not None:
                    raise
                os.sched_yield()

    def press_ctrl_c(self, *, until: bytes) -> None:
        """Press Ctrl-C. The program itself hears of it once what is below it has said so: two signals that come before
        one of them is looked at are one.
        """
        os.kill(self.pid, signal.SIGSTOP)
        self.screen.write(b"\x03")
        self.wait_for(until)
        os.kill(self.pid, signal.SIGCONT)
        while self._has_pending(
            signal.SIGINT
        ):  # a second one that comes before it is taken would be the same one
            os.sched_yield()

    def _has_pending(self, number: signal.Signals) -> bool:
        """Whether a signal was sent to the program that it has not taken yet."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        (pending,) = re.findall(r"^ShdPnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
        return bool(int(pending, 16) >> (number - 1) & 1)

    def code(self) -> int:
        """Wait for the end of the program; its exit code."""
        return self.process.wait(PATIENCE_S)

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def in_a_terminal(arguments: list[str]) -> Iterator[Terminal]:
    """A program in a terminal; killed at the end if it still runs."""
    ours, theirs = os.openpty()
    # The first terminal that the leader of a session opens is the session's, and the leader is in its foreground.
    begin = ["sh", "-c", 'exec "$@" <>"$0" >&0 2>&0', os.ttyname(theirs), *arguments]
    with (
        subprocess.Popen(begin, start_new_session=True) as process,
        os.fdopen(ours, "r+b", buffering=0) as screen,
    ):
        os.close(theirs)
        try:
            yield Terminal(process, screen)
        finally:
            process.kill()
