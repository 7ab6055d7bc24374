"""Servers that use a data directory together: who is first, and whether the last one goes after all were well."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.membership import Membership
from conductor_mock.store.ownership import lock_file


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Membership, Membership]]:
    with ExitStack() as stack:
        first = Membership(tmp_path)
        stack.callback(first.release)
        first.share()
        second = Membership(tmp_path)
        stack.callback(second.release)
        yield first, second


def is_free(directory: Path) -> bool:
    try:
        lock_file(directory / "lock", "it").release()
    except DatabaseError:
        return False
    return True


def test_the_first_has_the_directory_alone_and_forgets_those_of_before(tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.mkdir()
    (running / "one that was killed").touch()
    first = Membership(tmp_path)
    (mine,) = running.iterdir()
    assert first.is_first
    assert mine.name != "one that was killed"
    assert stat.S_IMODE(mine.stat().st_mode) == 0o600
    assert stat.S_IMODE(running.stat().st_mode) == 0o700
    assert not is_free(tmp_path)
    first.release()
    assert is_free(tmp_path)


def test_the_last_one_tells_that_all_went_as_they_should(
    pair: tuple[Membership, Membership], tmp_path: Path
) -> None:
    first, second = pair
    second.share()  # which is the first one's to do: it changes nothing
    assert (first.is_first, second.is_first) == (True, False)
    assert len(list((tmp_path / "running").iterdir())) == 2
    assert first.leave(is_clean=True) is False, "another one is there"
    first.release()
    assert second.leave(is_clean=True) is True
    assert list((tmp_path / "running").iterdir()) == []
    assert not is_free(tmp_path), "it is ours until it is released"


@pytest.mark.parametrize("goes", [True, False], ids=["badly", "not at all"])
def test_one_that_did_not_go_as_it_should_makes_no_stop_a_clean_one(
    goes: bool, pair: tuple[Membership, Membership]
) -> None:
    first, second = pair
    if goes:
        second.leave(is_clean=False)
    second.release()
    assert first.leave(is_clean=True) is False


def test_a_file_that_somebody_else_removed_stops_nobody_and_makes_nobody_the_last(
    pair: tuple[Membership, Membership], tmp_path: Path
) -> None:
    first, second = pair
    for file in (tmp_path / "running").iterdir():
        file.unlink()
    assert first.leave(is_clean=True) is False, "the other one has the directory still"
    first.release()
    assert second.leave(is_clean=True) is True


def test_a_directory_in_which_nothing_can_be_noted_is_given_back(tmp_path: Path) -> None:
    (tmp_path / "running").touch()
    with pytest.raises(FileExistsError):
        Membership(tmp_path)
    assert is_free(tmp_path)
