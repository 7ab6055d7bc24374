"""Rows of several threads in one commit, and names that are given while nobody deletes."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import sqlalchemy as sa

from conductor_mock.store import group_commit
from conductor_mock.store.database import Database, Row, Work
from conductor_mock.store.database_url import of_file
from conductor_mock.store.group_commit import GroupCommit, _Ticket
from conductor_mock.store.read_write_lock import ReadWriteLock
from conductor_mock.store.tables import META
from conductor_mock.store.unavailable import UnavailableError
from support.server import job_payload, md5_of, running

PATIENCE_S = 60


def until(probe: Callable[[], bool]) -> None:
    """Give other threads their turn until they have come as far as wanted."""
    end = time.monotonic() + PATIENCE_S
    while not probe():
        assert time.monotonic() < end
        threading.Event().wait(0.001)


@contextmanager
def taken(group: GroupCommit[Any]) -> Iterator[None]:
    """For the block somebody else commits; then it is the turn of whoever came first."""
    other = _Ticket[Any](None)
    with group._guard:
        assert group._leader is None
        group._leader = other
    try:
        yield
    finally:
        group._leave(other)


def come(pool: ThreadPoolExecutor, group: GroupCommit[int], *numbers: int) -> list[Future[None]]:
    """Have some come one after the other while somebody commits; give them the turn unless somebody has it."""
    with taken(group) if group._leader is None else nullcontext():
        added = []
        for count, number in enumerate(numbers, 1):
            added.append(pool.submit(group.add, number))
            until(partial(_some_wait, group, count))
        return added


def _some_wait(group: GroupCommit[int], count: int) -> bool:
    return group.waiting == count


def ends_of(group: GroupCommit[int], *numbers: int) -> list[BaseException | None]:
    """What becomes of some that come one after the other and are committed together."""
    with ThreadPoolExecutor(len(numbers)) as pool:
        return [one.exception(PATIENCE_S) for one in come(pool, group, *numbers)]


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


def test_what_cannot_be_committed_with_others_fails_alone() -> None:
    committed: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def commit(numbers: list[int]) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        if 3 in numbers:
            raise OSError("three is refused")
        committed.extend(numbers)

    group = GroupCommit(commit)
    with ThreadPoolExecutor(6) as pool:
        added = [pool.submit(group.add, 0)]
        assert begun.wait(PATIENCE_S)
        added += [pool.submit(group.add, number) for number in range(1, 6)]
        until(lambda: group.waiting == 5)
        go_on.set()
        failed = [number for number, done in enumerate(added) if done.exception(PATIENCE_S)]
    assert (failed, sorted(committed)) == ([3], [0, 1, 2, 4, 5])


def test_a_thread_that_is_to_end_fails_those_who_waited_with_it_and_nobody_after() -> None:
    committed: list[int] = []

    def commit(numbers: list[int]) -> None:
        if 1 in numbers:
            raise KeyboardInterrupt
        committed.extend(numbers)

    group = GroupCommit(commit)
    with pytest.raises(KeyboardInterrupt):
        group.add(1)
    group.add(2)
    assert committed == [2]


def test_commands_of_several_accounts_and_contents_share_a_transaction(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        callers = [fake.caller(f"account {number}") for number in range(4)]
        urls = [caller.upload_url("/proj/a", caller.client_id.encode()) for caller in callers]
        database = fake.service.log._database
        commits: list[int] = []
        sa.event.listen(database.engine, "commit", lambda _: commits.append(1))
        with ThreadPoolExecutor(8) as pool:
            with taken(database._group):  # somebody commits, and meanwhile all of these come
                submitted = [pool.submit(caller.submit) for caller in callers]
                put = [
                    pool.submit(caller.put, url, caller.client_id.encode())
                    for caller, url in zip(callers, urls, strict=True)
                ]
                until(lambda: database._group.waiting == 8)
            assert [one.result(PATIENCE_S).status for one in submitted] == [201] * 4
            assert [one.result(PATIENCE_S).status for one in put] == [200] * 4
        assert len(commits) == 1
    with running(data_dir=tmp_path) as fake:
        for number in range(4):
            caller = fake.caller(f"account {number}")
            assert len(caller.jobs()) == 1
            assert caller.files() == {"/proj/a": md5_of(caller.client_id.encode())}


def test_work_that_fails_in_a_transaction_of_several_undoes_nothing_of_the_others(tmp_path: Path) -> None:
    with Database(of_file(tmp_path / "a.db")) as database:
        begun, go_on = threading.Event(), threading.Event()

        def note(name: str, connection: sa.Connection) -> None:
            connection.execute(META.insert().values(name=name, value=""))
            begun.set()
            assert go_on.wait(PATIENCE_S)

        names = ["first", "schema", "second"]  # the second of them is there
        with ThreadPoolExecutor(4) as pool:
            done = [pool.submit(database.commit_with_others, partial(note, "zeroth"))]
            assert begun.wait(PATIENCE_S)
            done += [pool.submit(database.commit_with_others, partial(note, name)) for name in names]
            until(lambda: database._group.waiting == 3)
            go_on.set()
            assert [bool(one.exception(PATIENCE_S)) for one in done] == [False, False, True, False]
        with database.read() as connection:
            there = set(connection.execute(sa.select(META.c.name)).scalars())
        assert {"zeroth", "first", "second"} <= there


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


def test_what_fails_alone_is_tried_once() -> None:
    tried: list[list[int]] = []

    def commit(numbers: list[int]) -> None:
        tried.append(numbers)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        GroupCommit(commit).add(1)
    assert tried == [[1]]


@pytest.mark.parametrize("others", [(2,), (2, 3)])
def test_those_who_came_meanwhile_are_in_the_same_commit(others: tuple[int, ...]) -> None:
    committed: list[list[int]] = []
    ended = ends_of(GroupCommit(committed.append), 1, *others)
    assert committed == [[1, *others]]
    assert ended == [None] * (1 + len(others))


def test_a_thread_that_is_to_end_tells_those_whose_turn_had_not_come_and_ends() -> None:
    tried: list[list[int]] = []

    def commit(numbers: list[int]) -> None:
        tried.append(numbers)
        if len(numbers) > 1:
            raise OSError("not together")
        if numbers == [3]:
            raise KeyboardInterrupt

    ended = ends_of(GroupCommit(commit), 1, 2, 3, 4)
    assert [type(error) for error in ended] == [
        KeyboardInterrupt,
        type(None),
        UnavailableError,
        UnavailableError,
    ]
    assert tried == [[1, 2, 3, 4], [1], [2], [3]], "and none of them commits anything more"


def test_whoever_is_committed_goes_on_while_the_next_commit_is_under_way() -> None:
    gates = {1: threading.Event(), 4: threading.Event()}
    committed: list[list[int]] = []

    def commit(numbers: list[int]) -> None:
        assert gates[numbers[0]].wait(PATIENCE_S)
        committed.append(numbers)

    group = GroupCommit(commit)
    with ThreadPoolExecutor(6) as pool:
        first = come(pool, group, 1, 2, 3)
        until(lambda: group.waiting == 0)
        second = come(pool, group, 4, 5, 6)
        gates[1].set()
        assert [one.exception(PATIENCE_S) for one in first] == [None] * 3
        assert not any(one.done() for one in second)
        gates[4].set()
        assert [one.exception(PATIENCE_S) for one in second] == [None] * 3
    assert committed == [[1, 2, 3], [4, 5, 6]]


_WHEN = ("call", "c_return")
"""Python looks for signals as a function begins, and when one that is written in C has returned; at jumps, too."""


class Interrupts:
    """Interrupts a thread at one of the calls that the module makes: it raises there, as a signal's handler may."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.where = ""

    def __call__(self, frame: FrameType, event: str, _argument: object) -> None:
        if frame.f_code.co_filename != group_commit.__file__ or self.where or event not in _WHEN:
            return
        self.left -= 1
        if self.left < 0:
            self.where = f"{frame.f_code.co_name}:{frame.f_lineno}, {event}"
            raise KeyboardInterrupt


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("fails", ["never", "together", "three"])
def test_whoever_is_interrupted_anywhere_leaves_the_turn_to_others(is_first: bool, fails: str) -> None:
    """And nobody goes on whose thing was not committed, and everybody else does."""
    for at in count():
        committed: list[int] = []

        def commit(numbers: list[int], committed: list[int] = committed) -> None:
            if (fails == "together" and len(numbers) > 1) or (fails == "three" and 3 in numbers):
                raise OSError("refused")
            committed.extend(numbers)

        group, interrupts = GroupCommit(commit), Interrupts(at)

        def add(number: int, group: GroupCommit[int] = group, interrupts: Interrupts = interrupts) -> None:
            if number == 1:
                sys.setprofile(interrupts)
            try:
                group.add(number)
            finally:
                sys.setprofile(None)

        with ThreadPoolExecutor(4) as pool:
            with taken(group):
                added = {}
                for number in (1, 2, 3) if is_first else (2, 1, 3):
                    added[number] = pool.submit(add, number)
                    until(partial(_came, group, number, added[number]))
            ended = {number: done.exception(PATIENCE_S) for number, done in added.items()}
            ended[4] = pool.submit(group.add, 4).exception(PATIENCE_S)
        for number, error in ended.items():
            assert error is not None or number in committed, (interrupts.where, number)
            refused = fails == "three" and number == 3
            told = KeyboardInterrupt if number == 1 else (UnavailableError, *([OSError] if refused else []))
            assert error is None or isinstance(error, told), (interrupts.where, number, error)
        assert ended[4] is None
        assert len(committed) == len(set(committed))
        if not interrupts.where:
            assert at > (10 if is_first else 5), "the last call was passed without"
            return


def _came(group: GroupCommit[int], number: int, added: Future[None]) -> bool:
    with group._guard:
        return added.done() or any(ticket.what == number for ticket in group._waiting)


def test_what_may_have_been_committed_is_not_tried_again_and_all_are_told() -> None:
    tried: list[list[int]] = []
    begun, go_on = threading.Event(), threading.Event()

    def commit(rows: list[int]) -> None:
        tried.append(rows)
        begun.set()
        assert go_on.wait(PATIENCE_S)
        if len(rows) > 1:
            raise ConnectionError("it was cut")

    group = GroupCommit(commit, lambda error: isinstance(error, ConnectionError))
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(group.add, 0)
        assert begun.wait(PATIENCE_S)
        others = [pool.submit(group.add, number) for number in (1, 2, 3)]
        until(lambda: group.waiting == 3)
        go_on.set()
        assert first.exception(PATIENCE_S) is None
        assert [str(other.exception(PATIENCE_S)) for other in others] == ["it was cut"] * 3
    assert sorted(map(len, tried)) == [1, 3]


def test_a_connection_that_was_lost_at_a_commit_is_told_as_what_is_not_known_and_asked_again_makes_one_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The commit was made, and the answer to it was lost."""
    commit, left = Database._commit, ["once"]

    class DatabaseError(Exception):
        sqlstate = None

    def cut_behind_it(database: Database, works: list[Work]) -> None:
        commit(database, works)
        if left:
            left.pop()
            raise sa.exc.OperationalError(
                "COMMIT", {}, DatabaseError("it was cut"), connection_invalidated=True
            )

    with running(data_dir=tmp_path) as fake:
        caller = fake.caller()
        caller.jobs()
        monkeypatch.setattr(
            fake.service.log._database._group, "_commit", partial(cut_behind_it, fake.service.log._database)
        )
        ask = partial(caller.post, "/jobs/", job_payload(), headers={"Idempotency-Key": "the same"})
        answer = ask()
        assert (answer.status, "whether this was kept is not known: ask again" in answer.message) == (
            503,
            True,
        )
        assert left == []
        assert (ask().status, len(caller.jobs())) == (201, 1)


def test_nothing_is_kept_of_what_was_committed() -> None:
    class Thing:
        """Something that takes memory."""

    thing = Thing()
    kept = weakref.ref(thing)
    group = GroupCommit[Thing](lambda _: None)
    group.add(thing)
    del thing
    assert kept() is None
