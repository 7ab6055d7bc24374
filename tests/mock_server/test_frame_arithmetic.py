"""Frame specifications of the server: read, compared and walked as sets of numbers, whatever they span."""

from __future__ import annotations

from math import gcd

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_contracts.frames import MAX_RANGES, Frames, FramesError, parse

FRAME = st.integers(-30, 90)


@st.composite
def specifications(draw: st.DrawFn) -> str:
    """Texts of the grammar whose frames are few enough to be counted one by one."""
    parts = []
    for _ in range(draw(st.integers(0, 5))):
        first = draw(FRAME)
        match draw(st.sampled_from(["single", "range", "steps"])):
            case "single":
                parts.append(f"{first}")
            case "range":
                parts.append(f"{first}-{draw(FRAME)}")
            case "steps":
                parts.append(f"{first}-{draw(FRAME)}x{draw(st.integers(1, 40))}")
    return draw(st.sampled_from([",", ", ", " ,"])).join(parts)


def counted(frames: Frames) -> set[int]:
    return {frame for part in frames.ranges for frame in part}


@given(specifications(), specifications())
@example("1-9x4", "3-9x2")
@example("0-90x6", "3-90x9")
@example("5", "1-9x2")
def test_two_specifications_meet_where_their_sets_do(first: str, second: str) -> None:
    one, other = parse(first), parse(second)

    assert one.meets(other) == other.meets(one) == bool(counted(one) & counted(other))


def test_any_two_short_progressions_meet_where_their_sets_do() -> None:
    """All of them: chance seldom draws the pairs that decide."""
    short = [
        range(start, start + count * step, step)
        for start in range(6)
        for count in range(1, 5)
        for step in range(1, 7)
    ]
    members = [frozenset(part) for part in short]
    parts = [Frames((part,)) for part in short]
    wrong = [
        (short[one], short[other])
        for one in range(len(short))
        for other in range(len(short))
        if parts[one].meets(parts[other]) == members[one].isdisjoint(members[other])
    ]
    assert wrong == []


@given(specifications())
def test_frames_come_once_each_and_in_order(text: str) -> None:
    frames = parse(text)

    assert list(frames) == sorted(counted(frames))
    assert all(frame in frames for frame in counted(frames))


@given(st.integers(2, 2000), st.integers(2, 2000), st.integers(0, 10**9), st.integers(0, 10**6))
def test_long_progressions_meet_at_the_number_that_both_were_made_to_hold(
    step: int, other_step: int, common: int, before: int
) -> None:
    """And no longer when one of them is moved by less than what divides both steps."""
    one = Frames((range(common - before * step, common + 10**9, step),))
    other = Frames((range(common - other_step * (before // 2), common + 1, other_step),))
    assert one.meets(other)
    assert other.meets(one)

    shared = gcd(step, other_step)
    moved = Frames(tuple(range(part.start + 1, part.stop + 1, part.step) for part in other.ranges))
    if shared > 1:
        assert not one.meets(moved)


def test_what_a_job_of_the_longest_ranges_asks_is_answered_without_a_walk() -> None:
    """A thousand tasks of a million frames beside scouts of a million frames, none of which is theirs."""
    scouts = parse("2-1999998x2")

    assert not any(parse(f"{1 + 2 * n}-{1999999 - 2 * n}x2").meets(scouts) for n in range(1000))
    assert parse("1-1999999x2").meets(parse("7-1999999x3"))


def test_more_ranges_than_can_be_compared_are_no_specification() -> None:
    parse(",".join(f"{n}-{n + 1}" for n in range(MAX_RANGES)))
    parse(",".join(map(str, range(50_000))))
    with pytest.raises(FramesError, match=f"more than {MAX_RANGES} ranges"):
        parse(",".join(f"{n}-{n + 1}" for n in range(MAX_RANGES + 1)))
