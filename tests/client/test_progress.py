"""What a state of a transfer says about the rest of it."""

from __future__ import annotations

from conductor.lib.progress import Progress


def test_the_rate_is_bytes_by_the_second_and_the_rest_takes_as_long_at_it() -> None:
    progress = Progress(done_files=1, files=4, done_bytes=300, bytes=1200, seconds=3.0)
    assert (progress.rate, progress.seconds_left, progress.finished) == (100.0, 9.0, False)


def test_before_anything_was_moved_nothing_is_known_about_the_time_left() -> None:
    assert Progress(0, 4, 0, 1200, 0.0).seconds_left is None
    assert Progress(0, 4, 0, 1200, 5.0).seconds_left is None
    assert Progress(0, 4, 0, 1200, 0.0).rate == 0.0


def test_when_all_files_are_done_no_time_is_left_even_if_they_are_empty() -> None:
    progress = Progress(2, 2, 0, 0, 0.0)
    assert (progress.seconds_left, progress.finished) == (0.0, True)
