"""A property tries as many examples as the target that runs it has time for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.examples import FAST, FULL, USUAL, counted, examples

numbers = st.integers(1, 10_000)


@given(number=numbers, full=st.none() | numbers)
def test_a_round_of_make_fuzz_tries_no_fewer_than_make_test_and_a_save_no_more(
    number: int, full: int | None
) -> None:
    fast, usual, fuzz = (counted(profile, number, full) for profile in ("fast", "ci", "fuzz"))
    assert 1 <= fast <= usual == number <= fuzz
    assert fuzz == max(number, full or number)
    assert fast <= max(FAST, number // 5)


def test_where_a_property_says_nothing_it_is_the_same_order() -> None:
    assert FAST < USUAL < FULL


@pytest.mark.parametrize(("number", "fast"), [(3, 3), (12, 10), (USUAL, 10), (FULL, 10), (300, 60)])
def test_after_a_save_a_fifth_is_tried_or_ten_or_all_that_there_are(number: int, fast: int) -> None:
    assert counted("fast", number) == fast


def test_what_else_a_test_says_of_its_examples_is_kept() -> None:
    one = settings(max_examples=7, stateful_step_count=3)
    assert examples(1, parent=one).stateful_step_count == 3
    assert examples(1, parent=one).max_examples == 1
