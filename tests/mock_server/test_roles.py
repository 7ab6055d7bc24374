"""Which of several servers does what for all: one at a time, another one when it is gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.store.database import Database
from conductor_mock.store.roles import Roles
from conductor_mock.store.seats import AdvisorySeats, FileSeats, OwnSeats, Seats, seats_in

NAMES = ("execute", "mail", "sweep")


@pytest.fixture(params=["sqlite", "postgresql"])
def more_seats(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Seats]]:
    """Makes the seats of one more server on the same database."""
    made: list[Seats] = []
    if request.param == "sqlite":

        def make() -> Seats:
            made.append(FileSeats(tmp_path / "conductor.db"))
            return made[-1]

        yield make
    else:
        engine = sa.create_engine(request.getfixturevalue("postgres"))

        def make() -> Seats:
            made.append(AdvisorySeats(engine))
            return made[-1]

        yield make
    for seats in made:
        seats.close()


class Server:
    """Notes which roles it has."""

    def __init__(self, seats: Seats | None) -> None:
        self.roles = Roles(seats, look_every_s=1e6)
        self.does: list[str] = []
        self.fails = False
        for name in NAMES:
            self.roles.when_elected(name, partial(self._start, name), partial(self._stop, name))

    def _start(self, name: str) -> None:
        if self.fails:
            raise OSError("the disk is full")
        assert name not in self.does
        self.does.append(name)

    def _stop(self, name: str) -> None:
        self.does.remove(name)


def test_a_lone_server_has_every_role_when_it_starts_and_none_when_it_is_closed() -> None:
    server = Server(None)
    assert server.does == []
    server.roles.start()
    assert server.does == list(NAMES)
    assert all(map(server.roles.holds, NAMES))
    server.roles.close()
    server.roles.close()
    assert server.does == []


def test_what_a_lone_server_cannot_begin_is_an_error_of_its_start() -> None:
    server = Server(None)
    server.fails = True
    with pytest.raises(OSError, match="the disk is full"):
        server.roles.start()


def test_one_server_has_a_role_and_the_next_gets_it_when_that_one_is_closed(
    more_seats: Callable[[], Seats],
) -> None:
    one, other = Server(more_seats()), Server(more_seats())
    one.roles.start()
    other.roles.start()
    assert (one.does, other.does) == (list(NAMES), [])
    assert not any(map(other.roles.holds, NAMES))
    one.roles.close()
    assert one.does == []
    other.roles.look()
    assert other.does == list(NAMES)
    other.roles.close()


def test_a_server_that_cannot_take_a_role_leaves_it_to_another(
    more_seats: Callable[[], Seats], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = Server(more_seats()), Server(more_seats())
    one.fails = True
    one.roles.start()
    other.roles.start()
    assert (one.does, other.does) == ([], list(NAMES))
    assert "could not take the role 'mail'" in caplog.text
    one.roles.close()
    other.roles.close()


@given(st.lists(st.tuples(st.sampled_from(["start", "look", "close"]), st.integers(0, 2)), max_size=20))
def test_no_two_servers_have_a_role_and_one_has_it_once_it_looked(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, int]]
) -> None:
    file = tmp_path_factory.mktemp("seats") / "conductor.db"
    servers: dict[int, Server] = {}
    for what, number in story:
        has_looked = what != "close" and (what == "start") == (number not in servers)
        if what == "start" and has_looked:
            servers[number] = Server(FileSeats(file))
            servers[number].roles.start()
        elif what == "look" and has_looked:
            servers[number].roles.look()
        elif what == "close" and number in servers:
            servers.pop(number).roles.close()
        for name in NAMES:
            holders = [server for server in servers.values() if name in server.does]
            assert len(holders) <= 1
            assert all(server.roles.holds(name) for server in holders)
            assert holders or not has_looked
    for server in servers.values():
        server.roles.close()


def test_a_role_is_free_when_the_process_that_has_it_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from conductor_mock.store.seats import FileSeats;"
        "seats = FileSeats(Path(sys.argv[1])); print(seats.take('mail'), flush=True); sys.stdin.read()"
    )
    file = tmp_path / "conductor.db"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    with process:
        assert process.stdout.readline() == "True\n"
        seats = FileSeats(file)
        assert not seats.take("mail")
        process.kill()
        process.wait()
        assert seats.take("mail")
        seats.close()


def test_a_server_whose_connection_is_cut_gives_its_roles_up_and_another_takes_them(
    more_seats: Callable[[], Seats],
) -> None:
    seats = more_seats()
    if not isinstance(seats, AdvisorySeats):
        pytest.skip("a lock of a file hangs on no connection")
    one, other = Server(seats), Server(more_seats())
    one.roles.start()
    other.roles.start()
    session = seats._session
    assert session is not None
    pid = session.execute(sa.select(sa.func.pg_backend_pid())).scalar_one()
    with seats._engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_terminate_backend(pid, 5000)))

    other.roles.look()
    assert other.does == list(NAMES), "they were free at once"
    assert not one.roles.holds("execute"), "whoever asks knows it before the next look"
    one.roles.look()
    assert one.does == []
    other.roles.close()
    one.roles.look()
    assert one.does == list(NAMES), "it has another connection"
    one.roles.close()


def test_a_database_in_memory_has_one_server_that_does_everything(tmp_path: Path) -> None:
    with Database("sqlite://") as database:
        assert isinstance(seats_in(database), OwnSeats)
    with Database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        one, other = seats_in(database), seats_in(database)
        assert (one.take("mail"), other.take("mail"), other.take("sweep")) == (True, False, True)
        one.close()
        other.close()
