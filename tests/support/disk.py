"""Files as they lie on the disk: the independent side of every comparison with what a fake recorded."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STAT_FIELDS = (
    "st_mode",
    "st_ino",
    "st_dev",
    "st_nlink",
    "st_uid",
    "st_gid",
    "st_size",
    "st_mtime",
    "st_ctime",
)
"""What a stat says of a file that nobody touches, and says again later. Not `st_atime`: reading moves it."""


def md5_of(content: bytes) -> str:
    """The md5 of a content as the wire writes it (wire reference 4)."""
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def write_tree(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files below `folder`, by relative path; their paths, in the order given."""
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return [folder / name for name in contents]


def facts(path: Path) -> tuple[str, int]:
    """Base64 md5 and size of a file: what the server must hold of it."""
    content = path.read_bytes()
    return md5_of(content), len(content)


def upload_entry(path: Path, md5: str | None = "") -> dict[str, Any]:
    """The file's entry in `upload_files` (wire reference 3.2), but for `st_atime`; md5 taken here unless given."""
    stat = path.stat()
    fields = {name: getattr(stat, name) for name in STAT_FIELDS}
    return {"destination": str(path), "md5": facts(path)[0] if md5 == "" else md5, **fields}


def without_atime(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of `upload_files` as `upload_entry` makes it. Fails if `st_atime` is missing or no time."""
    atime = entry["st_atime"]
    assert isinstance(atime, float), entry
    assert atime > 0, entry
    return {name: value for name, value in entry.items() if name != "st_atime"}
