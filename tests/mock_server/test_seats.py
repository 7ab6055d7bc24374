"""Seats of files and of sessions of a database: who has one, and what frees it."""

from __future__ import annotations

import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import filelock
import pytest
import sqlalchemy as sa

from conductor_mock.store import seats as module
from conductor_mock.store.database import Database
from conductor_mock.store.seats import AdvisorySeats, FileSeats, OwnSeats, seats_in
from support.advisory import Advisory


def test_own_seats_are_had_from_the_taking_to_the_giving_back() -> None:
    seats = OwnSeats()
    assert seats.holds("mail") is False
    assert seats.take("mail") is True
    assert (seats.holds("mail"), seats.holds("sweep")) == (True, False)
    seats.give_back("mail")
    seats.give_back("mail")
    assert not seats.holds("mail")
    seats.take("mail")
    seats.close()
    assert not seats.holds("mail")


def test_a_seat_of_a_file_is_one_servers_until_it_is_given_back(tmp_path: Path) -> None:
    one, other = FileSeats(tmp_path / "a.db"), FileSeats(tmp_path / "a.db")
    assert one.holds("mail") is False
    one.give_back("mail")
    assert one.take("mail") is True
    assert one.take("mail") is True, "it has it"
    file = tmp_path / "a.db.mail.seat"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert other.take("mail") is False
    assert (one.holds("mail"), other.holds("mail")) == (True, False)
    assert other.take("sweep") is True, "another seat"
    one.give_back("mail")
    assert one.holds("mail") is False
    assert other.take("mail") is True
    other.close()
    assert one.take("mail") is True
    assert one.take("sweep") is True
    one.close()


def test_a_seat_is_taken_without_waiting_and_held_whichever_thread_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    class Noted(filelock.FileLock):
        def acquire(self, *given: Any, **named: Any) -> Any:
            asked.update(named)
            return super().acquire(*given, **named)

    def made(path: Path, *, thread_local: bool) -> filelock.BaseFileLock:
        asked["thread_local"] = thread_local
        return Noted(path, thread_local=thread_local)

    monkeypatch.setattr(module, "filelock", SimpleNamespace(FileLock=made, Timeout=filelock.Timeout))
    seats = FileSeats(tmp_path / "a.db")
    assert seats.take("mail")
    assert asked == {"timeout": 0, "thread_local": False}
    seats.close()


@pytest.mark.parametrize(
    ("error", "told"), [(OSError(13, "Permission denied"), "Permission denied"), (OSError("odd"), "odd")]
)
def test_a_seat_whose_file_cannot_be_used_is_not_taken_and_told(
    error: OSError,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(_: Path) -> None:
        raise error

    seats = FileSeats(tmp_path / "a.db")
    with monkeypatch.context() as patched:
        patched.setattr(module, "private_file", refuse)
        assert seats.take("mail") is False
    assert caplog.messages == [f"cannot use {tmp_path / 'a.db.mail.seat'}: {told}"]
    assert seats.take("mail") is True
    seats.close()


def test_a_seat_of_a_session_is_one_servers_until_it_is_given_back() -> None:
    database = Advisory()
    one, other = AdvisorySeats(database.engine()), AdvisorySeats(database.engine())
    assert one.holds("mail") is False
    one.give_back("mail")
    assert one.take("mail") is True
    assert one.take("mail") is True
    assert other.take("mail") is False
    assert other.take("sweep") is True
    assert (one.holds("mail"), other.holds("mail"), other.holds("sweep")) == (True, False, True)
    assert len(database.settings) == 2, "each has one session"
    one.give_back("mail")
    assert one.holds("mail") is False
    assert other.take("mail") is True
    other.give_back("mail")
    assert other.holds("sweep") is True, "of two seats the other one stays"
    assert other.take("mail") is True
    other.close()
    assert (other.holds("mail"), other.holds("sweep"), database.held) == (False, False, {})
    assert one.take("mail") is True
    one.close()
    one.close()
    assert database.held == {}


def test_the_keys_of_seats_are_two_numbers_of_32_bits() -> None:
    database = Advisory()
    seats = AdvisorySeats(database.engine())
    names = [f"a seat {number}" for number in range(40)]
    assert all(map(seats.take, names))
    assert len({number for _, number in database.held}) == len(names)
    assert all(0 <= number < 1 << 31 for key in database.held for number in key)
    ours = int.from_bytes(b"Seat", "big")  # by which servers of two versions keep each other out
    assert {first for first, _ in database.held} == {ours}
    seats.close()


def test_a_session_ends_soon_after_its_machine_has_gone() -> None:
    database = Advisory()
    seats = AdvisorySeats(database.engine())
    seats.take("mail")
    ((_, told),) = database.settings.items()
    assert told == {
        "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3"
    }  # fmt: skip
    seats.close()


def test_a_session_that_is_cut_has_lost_its_seats_and_the_next_one_takes_them_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    database = Advisory()
    one, other = AdvisorySeats(database.engine()), AdvisorySeats(database.engine())
    one.take("mail")
    one.take("sweep")
    database.cut(1)
    assert other.take("mail") is True
    caplog.set_level("INFO")
    assert one.holds("mail") is False
    assert caplog.messages[0].startswith("the database does not say which server does what: ")
    assert one.holds("sweep") is False, "all that the session had"
    assert one.take("mail") is False
    assert one.take("sweep") is True
    assert caplog.messages[1:] == ["the database says again which server does what"]
    one.close()
    other.close()


def test_a_seat_is_not_taken_by_asking_a_session_that_is_cut() -> None:
    database = Advisory()
    seats = AdvisorySeats(database.engine())
    assert seats.take("mail") is True
    database.cut(1)
    assert seats.take("sweep") is False
    assert (seats.holds("mail"), database.held) == (False, {})
    assert seats.take("sweep") is True
    seats.close()


def test_a_session_that_cannot_even_be_ended_is_forgotten() -> None:
    class Broken:
        def invalidate(self) -> None:
            raise sa.exc.OperationalError("", {}, Exception("away"))

        close = invalidate

    seats: Any = AdvisorySeats(Advisory().engine())
    seats._session, seats._taken = Broken(), {"mail"}
    seats.close()
    assert (seats._session, seats._taken) == (None, set())


def test_a_session_that_ends_is_neither_kept_nor_given_back_with_its_locks() -> None:
    done: list[str] = []
    session = SimpleNamespace(
        invalidate=lambda: done.append("invalidated"), close=lambda: done.append("closed")
    )
    seats: Any = AdvisorySeats(Advisory().engine())
    seats._session = session
    seats.close()
    assert done == ["invalidated", "closed"]


@pytest.mark.parametrize(
    ("backend", "file", "kind"),
    [
        ("postgresql", "a", AdvisorySeats),
        ("sqlite", "/a/b.db", FileSeats),
        ("sqlite", None, OwnSeats),
        ("sqlite", "", OwnSeats),
        ("sqlite", ":memory:", OwnSeats),
    ],
)
def test_seats_lie_where_the_database_does(backend: str, file: str | None, kind: type) -> None:
    database: Any = SimpleNamespace(
        backend=backend, engine=SimpleNamespace(url=SimpleNamespace(database=file))
    )
    assert type(seats_in(database)) is kind


def test_a_database_of_a_file_has_its_seats_beside_it(tmp_path: Path) -> None:
    with Database(f"sqlite:///{tmp_path / 'a.db'}") as database:
        seats = seats_in(database)
        assert seats.take("mail")
        assert (tmp_path / "a.db.mail.seat").exists()
        seats.close()
