"""What threads share is read and changed only by whoever holds its lock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from conductor_mock.store.batches import Batches
from conductor_mock.store.changes import Changes
from conductor_mock.store.group_commit import GroupCommit
from conductor_mock.store.lately import Lately
from conductor_mock.store.locks import Level
from conductor_mock.store.read_write_lock import OutsideReadWriteLock, ReadWriteLock
from conductor_mock.store.seats import AdvisorySeats, FileSeats, Seats
from conductor_mock.store.shared_wall import DatabaseWall
from conductor_mock.store.telling import Telling
from support.advisory import Advisory
from support.guarded import untouched_without


class NoLocks:
    """Locks outside that are always free."""

    def hold(self, level: Level, name: str = "") -> AbstractContextManager[None]:
        return nullcontext()

    share = hold

    def try_hold(self, level: Level, name: str = "") -> AbstractContextManager[bool]:
        return nullcontext(True)

    def close(self) -> None:
        pass


class TellsTheTime:
    """A database that is asked for nothing else."""

    @contextmanager
    def read(self) -> Iterator[TellsTheTime]:
        yield self

    def execute(self, _: object) -> TellsTheTime:
        return self

    def scalar_one(self) -> int:
        return 1


def tell(telling: Telling) -> None:
    telling.goes_on("away")
    telling.goes_on("away")
    telling.is_over("back")
    telling.is_over("back")


def know(lately: Lately) -> None:
    lately.meet("a")
    lately.look()
    lately.look()
    lately.note("a", 0.0, "2")


def change(changes: Changes) -> None:
    changes.note("a")
    assert not changes.wait("a", changes.count("a"), 0)


def hand_in(batches: Batches[int]) -> None:
    batches.hand_in(1, 1)
    batches.settle()
    batches.close()


def commit(group: GroupCommit[int]) -> None:
    group.add(1)
    assert group.waiting == 0


def sit(seats: Seats) -> None:
    assert seats.take("mail")
    assert seats.take("mail")
    assert seats.holds("mail")
    seats.give_back("mail")
    assert not seats.holds("mail")
    if isinstance(seats, AdvisorySeats):
        seats.close()


def place_and_delete(lock: ReadWriteLock | OutsideReadWriteLock) -> None:
    condition: Any = lock._changed
    condition.wait = None  # nobody need wait
    with lock.shared(), lock.shared():
        assert lock.waiting == 0
    with lock.alone():
        pass


def ask(wall: DatabaseWall) -> None:
    wall.renew()
    wall()


CASES: list[tuple[Callable[[Path], Any], str, tuple[str, ...], Callable[[Any], None]]] = [
    (lambda _: Telling(logging.Logger("no handler")), "_guard", ("_told_s",), tell),
    (lambda _: Lately(lambda names: dict.fromkeys(names, "1")), "_guard", ("_wanted", "_known", "_asked_s"), know),
    (lambda _: Changes(), "_changed", ("_counts",), change),
    (lambda _: Batches("a test", lambda _: None, gather_s=9e9), "_guard", ("_waiting", "_bytes", "handed_in"), hand_in),
    (lambda _: GroupCommit[int](lambda _: None), "_guard", ("_waiting",), commit),
    (lambda folder: FileSeats(folder / "a.db"), "_guard", ("_locks",), sit),
    (lambda _: AdvisorySeats(Advisory().engine()), "_guard", ("_taken", "_session"), sit),
    (lambda _: ReadWriteLock(), "_changed", ("_sharing", "_deleting", "_waiting"), place_and_delete),
    (
        lambda _: OutsideReadWriteLock(NoLocks()),
        "_changed",
        ("_sharing", "_is_taking", "_since_s", "_waiting"),
        place_and_delete,
    ),
    (lambda _: DatabaseWall(TellsTheTime()), "_guard", ("_latest", "_began_s", "_base"), ask),  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[3].__name__ + " " + case[1])
def test_what_threads_share_is_touched_only_by_who_holds_its_lock(case: Any, tmp_path: Path) -> None:
    make, lock, names, use = case
    shared = make(tmp_path)
    touched = untouched_without(shared, lock, *names)
    use(shared)
    assert touched == []


def test_whoever_touches_what_is_shared_without_its_lock_is_noticed() -> None:
    shared = Telling(logging.Logger("no handler"))
    touched = untouched_without(shared, "_guard", "_told_s")
    shared._told_s = 1.0
    assert touched == ["_told_s"]


def test_one_commit_at_a_time_and_one_writer_at_a_time() -> None:
    group: GroupCommit[int] = GroupCommit(lambda _: held.append(group._leader is not None))
    batches: Batches[int] = Batches("one writer", lambda _: held.append(batches._writing.locked()), most=0)
    held: list[bool] = []
    group.add(1)
    batches.hand_in(1, 1)
    batches.close()
    assert held == [True, True]
