"""The test that tells a submitter that tries again from one that makes two jobs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import naive
from conductor_mock.testkit import Fake
from submitter import Shot, submit


def lose_an_answer(fake: Fake, submit: Callable[[Shot], str], shot: Shot) -> None:
    """The job is made, and whoever asked for it never hears of it."""
    fake.faults.add("jobs.create", "lost_answer")
    submit(shot)
    fake.assert_exactly_once()


def test_the_submitter_makes_one_job(conductor_in_process: Fake, shot: Shot) -> None:
    with conductor_in_process.client() as client:
        lose_an_answer(conductor_in_process, lambda one: submit(one, client), shot)


def test_the_naive_one_makes_two(conductor_in_process: Fake, shot: Shot) -> None:
    with pytest.raises(AssertionError, match="1 submission became 00001, 00002"):
        lose_an_answer(conductor_in_process, naive.submit, shot)


def test_on_a_good_day_nobody_can_tell_them_apart(conductor_in_process: Fake, shot: Shot) -> None:
    naive.submit(shot)
    conductor_in_process.assert_exactly_once()
