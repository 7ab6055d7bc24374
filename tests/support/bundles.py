"""Bundles for tests: saved from a fake, replayed into another, taken apart and put together wrongly."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from support.server import Answer, ApiCaller

ZIP = {"Content-Type": "application/zip"}
Parts = dict[str, bytes]


def save(caller: ApiCaller, **query: str) -> bytes:
    """The caller's account as a bundle."""
    answer = caller.get("/_mock/bundle", query={"account": caller.client_id, **query})
    assert answer.status == 200, answer
    return answer.content


def replay(caller: ApiCaller, data: bytes, **query: str) -> Answer:
    return caller.request("POST", "/_mock/bundle", data=data, query=query, headers=ZIP)


def parts_of(data: bytes) -> Parts:
    """The entries of a bundle by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def join(parts: Mapping[str, bytes]) -> bytes:
    """A bundle of these entries; contents are stored as they are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            kind = zipfile.ZIP_STORED if name.startswith("objects/") else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return file.getvalue()


def with_manifest(data: bytes, **changes: Any) -> bytes:
    """A bundle whose manifest says something else."""
    parts = parts_of(data)
    parts["manifest.json"] = json.dumps({**json.loads(parts["manifest.json"]), **changes}).encode()
    return join(parts)


def with_commands(data: bytes, change: Callable[[list[dict[str, Any]]], object]) -> bytes:
    """A bundle whose commands were changed, and whose manifest has the right hash of them."""

    def changed(text: bytes) -> bytes:
        records = [json.loads(line) for line in text.splitlines()]
        change(records)
        return b"".join(json.dumps(record).encode() + b"\n" for record in records)

    return with_lines(data, changed)


def with_lines(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The same, changed as a text."""
    parts = parts_of(data)
    lines = parts["commands.jsonl"] = change(parts["commands.jsonl"])
    return with_manifest(
        join(parts), commands=len(lines.splitlines()), commands_sha256=hashlib.sha256(lines).hexdigest()
    )
