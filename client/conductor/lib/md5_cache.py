"""Remembering md5s of files that did not change, between runs.

An SQLite file in the user's cache folder, or where ``database_filepath`` says. A row counts only if inode,
size and both times are as they were; rows of files written in the last two seconds are not kept, since a
second write within the clock's grain would not be seen. The cache is an aid: one that cannot be used is
logged and does without. The name is not the vendor's, whose table in the shared temp folder anybody may write.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

from conductor.lib.local_files import LocalFile

logger = logging.getLogger(__name__)

FILE_NAME = "md5s.sqlite3"
_BATCH = 500
_RACY_NS = 2_000_000_000
_TABLE = "CREATE TABLE IF NOT EXISTS md5s (path TEXT PRIMARY KEY, version TEXT NOT NULL, md5 TEXT NOT NULL)"


def default_path() -> Path:
    """Return where the cache lies unless ``database_filepath`` says otherwise."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("conductor")) / FILE_NAME


class Md5Cache:
    """md5s by path, kept in a file. Each use opens the file anew, so it may be used from any thread."""

    def __init__(self, path: Path, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.path = path
        self._now_ns = now_ns

    def known(self, files: Iterable[LocalFile]) -> dict[str, LocalFile]:
        """Return, by path, those of the files whose md5 is known, with it."""
        wanted = {file.path: file for file in files}
        if not self.path.exists():
            return {}
        found: dict[str, LocalFile] = {}
        paths = list(wanted)
        try:
            with closing(self._connect()) as connection:
                for start in range(0, len(paths), _BATCH):
                    found.update(_lookup(connection, paths[start : start + _BATCH], wanted))
        except sqlite3.Error as error:
            logger.warning("the md5 cache %s is not used: %s", self.path, error)
            return {}
        return found

    def remember(self, files: Iterable[LocalFile]) -> None:
        """Keep the md5s of these files."""
        limit = self._now_ns() - _RACY_NS
        rows = [
            (file.path, _version(file), file.md5)
            for file in files
            if file.md5 and max(file.stat.st_mtime_ns, file.stat.st_ctime_ns) < limit
        ]
        if not rows:
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with closing(self._connect()) as connection, connection:
                connection.executemany("INSERT OR REPLACE INTO md5s VALUES (?, ?, ?)", rows)
        except (sqlite3.Error, OSError) as error:
            logger.warning("md5s are not kept in %s: %s", self.path, error)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=5.0)
        try:
            connection.execute(_TABLE)
        except BaseException:
            connection.close()
            raise
        return connection


def _lookup(
    connection: sqlite3.Connection, paths: list[str], wanted: dict[str, LocalFile]
) -> dict[str, LocalFile]:
    marks = ", ".join("?" * len(paths))
    # Only question marks are put into the statement; the paths are bound to them.
    query = f"SELECT path, version, md5 FROM md5s WHERE path IN ({marks})"  # noqa: S608
    return {
        path: wanted[path].with_md5(md5)
        for path, version, md5 in connection.execute(query, paths)
        if _version(wanted[path]) == version
    }


def _version(file: LocalFile) -> str:
    # Text, since inodes of some file systems do not fit SQLite's integers.
    return "-".join(str(part) for part in file.version)
