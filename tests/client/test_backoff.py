"""Waits that grow, for requests, daemons and pollers alike."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from conductor.lib.wire.backoff import growing


@example(0.5, 10**6, 20.0, 2.0)  # beyond what a float holds
@given(st.floats(0.1, 100), st.integers(0, 10**6), st.floats(0.1, 1000), st.floats(1, 10))
def test_waits_grow_up_to_the_longest(first: float, step: int, longest: float, factor: float) -> None:
    wait = growing(first, step, longest, factor)
    assert min(first, longest) <= wait <= longest
    assert wait <= growing(first, step + 1, longest, factor)


def test_each_wait_is_the_factor_times_the_one_before() -> None:
    assert [growing(2.0, step, 60.0) for step in range(7)] == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
