"""Between two slices of long work others have their turn."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from conductor_mock.store import collector, turns


def test_whoever_gives_way_gives_up_the_processor_and_in_a_process_of_our_own_spares_the_collector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[object] = []
    monkeypatch.setattr(turns, "time", SimpleNamespace(sleep=done.append))
    monkeypatch.setattr(collector, "spare_what_is_there", lambda: done.append("spared"))
    turns.give_way()
    turns.give_way_sparingly()
    assert done == [turns.GIVE_WAY_S, "spared", turns.GIVE_WAY_S]
