"""The grammar of frame lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.values.frames import parse_frames


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("8", [8]),
        ("10-12", [10, 11, 12]),
        ("1-9x2", [1, 3, 5, 7, 9]),
        ("1-100x50", [1, 51]),
        ("1, 10-12, 100-104x2", [1, 10, 11, 12, 100, 102, 104]),
        ("-5", [-5]),
        ("-5--3", [-5, -4, -3]),
        ("3-1", [1, 2, 3]),
        (" 7 ", [7]),
        ("", []),
        ("  ", []),
    ],
)
def test_frames_are_read_as_the_reference_says(text: str, frames: list[int]) -> None:
    assert [frame for part in parse_frames(text) for frame in part] == frames


@pytest.mark.parametrize(
    "text", ["x", "1-", "1,,2", "1-9x0", "1-9x", "auto:3", "1.5", "1-9x-2", "\u0661", "1 2", ",", "9" * 10]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a frame, a range or a stepped range"):
        parse_frames(text)


@given(st.integers(-10_000, 10_000), st.integers(-10_000, 10_000), st.integers(1, 500))
def test_a_stepped_range_counts_from_its_lower_end(first: int, last: int, step: int) -> None:
    low, high = sorted((first, last))
    assert [*parse_frames(f"{first}-{last}x{step}")[0]] == [*range(low, high + 1, step)]
