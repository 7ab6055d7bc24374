"""The wall clocks of several servers: never behind what any of them was told."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conductor_mock.store.shared_wall import DatabaseWall, SharedWall


class Machine:
    """A machine whose clock anybody sets."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def test_a_clock_that_is_set_back_stands_still_for_all(tmp_path: Path) -> None:
    one, other = Machine(1000), Machine(900)
    first = SharedWall(tmp_path / "time", one, begins=True)
    second = SharedWall(tmp_path / "time", other, begins=False)
    assert [first(), second(), first()] == [1000] * 3
    other.now = 1001
    assert [second(), first()] == [1001, 1001]
    one.now = 2**40
    assert [first(), second()] == [2**40] * 2
    for wall in (first, second):
        wall.close()
        assert wall._latest.closed


@pytest.mark.parametrize("left", [b"\xff" * 7 + b"\x7f", b"", b"\xff" * 3, b"\xff" * 20])
@pytest.mark.parametrize("begins", [True, False])
def test_what_servers_that_are_gone_were_told_is_forgotten_and_so_is_what_is_no_time(
    left: bytes, begins: bool, tmp_path: Path
) -> None:
    (tmp_path / "time").write_bytes(left)
    wall = SharedWall(tmp_path / "time", Machine(5), begins=begins)
    is_time = len(left) == 8 and not begins
    assert wall() == (struct.unpack("=q", left)[0] if is_time else 5)
    assert (tmp_path / "time").stat().st_size == 8
    wall.close()


class Asked:
    """A database whose answers are set, and what has passed here meanwhile."""

    def __init__(self) -> None:
        self.told = self.passed = 0
        self.takes = 0
        self.meanwhile: list[Callable[[], None]] = []

    @contextmanager
    def read(self) -> Iterator[Asked]:
        yield self

    def execute(self, _: object) -> Asked:
        self.passed += self.takes
        return self

    def scalar_one(self) -> int:
        told = self.told
        if self.meanwhile:
            self.meanwhile.pop()()
        return told

    def wall(self) -> DatabaseWall:
        return DatabaseWall(self, seconds=lambda: float(self.passed))  # type: ignore[arg-type]


def test_time_is_the_databases_and_what_has_passed_since_its_answer() -> None:
    database = Asked()
    database.passed = 100
    wall = database.wall()
    assert wall() == 0
    database.passed += 3
    assert wall() == 3_000_000
    database.told, database.takes = 7_000_000, 50
    wall.renew()
    assert wall() == 7_000_000, "the way of the answer is not counted"
    database.passed += 1
    assert wall() == 8_000_000


def test_time_never_goes_back_and_the_last_answer_of_one_moment_counts() -> None:
    database = Asked()
    wall = database.wall()
    database.told = 9_000_000
    wall.renew()
    assert wall() == 9_000_000
    database.told = 4_000_000
    wall.renew()
    assert wall() == 9_000_000
    database.passed += 6
    assert wall() == 10_000_000


def test_an_answer_to_the_later_question_stays_when_the_one_before_comes_late() -> None:
    database = Asked()
    wall = database.wall()

    def another_asks_and_is_answered() -> None:
        database.passed, database.told = 5, 5_000_000
        wall.renew()
        database.passed = 9

    database.meanwhile = [another_asks_and_is_answered]
    wall.renew()
    assert wall() == 9_000_000
    database.told = 20_000_000
    wall.renew()
    assert wall() == 20_000_000
