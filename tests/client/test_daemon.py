"""The loop of daemons: when it works, how long it waits, when it ends. No clock runs."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.daemons.json_log import JsonFormatter
from conductor.lib.daemons.loop import Daemon, Pace
from conductor.lib.daemons.signals import ending_by_signals
from conductor.lib.exceptions import (
    ConductorError,
    LoginError,
    OutcomeUnknownError,
    RefusedError,
    UnexpectedAnswerError,
    UnreachableError,
)

MIDDLE = 0.5
"""Of the draws, the one that gives exactly the time that is wanted."""


class World:
    """A daemon whose work follows a script; after its end it is cancelled."""

    def __init__(self, script: list[bool | ConductorError]) -> None:
        self.script = list(script)
        self.waits: list[float] = []
        self.statuses: list[str] = []
        self.now = 0.0
        self.cancellation = Cancellation()
        self.daemon = Daemon(
            self.work,
            self.cancellation,
            pace=Pace(idle=10.0, first=2.0, longest=60.0),
            on_status=self.statuses.append,
            wait=self.wait,
            draw=lambda: MIDDLE,
            clock=lambda: self.now,
        )

    def work(self) -> bool:
        if not self.script:
            self.cancellation.cancel()
            return False
        event = self.script.pop(0)
        if isinstance(event, ConductorError):
            raise event
        return event

    def wait(self, seconds: float) -> None:
        if not self.cancellation.cancelled:
            self.waits.append(seconds)
            self.now += seconds


AWAY = UnreachableError("no answer")


def test_work_follows_work_at_once_and_a_pause_follows_none() -> None:
    world = World([True, True, False, True, False, False])
    world.daemon.run()
    assert world.waits == [10.0, 10.0, 10.0]


def test_the_waits_grow_while_the_server_is_away_and_begin_anew_when_it_is_back() -> None:
    world = World([*[AWAY] * 7, False, AWAY])
    world.daemon.run()
    assert world.waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 10.0, 2.0]
    assert "the service is unavailable: next try in 2 s" in world.statuses


@pytest.mark.parametrize(
    "error", [AWAY, OutcomeUnknownError("lost"), UnexpectedAnswerError("a proxy's page")]
)
def test_what_passes_by_itself_is_waited_out(error: ConductorError) -> None:
    world = World([error, True])
    world.daemon.run()
    assert world.script == []


@pytest.mark.parametrize("error", [LoginError("no"), RefusedError("no")])
def test_what_does_not_pass_ends_the_daemon(error: ConductorError) -> None:
    with pytest.raises(type(error)):
        World([error]).daemon.run()


def test_once_ends_when_nothing_is_left_and_waits_for_no_server() -> None:
    world = World([True, False, True])
    world.daemon.run(once=True)
    assert (world.script, world.waits) == ([True], [])
    with pytest.raises(UnreachableError):
        World([AWAY]).daemon.run(once=True)


def test_a_daemon_ends_when_it_was_idle_for_long_enough() -> None:
    world = World([False, False, True, *[False] * 10])
    world.daemon.run(max_idle=25)
    assert world.waits == [10.0] * 5
    assert len(world.script) == 6


def test_being_cancelled_in_the_middle_of_work_is_a_clean_end() -> None:
    world = World([CancelledError("cancelled")])
    world.daemon.run()
    assert world.waits == []


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_every_pause_is_long_enough_to_be_one_and_bounded(failures: int, draw: float) -> None:
    pace = Pace(idle=15.0, first=2.0, longest=300.0)
    pause = pace.pause(failures, lambda: draw)
    assert 1.5 <= pause <= 375.0


@pytest.fixture
def handlers() -> object:
    """The handlers as they are, to compare with."""
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_cancels_and_the_handlers_are_put_back(
    number: signal.Signals, handlers: object
) -> None:
    cancellation = Cancellation()
    with ending_by_signals(cancellation):
        os.kill(os.getpid(), number)
        assert cancellation.wait(60)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_the_second_signal_has_its_usual_effect() -> None:
    def interrupted_twice() -> None:
        with ending_by_signals(Cancellation()):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(60)

    with pytest.raises(KeyboardInterrupt):
        interrupted_twice()


def test_a_signal_that_another_thread_took_cancels_too() -> None:
    """The main thread waits, and nothing wakes it but the cancellation."""
    cancellation = Cancellation()
    with ending_by_signals(cancellation):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # in this thread alone
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            assert cancellation.wait(60)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_outside_the_main_thread_signals_are_left_alone(handlers: object) -> None:
    seen: list[object] = []

    def look() -> None:
        with ending_by_signals(Cancellation()):
            seen.extend(signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == handlers


def record(message: str, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("conductor.daemon", logging.INFO, "", 0, message, ("x",), None)
    made.created = 1_700_000_000.5
    if fields:
        made.fields = fields
    return made


def test_a_log_record_is_a_line_of_json() -> None:
    line = JsonFormatter().format(record("new\nline %s", event="batch", fetched=3))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.500+00:00",
        "level": "INFO",
        "logger": "conductor.daemon",
        "message": "new\nline x",
        "event": "batch",
        "fetched": 3,
    }
