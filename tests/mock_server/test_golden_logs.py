"""Stored logs replay to the states that they had when they were stored, unless the simulation says it changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conductor_mock.bundles.transfer import fingerprint
from conductor_mock.farm import snapshot
from conductor_mock.farm.fold import SIMULATION_VERSION
from conductor_mock.farm.records import KINDS, decode
from support.golden import FOLDER, HASHES, LOGS, as_before, replayed, rows
from support.states import differences, image


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_stored_log_replays_to_its_stored_state(path: Path) -> None:
    stored = path.with_suffix(f".v{SIMULATION_VERSION}.json")
    assert stored.exists(), (
        f"SIMULATION_VERSION is {SIMULATION_VERSION} and {path.name} has no state of it: "
        "run tests/support/golden.py and read what changed"
    )
    state = replayed(path)
    was = snapshot.read(json.loads(stored.read_text(encoding="utf-8")))
    changed = differences("", image(was), image(as_before(state)))

    assert not changed, (
        f"{path.name} replays to another state, but SIMULATION_VERSION is still {SIMULATION_VERSION}. Stored accounts "
        "would change under their users: raise it and record, or undo the change. " + "; ".join(changed[:5])
    )


def test_the_state_of_a_stored_log_has_the_hash_that_bundles_have_of_it() -> None:
    stored = json.loads(HASHES.read_text(encoding="utf-8"))
    assert {name: fingerprint(replayed(FOLDER / f"{name}.jsonl")) for name in stored} == stored


def test_there_is_a_stored_record_of_every_kind_in_every_version() -> None:
    stored = {(row["kind"], row["v"]) for row in rows(FOLDER / "records.jsonl")}

    assert stored == {(kind, v) for kind, cls in KINDS.items() for v in range(1, cls.version + 1)}


@pytest.mark.parametrize("row", rows(FOLDER / "records.jsonl"), ids=lambda row: f"{row['kind']}-v{row['v']}")
def test_a_stored_record_is_read_and_is_written_again_as_it_was(row: dict[str, Any]) -> None:
    command = decode(row["kind"], row["v"], row["json"])

    assert type(command) is KINDS[row["kind"]]
    if row["v"] == command.version:
        assert json.loads(json.dumps(command.to_json())) == row["json"]


def test_a_change_of_the_replay_is_told_by_its_place() -> None:
    """The message above is only as good as this."""
    assert differences("", {"jobs": [{"status": "pending"}]}, {"jobs": [{"status": "running"}]}) == [
        "/jobs/0/status: was 'pending', is 'running'"
    ]
    assert differences("", {"a": [1]}, {"a": [1, 2]}) == ["/a: was [1], is [1, 2]"]
