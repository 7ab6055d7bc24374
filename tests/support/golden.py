"""Logs and snapshots as servers wrote them (`tests/mock_server/golden`). Run to write the states that are missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conductor_mock.bundles.transfer import fingerprint
from conductor_mock.farm import snapshot
from conductor_mock.farm.fold import SIMULATION_VERSION, replay
from conductor_mock.farm.records import Record, decode
from conductor_mock.farm.state import State

FOLDER = Path(__file__).parents[1] / "mock_server" / "golden"
LOGS = sorted(path for path in FOLDER.glob("*.jsonl") if path.name != "records.jsonl")
HASHES = FOLDER / f"hashes.v{SIMULATION_VERSION}.json"
SNAPSHOTS = sorted((FOLDER / "snapshots").glob("*.jsonl"))


def rows(path: Path) -> list[Any]:
    """The JSON values of a file that has one in each line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_log(path: Path) -> list[Record]:
    """The records of a stored log."""
    return [Record(row["seq"], row["t_us"], decode(row["kind"], row["v"], row["json"])) for row in rows(path)]


def replayed(path: Path) -> State:
    """The state that a stored log comes to."""
    state = replay(read_log(path))
    assert state is not None
    return state


def as_before(state: State) -> State:
    """The state without what was added since such states were stored, which a replay makes and they cannot have."""
    return snapshot.read(snapshot.essence(state))


def main() -> None:
    """Write what the present simulation version makes of each log where that was not yet. Never changes a file."""
    if not HASHES.exists():
        HASHES.write_text(
            json.dumps({path.stem: fingerprint(replayed(path)) for path in LOGS}, indent=1) + "\n"
        )
        print(f"wrote {HASHES.name}")
    for path in LOGS:
        target = path.with_suffix(f".v{SIMULATION_VERSION}.json")
        if target.exists():
            continue
        text = json.dumps(snapshot.write(replayed(path)), indent=1, ensure_ascii=False)
        target.write_text(text + "\n", encoding="utf-8")
        print(f"wrote {target.name}")


if __name__ == "__main__":
    main()
