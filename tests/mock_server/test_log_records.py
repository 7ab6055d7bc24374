"""A kind of record is all there or not there: its class, its effect, a stored record of it, its check in a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conductor_contracts.contract import load
from conductor_mock.bundles.records import CHECKS, read_line
from conductor_mock.farm import commands
from conductor_mock.farm.records import KINDS

GOLDEN = Path(__file__).parent / "golden"
CHECKED_BY_TYPES_ALONE = {
    "attempt.logged", "attempt.started", "download.offered", "upload.claimed",
    "upload.failed", "upload.finished", "upload.progressed", "jobs.acted", "tasks.acted", "download.reported",
}  # fmt: skip
"""Kinds of which a bundle may say whatever is of the right types: the fold makes something of it, or refuses it."""


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_command_is_a_kind_of_the_log() -> None:
    classes = {one for one in vars(commands).values() if isinstance(one, type) and hasattr(one, "kind")}

    assert classes == set(KINDS.values()), "a command that is not in the union `Command` cannot be read again"
    assert len(KINDS) == len(classes), "two of them have one name"


def test_every_kind_is_in_a_golden_log_that_is_replayed() -> None:
    logs = [path for path in GOLDEN.glob("*.jsonl") if path.name != "records.jsonl"]

    assert {row["kind"] for path in logs for row in rows(path)} == set(KINDS), (
        "its effect is not held by any log"
    )


@pytest.mark.parametrize("row", rows(GOLDEN / "records.jsonl"), ids=lambda row: f"{row['kind']}-v{row['v']}")
def test_a_stored_record_has_values_of_the_declared_types(row: dict[str, Any]) -> None:
    """A bundle's records are held to the types of their fields; values that were not made again would be objects."""
    record = read_line(json.dumps(row).encode(), row["seq"], load())

    assert type(record.command) is KINDS[row["kind"]]


def test_a_bundle_checks_the_values_of_every_kind_or_its_types_say_it_all() -> None:
    checked = {command.kind for command in CHECKS}

    assert checked | CHECKED_BY_TYPES_ALONE == set(KINDS)
    assert not checked & CHECKED_BY_TYPES_ALONE
