"""Snapshots: the same state comes back, in parts however small, and from what older versions wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm import snapshot
from support.golden import FOLDER, SNAPSHOTS, as_before, replayed, rows
from support.lives import Step, live, lives
from support.simulated import Arrival, Farm, arrivals, farms, run
from support.states import differences, image


def through_text(parts: Iterator[Any]) -> list[Any]:
    return [json.loads(json.dumps(part, allow_nan=False)) for part in parts]


@given(farms, arrivals, st.integers(0, 3_600_000_000), st.integers(1, 8))
def test_a_state_comes_back_from_its_parts_however_small_they_are(
    options: dict[str, Any], plan: list[Arrival], later: int, block: int
) -> None:
    farm = Farm(**options)
    run(farm, plan)
    farm.advance(later)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "BLOCK", block)
        parts = through_text(snapshot.write_parts(farm.state))

    assert all(len(part) <= block for part in parts if isinstance(part, list))
    assert image(snapshot.read_parts(parts)) == image(farm.state)


@given(farms, lives)
def test_whatever_an_account_lived_through_comes_back(options: dict[str, Any], life: list[Step]) -> None:
    farm = Farm(**options)
    live(farm, life)

    assert differences("", image(farm.state), image(snapshot.read(farm.stored()))) == []


def test_a_snapshot_of_the_first_format_is_read() -> None:
    golden = FOLDER / "daemons.v1.json"
    stored = json.loads(golden.read_text(encoding="utf-8"))
    assert stored["format"] == 1

    assert image(snapshot.read(stored)) == image(as_before(replayed(FOLDER / "daemons.jsonl")))


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_a_snapshot_of_an_older_version_is_read_as_the_state_it_was_taken_of(path: Path) -> None:
    """The log that lies beside it says which state that was."""
    log = FOLDER / f"{path.name.split('.')[0]}.jsonl"

    assert image(snapshot.read_parts(rows(path))) == image(as_before(replayed(log)))


def test_a_snapshot_of_a_newer_format_is_refused() -> None:
    newer = {**Farm().stored(), "format": snapshot.FORMAT + 1}
    with pytest.raises(snapshot.SnapshotError, match=f"format {snapshot.FORMAT + 1}"):
        snapshot.read(newer)


def test_what_many_attempts_have_in_common_is_shared_when_it_is_read() -> None:
    """A million attempts of a snapshot would hold two million copies of the word success."""
    farm = Farm()
    farm.submit(3)
    farm.until_idle()
    again = snapshot.read_parts(through_text(snapshot.write_parts(farm.state)))
    attempts = [task.attempts[-1] for task in again.jobs[1].tasks]

    assert {id(attempt.outcome) for attempt in attempts} == {id(attempts[0].planned)}
    assert all(attempt.ended_us is attempt.ends_us for attempt in attempts)
