"""Write the states of the present simulation version that are missing here. Never changes a file."""

from __future__ import annotations

import json
from pathlib import Path

from conductor_mock.farm import snapshot
from conductor_mock.farm.fold import SIMULATION_VERSION, replay
from conductor_mock.farm.records import Record, decode

FOLDER = Path(__file__).parent


def read_log(path: Path) -> list[Record]:
    """The records of a stored log."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Record(row["seq"], row["t_us"], decode(row["kind"], row["v"], row["json"])) for row in rows]


def main() -> None:
    for path in sorted(FOLDER.glob("*.jsonl")):
        target = path.with_suffix(f".v{SIMULATION_VERSION}.json")
        if path.name == "records.jsonl" or target.exists():
            continue
        state = replay(read_log(path))
        assert state is not None
        text = json.dumps(snapshot.write(state), indent=1, ensure_ascii=False)
        target.write_text(text + "\n", encoding="utf-8")
        print(f"wrote {target.name}")


if __name__ == "__main__":
    main()
