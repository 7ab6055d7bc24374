"""Signals that end a command, from a process or a terminal: whom they reach, and what they leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conductor_mock.serving.signals import ENDING
from support.served import PATIENCE_S, command
from support.terminal import in_a_terminal
from support.warm import started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_each_ending_signal_leaves_no_process_and_no_folder(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    program = "import signal, sys; print('up', flush=True); signal.pause()"
    process = started(
        "conductor_mock",
        ["run", "--", sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.wait(PATIENCE_S) in (128 + number, 1, 130)
        assert process.stdout.read() == "", "the command has closed its output, so it has ended"
    assert list(tmp_path.iterdir()) == []


def test_a_server_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            *("sh", "-c", 'trap "" HUP; exec "$@"', "sh"),
            *command("serve", "--port", "0", "--ephemeral", "--ready-file", "/dev/stdout"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "{\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


COUNTS = """
import signal, sys, threading
seen = []
def note(*_):
    seen.append(1)
    print("so far", len(seen), flush=True)
def end(*_):
    print("seen", len(seen), flush=True)
    sys.exit(5)
signal.signal(signal.SIGINT, note)
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
while True:
    threading.Event().wait(0.05)  # `signal.pause` misses one that comes just before it
"""


def test_an_interrupt_that_a_process_sends_is_handed_on_in_the_foreground_too() -> None:
    """To the command it is as good as Ctrl-C, which it would have heard of by itself."""
    with in_a_terminal(command("run", "--", sys.executable, "-c", COUNTS)) as terminal:
        terminal.wait_for(b"up")
        for count in (b"1", b"2"):
            os.kill(terminal.pid, signal.SIGINT)
            terminal.wait_for(b"so far " + count)
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.wait_for(rb"seen \d\r\n") == b"seen 2\r\n"
        assert terminal.code() == 5


def test_no_signal_is_blocked_in_the_command_of_run() -> None:
    program = "import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    said = subprocess.run(
        command("run", "--", sys.executable, "-c", program), capture_output=True, text=True, check=True
    )
    assert said.stdout == "set()\n"


def test_ctrl_c_reaches_the_command_of_run_once() -> None:
    with in_a_terminal(command("run", "--", sys.executable, "-c", COUNTS)) as terminal:
        terminal.wait_for(b"up")
        terminal.press_ctrl_c(until=b"so far 1")
        os.kill(terminal.pid, signal.SIGTERM)  # Python looks at what has come in the order of the numbers
        assert terminal.wait_for(rb"seen \d\r\n") == b"seen 1\r\n"
        assert terminal.code() == 5


def test_ctrl_c_twice_is_as_once(tmp_path: Path) -> None:
    with in_a_terminal(command("serve", "--port", "0", "--data-dir", str(tmp_path / "data"))) as terminal:
        terminal.wait_for(b"point clients")
        terminal.screen.write(b"\x03")
        terminal.wait_for(b"stopping")
        terminal.screen.write(b"\x03")
        assert terminal.code() == 0
        assert b"Traceback" not in terminal.said


def test_a_signal_ends_a_command_that_is_no_server_in_order_too(tmp_path: Path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    for number in ENDING:
        process = started(
            "conductor_mock",
            ["demo", "--folder", str(tmp_path / number.name)],
            env={**os.environ, "TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert "fake Conductor service" in process.stdout.readline()
        process.send_signal(number)
        said = process.communicate(timeout=PATIENCE_S)[1]
        assert (process.returncode, said) == (128 + number, "")
        assert list(folder.iterdir()) == []


AS_INIT = """
import ctypes, os, signal, sys
from pathlib import Path
from conductor_mock.serving.init import work_below_init
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
init = os.getpid()
"""
"""A subreaper stands in for process 1: orphans below it become its children too."""


def test_the_first_process_waits_for_orphans_and_ends_as_its_work_does() -> None:
    program = """
def children():
    return Path(f"/proc/{os.getppid()}/task/{os.getppid()}/children").read_text().split()
def work():
    reading, writing = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:  # an orphan as soon as its parent has ended
            while os.getppid() != init:
                pass
            os.write(writing, b"x")
        os._exit(0)
    os.wait()
    os.read(reading, 1)
    while children() != [str(os.getpid())]:
        pass
    signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    os.kill(os.getppid(), signal.SIGTERM)
    while True:
        signal.pause()
work_below_init(work, is_first=True)
"""
    finished = subprocess.run(
        [sys.executable, "-c", AS_INIT + program],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert (finished.returncode, finished.stderr) == (7, "")


def test_the_first_process_hands_on_what_a_process_sends_and_not_what_the_terminal_sent_to_all() -> None:
    work = f"work_below_init(lambda: exec({COUNTS!r}, {{}}), is_first=True)"
    with in_a_terminal([sys.executable, "-c", AS_INIT + work]) as terminal:
        terminal.wait_for(b"up")
        terminal.press_ctrl_c(until=b"so far 1")
        os.kill(terminal.pid, signal.SIGINT)
        terminal.wait_for(b"so far 2")
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.wait_for(rb"seen \d\r\n") == b"seen 2\r\n"
        assert terminal.code() == 5


def test_a_command_has_its_exit_code_though_our_parent_wanted_to_hear_of_no_child() -> None:
    deaf = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    finished = subprocess.run(
        [sys.executable, "-c", deaf, *command("run", "--", "sh", "-c", "exit 3")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert finished.returncode == 3, finished.stderr
