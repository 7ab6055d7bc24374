"""What the farm reads of a job payload is known to the contract: a key that it alone knows is never promised."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from conductor_contracts.contract import load as load_contract
from conductor_mock.farm import payload as reading

OLD = {
    "command": "render <frame args>",
    "frame_range": "1-4",
    "chunk_size": 2,
    "cores": 4,
    "machine_flavor": "highmem",
}
NEW = {
    "instance_type": "n1-standard-2",
    "tasks_data": [{"command": "render 1", "frames": "1"}],
    "upload_files": [{"destination": "/proj/a.ma", "md5": "kAFQmDzST7DWlj99KOF/cg==", "st_size": 3}],
    "autoretry_policy": {"preempted": {"max_retries": 1}, "failed": {"max_retries": 2}},
    "notify": {"emails": ["kim@example.com"]},
    "environment": {"A": "1"},
    "metadata": {"shot": "sq010"},
}


class Asked(dict[str, Any]):
    """An object that notes which of its keys are asked for."""

    def __init__(self, value: dict[str, Any]) -> None:
        super().__init__({key: noting(inner) for key, inner in value.items()})
        self.keys_asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.keys_asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.keys_asked.add(key)
        return super().__getitem__(key)


def noting(value: Any) -> Any:
    if isinstance(value, list):
        return [noting(inner) for inner in value]
    return Asked(value) if isinstance(value, dict) else value


def with_every_key(value: Any) -> Any:
    """The value with the keys that were asked for and were not there, as null."""
    if isinstance(value, list):
        return [with_every_key(inner) for inner in value]
    if not isinstance(value, Asked):
        return value
    return {**dict.fromkeys(value.keys_asked), **{key: with_every_key(inner) for key, inner in value.items()}}


def keys_asked(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from keys_asked(inner)
    elif isinstance(value, Asked):
        yield from value.keys_asked
        for inner in value.values():
            yield from keys_asked(inner)


def keys_written() -> set[str]:
    """The keys that stand in the code: `payload.get("a")`, `entry["a"]`, `text(payload, "a")`."""
    keys = set()
    for node in ast.walk(ast.parse(inspect.getsource(reading))):
        if isinstance(node, ast.Call):
            named = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = {"get": 0, "text": 1, "number": 1}.get(named)
            key = node.args[place] if place is not None else None
        else:
            key = node.slice if isinstance(node, ast.Subscript) else None
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            keys.add(key.value)
    return keys


def test_the_contract_knows_every_key_that_the_farm_reads() -> None:
    create, read = load_contract().operations["jobs.create"], set()
    for payload in (OLD, NEW):
        asked = Asked(payload)
        reading.read(asked)
        read |= {*keys_asked(asked)}
        assert create.unknown_fields(with_every_key(asked)) == []
    assert keys_written() - read == set(), "not tried by the two payloads"
    assert {"job_title", "frame_range", "st_mode", "emails", "max_retries"} <= read


def test_all_that_is_read_of_a_payload_is_made_use_of() -> None:
    sources = [path for path in Path(reading.__file__).parents[1].rglob("*.py") if path.name != "payload.py"]
    used = {name for path in sources for name in re.findall(r"\bsubmission\.(\w+)", path.read_text("utf-8"))}

    assert {field.name for field in fields(reading.Submission)} - used == set()
