"""The threads that answer requests: none is lost by what goes wrong with a connection."""

from __future__ import annotations

import threading
import time

import pytest

from conductor_mock.serving.threads import Lane, Served

FIRST = 4
PATIENCE_S = 20.0


class Connection:
    """A connection that stays, or does not, and cannot be closed."""

    lane: Lane | None = None

    def __init__(self, *, stays: bool, error: BaseException | None = None) -> None:
        self.is_closed = threading.Event()
        self._stays = stays
        self._error = error

    def communicate(self) -> object:
        return self._stays

    def cut(self) -> None:
        """Nothing reads."""

    def close(self) -> None:
        self.is_closed.set()
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("error", [OSError("closed"), KeyError("7"), SystemExit(1)], ids=repr)
@pytest.mark.parametrize("stays", [True, False])
def test_a_thread_that_cannot_give_a_connection_back_goes_on_with_the_next_one(
    error: BaseException, stays: bool
) -> None:
    def refuse(_: Served) -> None:
        raise error

    lane = Lane("tests", FIRST, refuse)
    lane.start()
    connections = [Connection(stays=stays, error=error) for _ in range(2 * FIRST)]
    for connection in connections:
        lane.put(connection)
    for connection in connections:
        assert connection.is_closed.wait(PATIENCE_S), "nobody answers it"
    lane.end()
    lane.join(time.monotonic() + PATIENCE_S)
    assert len(lane) == 0
    assert not lane._at_hand
