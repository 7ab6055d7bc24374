"""Uploads in parts: each part is a file of its own until all are there and become one content (wire reference 2.7).

An upload's id is a function of what is uploaded, so a client that asks again is told the same id, and parts that
arrived before a crash of either side are still there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from conductor_mock.store.database import MULTIPARTS, Database
from conductor_mock.store.digest import Digest
from conductor_mock.store.durable import place, temporary_file, write_all
from conductor_mock.store.objects import BLOCK, Readable, WrongContentError


@dataclass(frozen=True, slots=True)
class Multipart:
    """One upload in parts: the base64 md5 and size of the whole, and the size of each part but the last."""

    upload_id: str
    md5: str
    size: int
    part_size: int

    @property
    def count(self) -> int:
        """How many parts there are, numbered from 1."""
        return -(-self.size // self.part_size)

    def size_of(self, number: int) -> int:
        """Bytes of one part."""
        return min(self.part_size, self.size - (number - 1) * self.part_size)


class PartsError(ValueError):
    """Parts that do not make the whole; the message names the part."""


class Parts:
    """The parts that arrived, under `root/parts/ACCOUNT/UPLOAD/NUMBER-ETAG`."""

    def __init__(self, database: Database, root: Path) -> None:
        self._database = database
        self._root = root / "parts"
        self._incoming = root / "incoming"

    def begin(self, account_id: str, *, md5: str, size: int, part_size: int) -> Multipart:
        """The upload of this content in parts of this size; the same one whenever it is asked for."""
        digest = hashlib.sha256(f"{account_id}\n{md5}\n{size}\n{part_size}".encode()).hexdigest()
        upload = Multipart(digest[:32], md5, size, part_size)
        row = {
            "account": account_id,
            "upload_id": upload.upload_id,
            "md5": md5,
            "size": size,
            "part_size": part_size,
        }
        with self._database.write() as connection:
            self._database.insert_new(connection, MULTIPARTS, [row])
        return upload

    def find(self, account_id: str, upload_id: str) -> Multipart | None:
        """The upload of this id, if the account began it."""
        query = sa.select(
            MULTIPARTS.c.upload_id, MULTIPARTS.c.md5, MULTIPARTS.c.size, MULTIPARTS.c.part_size
        ).where(MULTIPARTS.c.account == account_id, MULTIPARTS.c.upload_id == upload_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Multipart(*row)

    def put(self, account_id: str, upload: Multipart, number: int, stream: Readable) -> str:
        """Store one part and answer its ETag, the hexadecimal md5 of it. A later part of the same number replaces it.

        Raises WrongContentError when the body has another size than the part, OSError when the disk refuses.
        """
        wanted, count = upload.size_of(number), 0
        with temporary_file(self._incoming) as (file, name), Digest() as digest:
            while block := stream.read(BLOCK):
                count += len(block)
                if count > wanted:
                    raise WrongContentError(f"the body is larger than the {wanted} bytes of part {number}")
                digest.update(block)
                write_all(file, block)
            if count != wanted:
                raise WrongContentError(f"the body has {count} bytes, part {number} has {wanted}")
            etag = digest.hexdigest()
            os.fsync(file.fileno())
            place(name, self._folder(account_id, upload) / f"{number:05d}-{etag}")
        return etag

    def joined(self, account_id: str, upload: Multipart, etags: Sequence[tuple[int, str]]) -> PartsReader:
        """The whole as something to read from. Raises PartsError unless every part is named and there."""
        numbers = [number for number, _ in etags]
        if numbers != list(range(1, upload.count + 1)):
            raise PartsError(
                f"the upload has parts 1 to {upload.count}, in this order; got {str(numbers)[:80]}"
            )
        paths = [self._folder(account_id, upload) / f"{number:05d}-{etag}" for number, etag in etags]
        for (number, etag), path in zip(etags, paths, strict=True):
            if not path.is_file():
                raise PartsError(f"part {number} with the ETag {etag[:80]!r} was not received")
        return PartsReader(paths)

    def forget(self, account_id: str, upload: Multipart) -> None:
        """Remove the parts of an upload that became whole."""
        shutil.rmtree(self._folder(account_id, upload), ignore_errors=True)

    def forget_all(self, account_id: str) -> None:
        """Remove everything of an account."""
        with self._database.write() as connection:
            connection.execute(MULTIPARTS.delete().where(MULTIPARTS.c.account == account_id))
        shutil.rmtree(self._root / account_id, ignore_errors=True)

    def _folder(self, account_id: str, upload: Multipart) -> Path:
        return self._root / account_id / upload.upload_id


class PartsReader:
    """Several files read as one, never more than one of them open."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._blocks = _blocks(paths)

    def read(self, size: int = -1, /) -> bytes:
        """The next block, of any size; empty at the end."""
        return next(self._blocks, b"")


def _blocks(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                yield block
