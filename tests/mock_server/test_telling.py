"""A trouble that goes on is told when it begins, now and then while it lasts, and when it is over."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.store.telling import Telling


class Told(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


def a_log() -> tuple[logging.Logger, Told]:
    log, told = logging.Logger("told", logging.INFO), Told()
    log.addHandler(told)
    return log, told


@given(st.lists(st.tuples(st.integers(0, 100), st.booleans()), max_size=30))
def test_a_trouble_is_told_once_a_minute_and_its_end_once(story: list[tuple[int, bool]]) -> None:
    log, told = a_log()
    now_s, last_s, expected = 0, None, []
    telling = Telling(log, again_s=60, seconds=lambda: now_s)
    for passed_s, is_there in story:
        now_s += passed_s
        if is_there:
            telling.goes_on("%s is away", "it")
            if last_s is None or now_s - last_s >= 60:
                expected.append("WARNING it is away")
                last_s = now_s
        else:
            telling.is_over("%s is back", "it")
            if last_s is not None:
                expected.append("INFO it is back")
                last_s = None
    assert told.lines == expected


def test_what_was_never_there_is_not_told_to_be_over() -> None:
    log, told = a_log()
    Telling(log).is_over("it is back")
    assert told.lines == []


@pytest.mark.parametrize("lasts_s", [1, 59])
def test_a_second_look_at_the_same_trouble_says_nothing(lasts_s: int) -> None:
    log, told = a_log()
    times = iter([0.0, float(lasts_s)])
    telling = Telling(log, seconds=lambda: next(times))
    telling.goes_on("it is away")
    telling.goes_on("it is away")
    assert told.lines == ["WARNING it is away"]


def test_a_trouble_that_goes_on_is_told_again_after_the_very_time() -> None:
    log, told = a_log()
    times = iter([5.0, 64.0, 65.0])
    telling = Telling(log, again_s=60, seconds=lambda: next(times))
    for _ in range(3):
        telling.goes_on("it is away")
    assert told.lines == ["WARNING it is away"] * 2
