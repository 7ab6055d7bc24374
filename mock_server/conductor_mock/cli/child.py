"""The command that runs beside a server, and the signals that it is handed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from conductor_mock.cli.unusable import Unusable
from conductor_mock.serving.environment import handed_out
from conductor_mock.serving.signals import EndingSignals


def run_command(command: Sequence[str], environment: Mapping[str, str], signals: EndingSignals) -> int:
    """Run `command` to its end, handing on the signals that end us; its exit code (128 + signal when killed)."""
    try:
        with signals.as_others_have_them():
            child = subprocess.Popen(list(command), env=handed_out(os.environ, environment))
    except OSError as error:
        raise Unusable(f"cannot run {command[0]}: {error.strerror or error}") from None

    def wait() -> None:
        child.wait()
        signals.wake()

    waiting = threading.Thread(target=wait, name="command", daemon=True)
    waiting.start()
    while number := signals.next():
        pressed = signals.from_terminal
        if pressed is None:
            pressed = _came_from_terminal(number)
        if not pressed:  # a terminal sends to the whole group, the command among it
            child.send_signal(number)
    waiting.join()
    code = child.returncode
    return code if code >= 0 else 128 - code


def _came_from_terminal(number: int) -> bool:
    """Whether a signal probably came by Ctrl-C: then this process is in the foreground of its terminal."""
    if number != signal.SIGINT:
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # there is none
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
