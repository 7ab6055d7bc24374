"""What a bundle may cost: bytes, values, and numbers. The table in docs/security.md says the same."""

from __future__ import annotations

MAX_MANIFEST_BYTES = 256 << 20
MAX_COMMANDS_BYTES = 1 << 30
MAX_LINE_BYTES = 512 << 20
"""A job of 128 MiB, all of whose characters had to be escaped, and more."""
MAX_VALUES = 10_000_000
"""Commas and opening brackets of the manifest, and of all commands together: an empty list takes forty times its text
once it is read. A job of a million tasks has three millions."""
FREE_BYTES = 16 << 20
MAX_RATIO = 200
"""An entry unpacks to `FREE_BYTES`, or to so many times what it takes in the file. Commands that a farm made come to
some thirty."""
LARGEST = 1 << 62
"""Of every whole number."""
MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255
"""Of an output's path, and of each part of it, as file systems have it."""


def values_in(text: bytes) -> int:
    """At least how many values JSON has, without reading it."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def path_problem(path: str) -> str | None:
    """Why a path is not one below an output folder, if it is not."""
    if not path or "\0" in path:
        return "is empty or holds NUL"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "leads out of the output folder, or is not written as one below it"
    if len(path.encode("utf-8", "replace")) > MAX_PATH_BYTES:
        return f"has more than {MAX_PATH_BYTES} bytes"
    if any(len(part.encode("utf-8", "replace")) > MAX_NAME_BYTES for part in path.split("/")):
        return f"has a part of more than {MAX_NAME_BYTES} bytes"
    return None
