"""Contents as they lie in a data directory: in files, and small ones in a table; read without the server's own code."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from pathlib import Path

SMALL = "small/"
"""What names of contents in the table begin with, where those of files begin with their folder."""


def small_contents(folder: Path) -> dict[str, bytes]:
    """The contents in the table, by hexadecimal md5; none where there is no table."""
    if not (folder / "conductor.db").is_file():
        return {}
    with closing(sqlite3.connect(folder / "conductor.db", timeout=60)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'small_contents'").fetchone():
            return {}
        rows = connection.execute("SELECT md5, bytes FROM small_contents").fetchall()
    return {base64.b64decode(md5).hex(): data for md5, data in rows}


def contents_in(folder: Path) -> dict[str, bytes]:
    """All contents, by hexadecimal md5."""
    files = {path.name: path.read_bytes() for path in (folder / "objects").glob("*/*") if path.is_file()}
    return {**small_contents(folder), **files}


def change(folder: Path, md5: bytes, data: bytes) -> None:
    """Damage a content, wherever it lies."""
    for path in (folder / "objects").glob(f"*/{md5.hex()}"):
        path.chmod(0o600)
        path.write_bytes(data)
        return
    with closing(sqlite3.connect(folder / "conductor.db", timeout=60)) as connection, connection:
        key = base64.b64encode(md5).decode()
        changed = connection.execute("UPDATE small_contents SET bytes = ? WHERE md5 = ?", (data, key))
        assert changed.rowcount == 1


def remove_all(folder: Path) -> None:
    """Take every content away, as a reset does."""
    for path in (folder / "objects").glob("*/*"):
        path.unlink()
    with closing(sqlite3.connect(folder / "conductor.db", timeout=60)) as connection, connection:
        connection.execute("DELETE FROM small_contents")
