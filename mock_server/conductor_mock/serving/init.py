"""What the first process of a container owes the others: signals are handed on, and the dead are waited for.

Where `conductor-mock` is process 1, orphans become its children. To wait for every child would take the ends of its own
from whoever waits for them, so the first process does nothing else, and a child of it does the work.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

HANDED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")


def work_below_init(work: Callable[[], T], *, is_first: bool) -> T:
    """Do `work`; as the first process, in a child, and end as it ends. To be called before there are threads."""
    if not is_first:
        return work()
    wanted = {signal.SIGCHLD, *(signal.Signals[name] for name in HANDED_ON)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    child = os.fork()
    if not child:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return work()
    code = _until_ended(child, wanted)
    os._exit(code)


def _until_ended(child: int, wanted: set[signal.Signals]) -> int:
    """The exit code of a child, 128 and its signal's number if one ended it; every other child is waited for too."""
    while True:
        told = signal.sigwaitinfo(wanted)
        if told.si_signo != signal.SIGCHLD:
            if told.si_code <= 0:  # a process sent it; what a terminal sends has reached the child already
                with suppress(ProcessLookupError):
                    os.kill(child, told.si_signo)
            continue
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
