"""The locks of accounts between servers, and options that are taken up once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest
import sqlalchemy as sa

from conductor_mock.store.database import Database
from conductor_mock.store.locks import Level
from conductor_mock.store.sharing import AccountLocks, OptionsTaken
from conductor_mock.store.tables import META


class Noted:
    """Locks that note what is done with them."""

    def __init__(self) -> None:
        self.done: list[object] = []

    @contextmanager
    def hold(self, level: Level, name: str = "") -> Iterator[None]:
        self.done.append((level, name))
        yield
        self.done.append("free")

    share = hold

    def try_hold(self, level: Level, name: str = "") -> AbstractContextManager[bool]:
        self.done.append((level, name))
        return nullcontext(False)

    def close(self) -> None:
        pass


def test_the_time_is_asked_for_once_the_account_is_ours() -> None:
    locks = Noted()
    asking = AccountLocks(locks, lambda _: None, lambda: locks.done.append("asked"))
    with asking.hold("a"):
        locks.done.append("ours")
    assert locks.done == [(Level.ACCOUNT, "a"), "asked", "ours", "free"]
    locks.done.clear()
    with AccountLocks(locks, lambda _: None).hold("a"):
        pass
    assert locks.done == [(Level.ACCOUNT, "a"), "free"]
    with asking.try_hold("b") as held:
        assert held is False
    assert locks.done[2:] == [(Level.ACCOUNT, "b")]


@pytest.fixture
def database() -> Iterator[Database]:
    with Database("sqlite://") as database:
        database.run = "this run"
        yield database


def test_options_are_taken_up_once_in_a_run_by_each_account_and_of_each_server(database: Database) -> None:
    taken = OptionsTaken(database, "some options")
    with database.read() as connection:
        before = connection.execute(sa.select(META)).all()
    assert taken.has("a") is False
    for _ in range(2):
        taken.note("a")
        assert taken.has("a") is True
    assert taken.has("b") is False
    assert OptionsTaken(database, "some options").has("a") is True
    assert OptionsTaken(database, "others").has("a") is False
    database.run = "the next run"
    assert taken.has("a") is False
    taken.note("a")
    assert taken.has("a") is True
    with database.read() as connection:
        after = connection.execute(sa.select(META)).all()
    assert set(before) < set(after), "nothing else is forgotten"
