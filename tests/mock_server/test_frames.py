"""Frame specifications as the farm reads and writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.frames import SHORT, FramesError, chunks, parse, parse_or_none, write

MAX_FRAMES = 1_000_000
NUMBERS = st.integers(-50, 50)


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("", []),
        (" , ", []),
        ("8", [8]),
        ("-5--1", [-5, -4, -3, -2, -1]),
        ("10-1", list(range(1, 11))),
        ("10-1x4", [1, 5, 9]),
        (" 1-3 , 2 - 9 x 3 ", [1, 2, 3, 5, 8]),
        ("3,1,3", [1, 3]),
        ("5-5", [5]),
        ("999999999", [999_999_999]),
    ],
)
def test_a_specification_names_its_frames_in_order_and_each_once(text: str, frames: list[int]) -> None:
    assert list(parse(text)) == frames
    assert parse_or_none(text) == parse(text)


@pytest.mark.parametrize(
    "text", ["x", "1-", "1-2x", "1-2x0", "1x2", "1.5", "1 2", "1234567890", "1;2", "--1", "1-2-3", "1-\u0663"]
)
def test_what_is_no_specification_is_refused(text: str) -> None:
    with pytest.raises(FramesError):
        parse(text)
    assert parse_or_none(text) is None


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (f"1-{MAX_FRAMES}", f"0-{MAX_FRAMES}"),
        (f"1-{MAX_FRAMES - 1},5", f"1-{MAX_FRAMES},5"),
        (f"1-{2 * MAX_FRAMES}x2", f"1-{2 * MAX_FRAMES + 1}x2"),
    ],
)
def test_a_specification_has_a_million_frames_at_most_over_all_its_parts(right: str, wrong: str) -> None:
    assert sum(map(len, parse(right).ranges)) == MAX_FRAMES
    with pytest.raises(FramesError, match=f"more than {MAX_FRAMES} frames"):
        parse(wrong)


@given(st.lists(NUMBERS, min_size=1, unique=True).map(sorted), st.integers(1, 9))
def test_what_is_written_is_read_again(frames: list[int], size: int) -> None:
    assert list(parse(write(frames))) == frames
    pieces = list(chunks(parse(write(frames)), size))
    assert [frame for piece in pieces for frame in piece] == frames
    assert all(len(piece) == size for piece in pieces[:-1])
    assert 1 <= len(pieces[-1]) <= size


def test_a_short_specification_is_read_once_and_a_long_one_is_not_kept() -> None:
    short, long = "1-100x5, 7", ",".join(map(str, range(SHORT)))
    assert parse(short) is parse(short)
    assert parse(long) == parse(long)
    assert parse(long) is not parse(long)


@given(st.lists(NUMBERS, max_size=5), st.lists(NUMBERS, max_size=5))
def test_two_specifications_meet_where_they_have_a_frame_in_common(one: list[int], other: list[int]) -> None:
    first, second = (parse(",".join(map(str, frames))) for frames in (one, other))
    assert first.meets(second) == second.meets(first) == bool({*one} & {*other})
    assert all((frame in first) == (frame in one) for frame in range(-50, 51))


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([8], "8"),
        ([1, 2], "1-2"),
        ([1, 3], "1,3"),
        ([1, 2, 3], "1-3"),
        ([1, 3, 5], "1-5x2"),
        ([1, 2, 7], "1,2,7"),
        ([-3, -2], "-3--2"),
    ],
)
def test_frames_are_written_as_people_do(frames: list[int], text: str) -> None:
    assert write(frames) == text
