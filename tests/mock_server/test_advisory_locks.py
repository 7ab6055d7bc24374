"""Locks that servers on several machines share in PostgreSQL, and the right to a database that they have together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from conductor_mock.store.advisory_locks import CONNECTIONS, AdvisoryLocks, SharedDatabase
from conductor_mock.store.database import _POOL
from conductor_mock.store.locks import Level, number_of
from conductor_mock.store.parts import COMPLETIONS
from conductor_mock.store.trouble import UnavailableError, reason
from support.execution import eventually

SOON_S = 0.05
KEY = 7


class Server:
    """Makes locks and connections to one database, and ends what is left of them."""

    def __init__(self, url: str, opened: ExitStack) -> None:
        self.url = sa.make_url(url)
        self._opened = opened
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        self._asking = opened.enter_context(engine.connect())

    def locks(self, **options: float) -> AdvisoryLocks:
        """Those of one more server."""
        locks = AdvisoryLocks(self.url, **options)
        self._opened.callback(locks.close)
        return locks

    def connection(self) -> sa.Connection:
        """One more."""
        return self._opened.enter_context(sa.create_engine(self.url, poolclass=sa.NullPool).connect())

    def those(self, condition: str) -> list[int]:
        """The sessions that hold, or wait for, locks of which this is so."""
        query = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND {condition}"
        of_this = "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        return list(self._asking.execute(sa.text(f"{query} {of_this}")).scalars())

    def connections(self) -> int:
        """All that there are but the fixtures' and this one."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        return int(self._asking.execute(sa.text(query)).scalar_one())

    def cut(self, *pids: int) -> None:
        """End sessions, as when their connections are lost."""
        for pid in pids:
            query = sa.select(sa.func.pg_terminate_backend(pid, 10_000))
            assert self._asking.execute(query).scalar_one()


@pytest.fixture
def server(postgres: str) -> Iterator[Server]:
    with ExitStack() as opened:
        yield Server(postgres, opened)


def test_the_manual_says_how_many_connections_a_server_opens() -> None:
    most = sum(CONNECTIONS.values()) + _POOL["pool_size"] + _POOL["max_overflow"] + 1
    manual = Path(__file__).parents[2] / "docs/reference/server.md"
    assert f"A server opens up to {most} connections to\nPostgreSQL" in manual.read_text()
    assert set(CONNECTIONS) == set(Level)
    assert CONNECTIONS[Level.UPLOAD] > COMPLETIONS


def test_a_lock_that_is_held_is_nobody_elses_and_is_free_after_its_block(server: Server) -> None:
    one, other = server.locks(), server.locks()
    with one.hold(Level.ACCOUNT, "a"):
        with other.try_hold(Level.ACCOUNT, "a") as taken:
            assert taken is False
        for level, name in ((Level.ACCOUNT, "b"), (Level.CONTENTS, "a")):
            with other.try_hold(level, name) as taken:
                assert taken is True
    with other.try_hold(Level.ACCOUNT, "a") as taken:
        assert taken is True
        with one.try_hold(Level.ACCOUNT, "a") as taken:
            assert taken is False
    with one.try_hold(Level.ACCOUNT, "a") as taken:
        assert taken is True


def test_a_lock_is_free_after_a_block_that_raised(server: Server) -> None:
    one, other = server.locks(), server.locks()
    with pytest.raises(KeyError), one.hold(Level.ACCOUNT, "a"):
        raise KeyError
    with other.try_hold(Level.ACCOUNT, "a") as taken:
        assert taken


def test_a_lock_is_shared_by_many_and_held_by_none_of_them(server: Server) -> None:
    one, other, third = (server.locks() for _ in range(3))
    with one.share(Level.CONTENTS), other.share(Level.CONTENTS), third.try_hold(Level.CONTENTS) as taken:
        assert not taken
        assert len(server.those("granted AND mode = 'ShareLock'")) == 2
    with third.try_hold(Level.CONTENTS) as taken:
        assert taken


@pytest.mark.parametrize("level", Level)
def test_a_lock_that_another_server_keeps_is_waited_for_within_a_limit_and_the_error_says_so(
    level: Level, server: Server
) -> None:
    kept, waiting = server.locks(), server.locks(patience_s=SOON_S)
    takes: list[Callable[[Level, str], AbstractContextManager[None]]] = [waiting.hold, waiting.share]
    for take in takes:
        with (
            kept.hold(level, "a"),
            pytest.raises(UnavailableError, match=r"another server has kept .* for 0\.05 s") as refused,
            take(level, "a"),
        ):
            pytest.fail("it is not free")
        assert reason(refused.value) == str(refused.value), "which is 503"
        with take(level, "a"), kept.try_hold(level, "a") as free:
            assert not free


def test_a_lock_is_waited_for_as_long_as_a_connection(server: Server) -> None:
    with server.locks(patience_s=20)._engines[Level.COMMIT].connect() as connection:
        assert connection.execute(sa.text("SHOW lock_timeout")).scalar_one() == "20s"


@pytest.mark.parametrize("level", Level)
def test_a_level_has_so_many_connections_and_whoever_finds_none_is_told_so(
    level: Level, server: Server
) -> None:
    locks = server.locks(patience_s=SOON_S)
    with ExitStack() as held:
        for number in range(CONNECTIONS[level]):
            held.enter_context(locks.hold(level, str(number)))
        with pytest.raises(sa.exc.TimeoutError) as refused, locks.hold(level, "one more"):
            pytest.fail("there is no connection for it")
        assert reason(refused.value) == "its database has no connection left for it"
        for other in set(Level) - {level}:
            with locks.try_hold(other, "a") as taken:
                assert taken, "levels do not wait for each other's"


def test_a_connection_that_was_lost_while_nobody_used_it_is_replaced(server: Server) -> None:
    locks = server.locks()
    with locks.hold(Level.COMMIT):
        lost = server.those("granted")
    server.cut(*lost)
    with locks.hold(Level.COMMIT):
        assert server.those("granted") not in ([], lost)


def test_what_a_lost_connection_held_is_free_and_its_block_ends_as_it_would(server: Server) -> None:
    locks, others = server.locks(), server.locks()
    with locks.hold(Level.ACCOUNT, "a"):
        server.cut(*server.those("granted"))
        with others.try_hold(Level.ACCOUNT, "a") as taken:
            assert taken
    with locks.try_hold(Level.ACCOUNT, "a") as taken:
        assert taken


def test_a_connection_that_is_lost_while_it_waits_is_no_lock_that_another_server_keeps(
    server: Server,
) -> None:
    kept, waiting = server.locks(), server.locks()

    def wait() -> None:
        with waiting.hold(Level.ACCOUNT, "a"):
            pytest.fail("it is not free")

    with kept.hold(Level.ACCOUNT, "a"), ThreadPoolExecutor(1) as pool:
        waits = pool.submit(wait)
        server.cut(*eventually(lambda: server.those("NOT granted")))
        with pytest.raises(sa.exc.OperationalError, match="terminating connection") as lost:
            waits.result()
    assert not isinstance(lost.value, UnavailableError)
    with waiting.hold(Level.ACCOUNT, "a"):
        pass


def test_a_connection_that_cannot_give_its_lock_back_is_ended_which_gives_it_back(server: Server) -> None:
    locks, others = server.locks(), server.locks()

    def refuse(*what: object) -> None:
        if "pg_advisory_unlock_all" in str(what[2]):
            raise sa.exc.OperationalError("", {}, Exception("canceled"))

    with locks.hold(Level.ACCOUNT, "a"):
        sa.event.listen(locks._engines[Level.ACCOUNT], "before_cursor_execute", refuse)
    eventually(lambda: not server.those("granted"))
    with others.try_hold(Level.ACCOUNT, "a") as taken:
        assert taken


def test_locks_that_are_closed_have_no_connection_any_more(server: Server) -> None:
    before = server.connections()
    locks = server.locks()
    for level in Level:
        with locks.hold(level):
            pass
    assert server.connections() == before + len(Level)
    locks.close()
    eventually(lambda: server.connections() == before)


def test_a_lock_has_the_number_that_its_level_and_its_name_make(server: Server) -> None:
    number = number_of(Level.ACCOUNT, "a")
    with server.locks().hold(Level.ACCOUNT, "a"):
        assert server.those(f"granted AND (classid::bigint << 32) + objid::bigint = {number}")


# The right to a database


def test_the_first_server_has_the_database_alone_until_it_shares_it(server: Server) -> None:
    connections = [server.connection() for _ in range(3)]
    first = SharedDatabase(connections[0], KEY)
    assert first.is_first is True
    second = SharedDatabase(connections[1], KEY)
    assert (second.is_first, second.join()) == (False, False)
    first.share()
    third = SharedDatabase(connections[2], KEY)
    assert third.is_first is False, "it is shared still, if by one alone"
    assert (second.join(), third.join()) == (True, True)
    assert not [one for one in connections if one.in_transaction()], "a right is kept, and no transaction"


def test_the_right_to_a_database_lasts_as_long_as_the_connection_of_anybody_who_has_it(
    server: Server,
) -> None:
    connections = [server.connection() for _ in range(2)]
    first = SharedDatabase(connections[0], KEY)
    first.share()
    second = SharedDatabase(connections[1], KEY)
    assert second.join()
    first.release()
    connections[0].close()
    eventually(lambda: len(server.those("granted")) == 1)
    assert not SharedDatabase(server.connection(), KEY).is_first
    connections[1].close()
    eventually(lambda: not server.those("granted"))
    assert SharedDatabase(server.connection(), KEY).is_first
    assert SharedDatabase(server.connection(), KEY + 1).is_first, "another database"
