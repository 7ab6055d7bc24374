"""Remembering md5s of files that did not change, between runs.

A row counts only if device, inode, size and both times of the file are as they were. Rows of files written in the
two seconds before they were looked at are not kept, since a second write within the clock's grain would not be seen.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.lib.exceptions import BadArgumentError, Problem
from conductor.lib.files.cache_file import FILE_NAME, CacheFile, default_path, prune
from conductor.lib.files.local import LocalFile
from conductor.lib.files.local_paths import home_expanded
from conductor.lib.submission.arguments import BY_NAME
from conductor.lib.values.kinds import Spot

if TYPE_CHECKING:
    from conductor.lib.config import Config

__all__ = ["FILE_NAME", "Md5Cache", "configured_cache", "default_path", "user_cache"]

_BATCH = 500
_RACY_NS = 2_000_000_000


def user_cache(database_filepath: str | None = None) -> Md5Cache:
    """Return the user's cache, or the one in a file of their choice (``database_filepath``)."""
    return Md5Cache(default_path() if database_filepath is None else Path(home_expanded(database_filepath)))


def configured_cache(config: Config) -> Md5Cache | None:
    """Return the cache that the settings ask for, None where ``md5_caching`` is off.

    Raises BadArgumentError for settings that cannot be used.
    """
    problems: list[Problem] = []
    values = {
        name: BY_NAME[name].kind.check(sourced.value, Spot(name, problems, sourced.source))
        for name, sourced in config.submission().items()
        if name in ("md5_caching", "database_filepath")
    }
    if problems:
        raise BadArgumentError.listing(problems)
    return None if values.get("md5_caching") is False else user_cache(values.get("database_filepath"))


class Md5Cache:
    """md5s by path, kept in a file."""

    def __init__(self, path: Path, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._file = CacheFile(path)
        self._now_ns = now_ns

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def now_ns(self) -> int:
        """Return the time, as ``remember`` wants to know it of before the files were looked at."""
        return self._now_ns()

    def known(self, files: Iterable[LocalFile]) -> dict[str, LocalFile]:
        """Return, by path, those of the files whose md5 is known, with it."""
        by_path = {file.path: file for file in files if _is_text(file.path)}

        def look_up(connection: sqlite3.Connection) -> dict[str, LocalFile]:
            paths, known = list(by_path), dict[str, LocalFile]()
            for start in range(0, len(paths), _BATCH):
                known.update(_lookup(connection, paths[start : start + _BATCH], by_path))
            return known

        return self._file.read(look_up, {}, "the md5 cache is not used")

    def remember(self, files: Iterable[LocalFile], *, seen_ns: int | None = None) -> None:
        """Keep the md5s of these files. ``seen_ns``: epoch time before the first was looked at; by default now."""
        limit = (self._now_ns() if seen_ns is None else seen_ns) - _RACY_NS
        rows = [
            (file.path, _version(file), file.md5)
            for file in files
            if file.md5 and _is_text(file.path) and max(file.stat.st_mtime_ns, file.stat.st_ctime_ns) < limit
        ]

        def insert(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR REPLACE INTO md5s VALUES (?, ?, ?)", rows)
            prune(connection, "md5s")

        if rows:
            self._file.write(insert, "md5s are not kept")


def _lookup(
    connection: sqlite3.Connection, paths: list[str], by_path: dict[str, LocalFile]
) -> dict[str, LocalFile]:
    marks = ", ".join("?" * len(paths))
    # Only question marks are put into the statement; the paths are bound to them.
    query = f"SELECT path, version, md5 FROM md5s WHERE path IN ({marks})"  # noqa: S608
    return {
        path: by_path[path].with_md5(md5)
        for path, version, md5 in connection.execute(query, paths)
        if _version(by_path[path]) == version
    }


def _is_text(path: str) -> bool:
    """Say whether a database can hold a path: not one with bytes in it that are no UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _version(file: LocalFile) -> str:
    # Text, since inodes of some file systems do not fit SQLite's integers.
    return "-".join(str(part) for part in file.version)
