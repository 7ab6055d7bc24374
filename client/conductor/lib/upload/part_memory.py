"""Remembering which parts of a large file are there, so that a client that was ended goes on where it stopped.

The protocol has no call that lists the parts of an upload (wire reference 2.5 to 2.7), so the client keeps the ETag
of each. They count only for an upload that the service offers again under the same id and with the same parts; where
it begins a new one, all parts are sent.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from conductor.lib.files.cache_file import CacheFile, prune
from conductor.lib.files.digests import hashed_name
from conductor.lib.upload.plan import MultiPart


class PartMemory:
    """ETags by upload and part number, kept in a file. ``origin`` is the service's URL."""

    def __init__(self, path: Path, origin: str) -> None:
        self._file = CacheFile(path)
        self._origin = origin

    def etags(self, plan: MultiPart, md5: str) -> dict[int, str]:
        """Return the ETags of the parts that were sent before."""
        key = self._key(plan, md5)

        def look_up(connection: sqlite3.Connection) -> dict[int, str]:
            rows = connection.execute("SELECT number, etag FROM parts WHERE upload = ?", (key,))
            return {number: etag for number, etag in rows if number in plan.urls}

        return self._file.read(look_up, {}, "parts that were sent before are not known")

    def remember(self, plan: MultiPart, md5: str, number: int, etag: str) -> None:
        """Keep the ETag of a part."""
        row = (self._key(plan, md5), number, etag)

        def insert(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?)", row)
            prune(connection, "parts")

        self._file.write(insert, "a part that was sent is not remembered")

    def forget(self, plan: MultiPart, md5: str) -> None:
        """Drop an upload that is whole, or whose parts the service no longer has."""
        key = self._key(plan, md5)

        def delete(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM parts WHERE upload = ?", (key,))

        self._file.write(delete, "the parts of an upload that is over stay in the cache")

    def _key(self, plan: MultiPart, md5: str) -> str:
        text = "\n".join((self._origin, plan.upload_id, md5, str(plan.part_size), str(len(plan.urls))))
        return hashed_name(text)
