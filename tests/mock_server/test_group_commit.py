"""Rows of several threads in one commit, and names that are given while nobody deletes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from conductor_mock.store.database import Row
from conductor_mock.store.group_commit import GroupCommit
from conductor_mock.store.read_write_lock import ReadWriteLock

PATIENCE_S = 60


def until(probe: Callable[[], bool]) -> None:
    """Give other threads their turn until they have come as far as wanted."""
    end = time.monotonic() + PATIENCE_S
    while not probe():
        assert time.monotonic() < end
        threading.Event().wait(0.001)


def test_every_row_is_committed_once_and_in_hand_when_its_caller_goes_on() -> None:
    committed: list[int] = []

    def commit(rows: list[Row]) -> None:
        committed.extend(row["n"] for row in rows)

    group = GroupCommit(commit)

    def add(number: int) -> bool:
        group.add({"n": number})
        return number in committed

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(add, range(200)))
    assert sorted(committed) == list(range(200))


def test_rows_that_come_during_a_commit_share_the_next_one() -> None:
    batches: list[list[int]] = []
    begun, go_on = threading.Event(), threading.Event()

    def commit(rows: list[Row]) -> None:
        batches.append([row["n"] for row in rows])
        begun.set()
        assert go_on.wait(PATIENCE_S)

    group = GroupCommit(commit)
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(group.add, {"n": 0})
        assert begun.wait(PATIENCE_S)
        others = [pool.submit(group.add, {"n": number}) for number in range(1, 6)]
        until(lambda: group.waiting == 5)
        go_on.set()
        for done in [first, *others]:
            done.result(PATIENCE_S)
    assert [sorted(batch) for batch in batches] == [[0], [1, 2, 3, 4, 5]]


def test_a_commit_that_fails_fails_for_every_row_in_it_and_not_for_the_next() -> None:
    answers: list[Exception | None] = [OSError("disk full"), None]

    def commit(rows: list[Row]) -> None:
        error = answers.pop(0)
        if error is not None:
            raise error

    group = GroupCommit(commit)
    with pytest.raises(OSError, match="disk full"):
        group.add({"n": 1})
    group.add({"n": 2})


def test_many_place_at_once_and_one_who_deletes_is_alone() -> None:
    lock = ReadWriteLock()
    deleted = threading.Event()

    def delete() -> None:
        with lock.alone():
            deleted.set()

    with lock.shared(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(_can_share, lock).result(PATIENCE_S)
        thread = threading.Thread(target=delete)
        thread.start()
        until(lambda: lock.waiting == 1)
        assert not deleted.is_set()
    thread.join(PATIENCE_S)
    assert deleted.is_set()
    assert _can_share(lock)


def _can_share(lock: ReadWriteLock) -> bool:
    with lock.shared():
        return True


def test_whoever_waits_to_delete_is_not_kept_out_by_those_who_come_after() -> None:
    lock, order = ReadWriteLock(), list[str]()

    def delete() -> None:
        with lock.alone():
            order.append("deleted")

    def place() -> None:
        with lock.shared():
            order.append("placed")

    with lock.shared():
        deleter = threading.Thread(target=delete)
        deleter.start()
        until(lambda: lock.waiting == 1)
        placer = threading.Thread(target=place)
        placer.start()
    deleter.join(PATIENCE_S)
    placer.join(PATIENCE_S)
    assert order == ["deleted", "placed"]
