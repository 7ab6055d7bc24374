"""What a crash leaves behind for ever: contents that nothing refers to, and parts that nobody will make whole.

A reset, a refused upload and a replay that failed take their own leavings away; whoever is killed in between cannot. So
the whole directory is looked through when the last server did not stop cleanly, or somebody asks (`conductor-mock
prune`). Only for a directory that is ours alone: nobody is served meanwhile.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from conductor_contracts.problems import count
from conductor_mock.store.belonging import check_belongs
from conductor_mock.store.database import Database
from conductor_mock.store.small_contents import SmallContents
from conductor_mock.store.tables import ACCOUNT_CONTENTS, KEEPING, MULTIPARTS, SMALL_CONTENTS
from conductor_mock.wire.md5 import from_base64

CLEAN = "clean"
"""The name of an empty file that a clean stop leaves and the next start takes away."""
GIVEN_UP_S = 7 * 24 * 3600.0
"""An upload of which no part came for so long (wall time) will not become whole: its parts go, not its record."""
_DIGEST = 16


class DamagedReferenceError(OSError):
    """Which content a row means cannot be said, so none is known to be of no use."""

    def __init__(self, table: str) -> None:
        self.message = (
            f"a row of {table} is damaged: `conductor-mock check` says which, nothing was removed or copied"
        )
        super().__init__(errno.EIO, self.message)

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Swept:
    """How much is of no use, and its bytes: contents, and parts of uploads."""

    contents: int = 0
    content_bytes: int = 0
    parts: int = 0
    part_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Of both."""
        return self.content_bytes + self.part_bytes

    def __add__(self, other: Swept) -> Swept:
        return Swept(
            self.contents + other.contents,
            self.content_bytes + other.content_bytes,
            self.parts + other.parts,
            self.part_bytes + other.part_bytes,
        )

    def __str__(self) -> str:
        return f"{count(self.contents, 'content')} and {count(self.parts, 'part')}, {self.bytes:,} bytes"


def sweep(database: Database, directory: Path, *, dry_run: bool = False) -> Swept:
    """Remove what nothing refers to, or only count it. Raises OSError (NotItsDatabaseError, too), SQLAlchemyError.

    Contents in a bucket are not looked at: they are not of one directory (`bucket_sweeper.py`).
    """
    check_belongs(database, directory)
    contents = [(path, path.stat().st_size) for _, path in unreferenced(database, directory)]
    table = SmallContents(database)
    small = unreferenced_small(database)
    parts = list(useless_parts(database, directory))
    swept = Swept(
        len(contents) + len(small),
        sum(size for _, size in (*contents, *small)),
        len(parts),
        sum(size for _, size in parts),
    )
    if not dry_run:
        for path, _ in (*contents, *parts):
            path.unlink(missing_ok=True)
        table.delete([md5 for md5, _ in small])
        _remove_empty(directory / "parts")
    return swept


def contents_there(directory: Path) -> Iterator[tuple[bytes, Path]]:
    """The files of contents, by the md5 that each is named as. What is named otherwise is none of ours."""
    for folder in _folders(directory / "objects"):
        for entry in files_in(folder):
            digest = _digest_of(entry.name)
            if digest is not None:
                yield digest, entry


def parts_there(directory: Path) -> Iterator[Path]:
    """The parts of uploads in a data directory."""
    for account in _folders(directory / "parts"):
        for upload in _folders(account):
            yield from files_in(upload)


def unreferenced(database: Database, directory: Path) -> Iterator[tuple[bytes, Path]]:
    """The files of contents that nothing refers to, by md5."""
    there = dict(contents_there(directory))
    if there:
        for digest in referenced(database):
            there.pop(digest, None)
    yield from there.items()


def unreferenced_small(database: Database) -> list[tuple[bytes, int]]:
    """The contents of the table that nothing refers to, with their bytes. Raises DamagedReferenceError."""
    try:
        small = SmallContents(database).unreferenced()
    except (TypeError, ValueError) as error:
        raise DamagedReferenceError(SMALL_CONTENTS.name) from error
    if small:
        for _ in referenced(database):  # a row that means no content may have meant one of these
            pass
    return small


def referenced(database: Database) -> Iterator[bytes]:
    """The contents that anything refers to, some of them twice. Raises DamagedReferenceError."""
    with database.read() as connection:
        for column in KEEPING:
            for md5 in connection.execute(sa.select(column).where(column.is_not(None)).distinct()).scalars():
                try:
                    yield from_base64(md5)
                except (TypeError, ValueError) as error:
                    raise DamagedReferenceError(column.table.name) from error


def useless_parts(
    database: Database, directory: Path, *, now_s: float | None = None
) -> Iterator[tuple[Path, int]]:
    """Parts, with their bytes, of uploads that are whole, were forgotten or were given up, and those that a later one
    has replaced.
    """
    now_s = time.time() if now_s is None else now_s
    with database.read() as connection:
        begun = {
            (row.account, row.upload_id): row.md5
            for row in connection.execute(
                sa.select(MULTIPARTS.c.account, MULTIPARTS.c.upload_id, MULTIPARTS.c.md5)
            )
        }
        query = sa.select(ACCOUNT_CONTENTS.c.account, ACCOUNT_CONTENTS.c.md5).join(
            MULTIPARTS,
            (ACCOUNT_CONTENTS.c.account == MULTIPARTS.c.account)
            & (ACCOUNT_CONTENTS.c.md5 == MULTIPARTS.c.md5),
        )
        whole = {(row.account, row.md5) for row in connection.execute(query)}
    for account in _folders(directory / "parts"):
        for upload in _folders(account):
            md5 = begun.get((account.name, upload.name))
            wanted = md5 is not None and (account.name, md5) not in whole
            last: dict[str, Path] = {}
            files = sorted(files_in(upload), key=lambda path: (path.stat().st_mtime_ns, path.name))
            if wanted and not is_given_up(files, now_s):
                last = {path.name.partition("-")[0]: path for path in files}
            kept = set(last.values())
            yield from ((path, path.stat().st_size) for path in files if path not in kept)


def is_given_up(parts: Collection[Path], now_s: float) -> bool:
    """Whether of some parts of an upload, the last came so long ago that nobody will send the others."""
    return all(path.stat().st_mtime < now_s - GIVEN_UP_S for path in parts)


def _remove_empty(parts: Path) -> None:
    for account in _folders(parts):
        for upload in _folders(account):
            if not any(upload.iterdir()):
                shutil.rmtree(upload, ignore_errors=True)
        if not any(account.iterdir()):
            shutil.rmtree(account, ignore_errors=True)


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    with os.scandir(root) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))


def files_in(folder: Path) -> list[Path]:
    """The files of a folder, and no links, pipes and folders."""
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]


def _digest_of(name: str) -> bytes | None:
    try:
        digest = bytes.fromhex(name)
    except ValueError:
        return None
    return digest if len(digest) == _DIGEST else None
