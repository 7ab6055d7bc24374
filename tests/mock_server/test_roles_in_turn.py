"""What a server does about each role that it gets, loses, cannot begin or cannot end: on seats in memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.roles import ROLES, Roles


class Chairs:
    """Seats whose holder anybody can change."""

    def __init__(self) -> None:
        self.free = set(ROLES)
        self.ours: set[str] = set()
        self.is_closed = False

    def take(self, name: str) -> bool:
        if name in self.free:
            self.free.remove(name)
            self.ours.add(name)
        return name in self.ours

    def holds(self, name: str) -> bool:
        return name in self.ours

    def give_back(self, name: str) -> None:
        if name in self.ours:
            self.ours.remove(name)
            self.free.add(name)

    def close(self) -> None:
        self.is_closed = True


class Server:
    """Notes what it begins and ends; both may fail."""

    def __init__(self, *, alone: bool = False) -> None:
        self.chairs = Chairs()
        self.roles = Roles(None if alone else self.chairs, look_every_s=3600)
        self.done: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.without_turn: list[str] = []
        for name in ROLES:
            self.roles.when_elected(name, self._does("start", name), self._does("stop", name))

    def _does(self, what: str, name: str) -> Callable[[], None]:
        def act() -> None:
            self.done.append(f"{what} {name}")
            if not self.roles._turn._is_owned():  # type: ignore[attr-defined]
                self.without_turn.append(f"{what} {name}")
            if error := self.fails.get(f"{what} {name}"):
                raise error

        return act


ALL = [f"start {name}" for name in ROLES]


def test_the_names_of_roles_are_what_people_read_in_logs_and_metrics() -> None:
    assert ROLES == ("execute", "mail", "sweep")


def test_roles_are_begun_once_and_ended_in_the_opposite_order(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    assert server.roles.held() == []
    with caplog.at_level(logging.INFO):
        server.roles.start()
    assert caplog.messages == [f"this server has the role {name!r}" for name in ROLES]
    assert server.roles.held() == list(ROLES)
    for _ in range(2):
        server.roles.look()
    assert (server.done, server.chairs.ours) == (ALL, set(ROLES))
    thread = server.roles._thread
    assert thread.is_alive()
    assert thread.daemon
    server.roles.close()
    assert server.done == [*ALL, *(f"stop {name}" for name in reversed(ROLES))]
    assert (server.chairs.free, server.chairs.is_closed) == (set(ROLES), True)
    assert server.roles.held() == []
    assert not thread.is_alive()
    server.roles.close()
    server.roles.look()
    assert len(server.done) == 2 * len(ROLES), "nothing is begun or ended after the end"
    assert server.without_turn == []


def test_a_role_that_another_one_has_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    server.chairs.free.remove("mail")
    server.roles.look()
    assert server.done == ["start execute", "start sweep"]
    assert server.roles.held() == ["execute", "sweep"]
    assert [server.roles.holds(name) for name in ROLES] == [True, False, True]
    assert caplog.messages == []


def test_a_role_that_was_lost_is_ended_and_begun_again_when_it_is_free(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server()
    server.roles.look()
    server.done.clear()
    server.chairs.ours.remove("mail")
    for _ in range(2):
        server.roles.look()
    assert server.done == ["stop mail"]
    assert server.roles.held() == ["execute", "sweep"]
    assert caplog.messages == ["this server has lost the role 'mail'; another one has it now, or will"]
    server.chairs.free.add("mail")
    server.roles.look()
    assert server.done == ["stop mail", "start mail"]


def test_what_a_lost_role_raises_at_its_end_is_told_and_the_next_one_is_looked_at(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server()
    server.roles.look()
    server.fails["stop execute"] = ZeroDivisionError()
    server.chairs.ours -= {"execute", "mail"}
    server.roles.look()
    assert server.done[3:] == ["stop execute", "stop mail"]
    assert server.roles.held() == ["sweep"]
    assert "the role 'execute' did not end as it should" in caplog.messages


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "full"), "could not take the role 'mail', which is tried again: its disk refuses (ENOSPC"),
        (DatabaseError("another has it"), "could not take the role 'mail', which is tried again: another has it"),
        (ZeroDivisionError(), "could not take the role 'mail'; it is tried again"),
    ],
)  # fmt: skip
def test_a_role_that_cannot_be_begun_is_another_ones_and_tried_again(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server()
    server.fails["start mail"] = error
    server.roles.look()
    assert "mail" in server.chairs.free
    assert server.roles.held() == ["execute", "sweep"]
    (record,) = caplog.records
    assert told in record.getMessage()
    assert (record.exc_info is not None) == isinstance(error, ZeroDivisionError)
    server.fails.clear()
    server.roles.look()
    assert server.done == [*ALL, "start mail"]


def test_whatever_one_role_raises_at_the_end_the_others_are_ended_and_the_first_error_is_told() -> None:
    server = Server()
    server.roles.look()
    server.fails = {"stop sweep": OSError("first"), "stop execute": OSError("second")}
    with pytest.raises(OSError, match="first"):
        server.roles.close()
    assert server.done[3:] == [f"stop {name}" for name in reversed(ROLES)]
    assert (server.chairs.free, server.chairs.is_closed) == (set(ROLES), True)
    server.roles.close()


def test_a_lone_server_has_no_thread_and_all_seats() -> None:
    server = Server(alone=True)
    server.roles.start()
    assert server.done == ALL
    assert all(map(server.roles.holds, ROLES))
    assert not server.roles._thread.is_alive()
    server.roles.close()
    assert not any(map(server.roles.holds, ROLES))


def test_a_thread_looks_every_so_often_until_the_end() -> None:
    server, waits = Server(), list[float | None]()

    class Closing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return len(waits) > 2

    server.roles._closing = Closing()
    server.roles._run()
    assert waits == [3600] * 3
    assert server.done == ALL
