"""Uploads in parts: each part is a file of its own until all are there and become one content (wire reference 2.7).

Where contents lie in a bucket, parts do (`bucket_parts.py`). What is said here of an upload holds for both.

An upload's id is a function of what is uploaded, so a client that asks again is told the same id, and parts that
arrived before a crash of either side are still there.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import sqlalchemy as sa

from conductor_mock.store.content_store import Readable, blocks_of
from conductor_mock.store.database import Database, NewRows
from conductor_mock.store.digest import Digest
from conductor_mock.store.durable import Folders, NewFile, private_folder
from conductor_mock.store.locks import Level
from conductor_mock.store.objects import WrongContentError
from conductor_mock.store.sweeper import files_in, is_given_up, useless_parts
from conductor_mock.store.tables import MULTIPARTS
from conductor_mock.store.trouble import UnavailableError

COMPLETIONS = 3
"""Uploads that one of several servers makes whole at once: fewer than the connections for their locks."""
COMPLETION_PATIENCE_S = 300
"""How long one more waits for its turn."""


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


@dataclass(frozen=True, slots=True)
class ReceivedPart:
    """A part that was read to its end and is not kept yet; `etag` is the hexadecimal md5 of it."""

    account_id: str
    upload: Multipart
    number: int
    etag: str


@dataclass(frozen=True, slots=True)
class ReceivedFile(ReceivedPart):
    """One that is a file."""

    file: NewFile


def upload_id_of(account_id: str, md5: str, size: int, part_size: int) -> str:
    """The id of an upload: a function of what is uploaded."""
    return hashlib.sha256(f"{account_id}\n{md5}\n{size}\n{part_size}".encode()).hexdigest()[:32]


class PartsError(ValueError):
    """Parts that do not make the whole; the message names the part."""


class UnknownUploadError(LookupError):
    """The account began no upload of this id, or was reset since."""


class Parts:
    """The parts that arrived, under `root/parts/ACCOUNT/UPLOAD/NUMBER-ETAG`."""

    def __init__(
        self,
        database: Database,
        root: Path,
        *,
        durable: bool = True,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._seconds = seconds
        self._durable = durable
        self.directory = root
        self._root = root / "parts"
        self._incoming = root / "incoming"
        self._folders = Folders(durable=durable, is_shared=database.locks is not None)
        if self._root.exists():
            private_folder(self._root)
        self._guard = threading.Lock()
        self._turns: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._completions = threading.BoundedSemaphore(COMPLETIONS)

    @contextmanager
    def turn(self, upload: Multipart) -> Iterator[None]:
        """For the block, nobody else puts a part of this upload in place, makes it whole or removes it."""
        with self.turn_of(upload.upload_id):
            yield

    @contextmanager
    def turn_to_complete(self, upload: Multipart) -> Iterator[None]:
        """`turn` to make it whole, which may take long: few have it at once where servers share the uploads."""
        with self.turn_of(upload.upload_id, first=self._one_of_few):
            yield

    @contextmanager
    def _one_of_few(self) -> Iterator[None]:
        if self._database.locks is None:
            yield
            return
        if not self._completions.acquire(timeout=COMPLETION_PATIENCE_S):
            raise UnavailableError(
                f"it makes {COMPLETIONS} other uploads whole, and was not done with one in {COMPLETION_PATIENCE_S} s: "
                "try again"
            )
        try:
            yield
        finally:
            self._completions.release()

    @contextmanager
    def turn_of(
        self, upload_id: str, *, first: Callable[[], AbstractContextManager[None]] = nullcontext
    ) -> Iterator[None]:
        """`turn` of an upload that may be known to nobody; `first` is had before any lock outside the process."""
        with self._guard:
            lock = self._turns.setdefault(upload_id, threading.Lock())
        locks = self._database.locks
        with lock, first(), nullcontext() if locks is None else locks.hold(Level.UPLOAD, upload_id):
            yield

    def begin(self, account_id: str, *, md5: str, size: int, part_size: int) -> Multipart:
        """The upload of this content in parts of this size; the same one whenever it is asked for."""
        upload = Multipart(upload_id_of(account_id, md5, size, part_size), md5, size, part_size)
        row = {
            "account": account_id,
            "upload_id": upload.upload_id,
            "md5": md5,
            "size": size,
            "part_size": part_size,
        }
        with self._database.write() as connection:
            self._database.insert_new(connection, NewRows(MULTIPARTS, [row]))
        return upload

    def get(self, account_id: str, upload_id: str) -> Multipart:
        """The upload of this id. Raises UnknownUploadError when the account did not begin it."""
        for upload in self._uploads(account_id, MULTIPARTS.c.upload_id == upload_id):
            return upload
        raise UnknownUploadError(upload_id)

    def _uploads(self, account_id: str, *those: sa.ColumnElement[bool]) -> list[Multipart]:
        query = sa.select(
            MULTIPARTS.c.upload_id, MULTIPARTS.c.md5, MULTIPARTS.c.size, MULTIPARTS.c.part_size
        ).where(MULTIPARTS.c.account == account_id, *those)
        with self._database.read() as connection:
            return [Multipart(*row) for row in connection.execute(query)]

    @contextmanager
    def receive(
        self, account_id: str, upload: Multipart, number: int, stream: Readable
    ) -> Iterator[ReceivedPart]:
        """Read one part; it is stored if the block keeps it, else nothing stays behind.

        Raises WrongContentError when the body has another size than the part, OSError when the disk refuses.
        """
        with NewFile(self._incoming, durable=self._durable) as file:
            etag = taken_part(upload, number, stream, file.write)
            file.sync()
            yield ReceivedFile(account_id, upload, number, etag, file)

    def keep(self, part: ReceivedPart) -> None:
        """Store a part; a later one of the same number replaces it. The caller has the upload's `turn`.

        Raises UnknownUploadError when the account was reset meanwhile.
        """
        if not isinstance(part, ReceivedFile):
            raise TypeError(part)
        self.get(part.account_id, part.upload.upload_id)
        folder = self._folder(part.account_id, part.upload.upload_id)
        target = folder / part_name(part.number, part.etag)
        part.file.place(target, self._folders)
        for other in folder.glob(f"{part.number:05d}-*"):  # what was sent before under this number
            if other != target:
                other.unlink()

    def joined(self, account_id: str, upload: Multipart, etags: Sequence[tuple[int, str]]) -> PartsReader:
        """The whole as something to read from. Raises PartsError unless every part is named and there."""
        numbers = [number for number, _ in etags]
        if numbers != list(range(1, upload.count + 1)):
            raise PartsError(f"the upload has the parts 1 to {upload.count}; got {str(numbers)[:80]}")
        opened = self._found(account_id, upload, etags)
        return PartsReader(block for blocks in opened for block in blocks())

    def _found(
        self, account_id: str, upload: Multipart, etags: Sequence[tuple[int, str]]
    ) -> list[Callable[[], Iterator[bytes]]]:
        """What each part is read by, in their order. Raises PartsError for one that is not there."""
        return [self._in_folder(account_id, upload, number, etag) for number, etag in etags]

    def _in_folder(
        self, account_id: str, upload: Multipart, number: int, etag: str
    ) -> Callable[[], Iterator[bytes]]:
        path = self._folder(account_id, upload.upload_id) / part_name(number, etag)
        if not path.is_file():
            raise PartsError(f"part {number} with the ETag {etag[:80]!r} was not received")
        return partial(_blocks, path)

    def forget(self, account_id: str, upload_id: str) -> None:
        """Remove the parts of an upload, if there are any. The caller has its `turn`, or nobody began it."""
        shutil.rmtree(self._folder(account_id, upload_id), ignore_errors=True)

    def of_no_use(self) -> set[tuple[str, str]]:
        """`(account, upload id)` of those whose parts are not all wanted: it is whole, was forgotten, or waits since
        so long that nobody will send the others.
        """
        useless = useless_parts(self._database, self.directory, now_s=self._seconds())
        return {(path.parts[-3], path.parts[-2]) for path, _ in useless}

    def is_given_up(self, account_id: str, upload_id: str) -> bool:
        """Whether the last part of an upload came so long ago that nobody will send the others."""
        folder = self._folder(account_id, upload_id)
        files = files_in(folder) if folder.is_dir() else []
        return bool(files) and is_given_up(files, self._seconds())

    def forget_orphans(self) -> int:
        """Remove what a killed server was about to keep; how many parts. A folder has none."""
        return 0

    def forget_all(self, account_id: str) -> None:
        """Remove everything of an account."""
        for upload in self._uploads(account_id):
            with self.turn(upload):
                with self._database.write() as connection:
                    connection.execute(
                        MULTIPARTS.delete().where(
                            MULTIPARTS.c.account == account_id, MULTIPARTS.c.upload_id == upload.upload_id
                        )
                    )
                self.forget(account_id, upload.upload_id)

    def _folder(self, account_id: str, upload_id: str) -> Path:
        return self._root / account_id / upload_id


def part_name(number: int, etag: str) -> str:
    """What a part is called in the place of its upload."""
    return f"{number:05d}-{etag}"


def taken_part(upload: Multipart, number: int, stream: Readable, keep: Callable[[bytes], object]) -> str:
    """Hand the blocks of one part to `keep`; its ETag. Raises WrongContentError for another size than it has."""
    size, count = upload.size_of(number), 0
    with Digest() as digest:
        for block in blocks_of(stream):
            count += len(block)
            if count > size:
                raise WrongContentError(f"the body is larger than the {size} bytes of part {number}")
            digest.update(block)
            keep(block)
        if count != size:
            raise WrongContentError(f"the body has {count} bytes, part {number} has {size}")
        return digest.hexdigest()


class PartsReader:
    """Several parts read as one, never more than one of them open."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks

    def read(self, size: int = -1, /) -> bytes:
        """The next block, of any size; empty at the end."""
        return next(self._blocks, b"")


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        yield from blocks_of(file)
