"""Uploading files: md5s, signed URLs in batches, PUTs, all side by side in one bounded pool.

The calling thread coordinates. It hands out pieces of work in the order "send, ask, hash", so that what is
furthest along is finished first and nothing piles up in between: at any time at most two pieces for each
thread, a batch or two of answers, and one block of each file that is being sent are held in memory.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, TypeVar

from conductor.lib.api_client import ApiClient
from conductor.lib.exceptions import FileChangedError, FixInputError, RefusedError
from conductor.lib.file_body import DURING, FileBody
from conductor.lib.hashing import contradiction, hash_file
from conductor.lib.local_files import LocalFile, changed
from conductor.lib.upload_plan import MultiPart, SinglePart, UploadPlan
from conductor.lib.work_pool import WorkPool

if TYPE_CHECKING:
    from conductor.lib.md5_cache import Md5Cache  # SQLite is only loaded where it is used

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The service takes up to 20 files at a time (wire reference 2.5).
BATCH_FILES = 20
# Batches are cut short here, so that uploading begins before several large files are hashed.
BATCH_BYTES = 64 * 1024 * 1024
REPORT_SECONDS = 5.0


@dataclass(frozen=True)
class UploadReport:
    """What an upload did: the files with their md5s, in the order given; which were sent; how many bytes."""

    files: tuple[LocalFile, ...]
    sent: frozenset[str]
    bytes_sent: int

    @property
    def skipped(self) -> int:
        """How many files the service had already."""
        return len(self.files) - len(self.sent)


class Uploader:
    """Uploads files through a client. Each call of ``upload`` is independent of the others."""

    def __init__(
        self,
        client: ApiClient,
        *,
        project: str | None = None,
        cache: Md5Cache | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._project = project
        self._cache = cache
        self._clock = clock

    def upload(self, files: Iterable[LocalFile]) -> UploadReport:
        """Make the service have all these files, and return their md5s.

        Two files of the same content are sent once. The first failure ends the upload: FileChangedError and
        InvalidPathError name the file; errors of the service name the file that was being sent.
        """
        wanted = list(files)
        if not wanted:
            return UploadReport((), frozenset(), 0)
        run = _Run(self._client, self._project, self._clock, len(wanted))
        known = self._cache.known(wanted) if self._cache else {}
        run.hashed(known.values())
        run.to_hash.extend(_batches(file for file in wanted if file.path not in known))
        try:
            run.finish(_workers(wanted, self._client.config.thread_count))
        finally:
            if self._cache:
                self._cache.remember(file for path, file in run.files.items() if path not in known)
        report = UploadReport(
            tuple(run.files[file.path] for file in wanted), frozenset(run.sent), run.bytes_sent
        )
        logger.info(
            "%d files: %d sent (%d bytes), %d already there",
            len(report.files),
            len(report.sent),
            report.bytes_sent,
            report.skipped,
        )
        return report


def _workers(files: list[LocalFile], limit: int) -> int:
    """Return how many threads are worth having: one for each file, or for each large piece of one."""
    pieces = max(len(files), sum(file.size for file in files) // BATCH_BYTES)
    return max(1, min(limit, pieces))


def _batches(files: Iterable[LocalFile]) -> Iterator[list[LocalFile]]:
    """Cut files into batches of a bounded number and size; one larger than that is a batch of its own."""
    batch: list[LocalFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) == BATCH_FILES or size + file.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


# A piece of work returns what the coordinating thread is to do with its result.
_Then = Callable[[], None]


@dataclass
class _Parts:
    """A file that goes up in parts, and the ETags of those that are there."""

    plan: MultiPart
    file: LocalFile
    etags: dict[int, str] = field(default_factory=dict)


class _Run:
    """One upload. Everything but ``_hash``, ``_ask``, ``_put*`` and ``_complete`` runs in the calling thread."""

    def __init__(
        self, client: ApiClient, project: str | None, clock: Callable[[], float], total: int
    ) -> None:
        self._client, self._project, self._clock, self._total = client, project, clock, total
        self._stop = Event()
        self._reported = clock()
        self._seen: set[str] = set()
        self._settled = 0
        self.to_hash: deque[list[LocalFile]] = deque()
        self.to_ask: deque[LocalFile] = deque()
        self.to_send: deque[Callable[[], _Then]] = deque()
        self.files: dict[str, LocalFile] = {}
        self.sent: set[str] = set()
        self.bytes_sent = 0

    def finish(self, workers: int) -> None:
        """Do all the work there is."""
        with WorkPool[_Then](workers) as pool:
            try:
                while self._hand_out(pool):
                    pool.take()()
                    self._report()
            except BaseException:
                self._stop.set()
                raise

    def _hand_out(self, pool: WorkPool[_Then]) -> bool:
        """Give the pool what it has room for. Return whether anything is still to come back."""
        while pool.room:
            if self.to_send:
                pool.give(self.to_send.popleft())
            elif self._batch_is_ready(pool):
                batch = [self.to_ask.popleft() for _ in range(min(BATCH_FILES, len(self.to_ask)))]
                pool.give(partial(self._ask, batch))
            elif self.to_hash:
                pool.give(partial(self._hash, self.to_hash.popleft()))
            else:
                break
        return pool.pending > 0

    def _batch_is_ready(self, pool: WorkPool[_Then]) -> bool:
        if not self.to_ask:
            return False
        full = len(self.to_ask) >= BATCH_FILES or sum(file.size for file in self.to_ask) >= BATCH_BYTES
        return full or (not self.to_hash and pool.idle)

    def hashed(self, files: Iterable[LocalFile]) -> None:
        """Take files with their md5s; those whose content was not seen before are asked about."""
        for file in files:
            self.files[file.path] = file
            if file.md5 in self._seen:
                self._settled += 1
            else:
                self._seen.add(file.md5 or "")
                self.to_ask.append(file)

    def _hash(self, batch: list[LocalFile]) -> _Then:
        files = [hash_file(file.path) for file in batch if not self._stop.is_set()]
        return partial(self.hashed, files)

    def _ask(self, batch: list[LocalFile]) -> _Then:
        asked = {file.path: (file.md5 or "", file.size) for file in batch}
        plan = self._client.get_upload_urls(asked, self._project)
        return partial(self._planned, plan, len(batch))

    def _planned(self, plan: UploadPlan, asked: int) -> None:
        self._settled += asked - len(plan.single) - len(plan.multi)
        for single in plan.single:
            self.to_send.append(partial(self._put, single, self.files[single.path]))
        for multi in plan.multi:
            parts = _Parts(multi, self.files[multi.path])
            for number in sorted(multi.urls):
                self.to_send.append(partial(self._put_part, parts, number))

    def _put(self, plan: SinglePart, file: LocalFile) -> _Then:
        body = partial(FileBody, file, 0, file.size, self._stop)
        put = partial(self._client.put_object, plan.url, file.path, body, size=file.size, md5=file.md5 or "")
        _explained(file, put)
        return partial(self._stored, file)

    def _put_part(self, parts: _Parts, number: int) -> _Then:
        file = parts.file
        offset = (number - 1) * parts.plan.part_size
        length = min(parts.plan.part_size, file.size - offset)
        body = partial(FileBody, file, offset, length, self._stop)
        url = parts.plan.urls[number]
        put = partial(self._client.put_part, url, file.path, body, size=length, number=number)
        etag = _explained(file, put)
        return partial(self._part_stored, parts, number, etag)

    def _part_stored(self, parts: _Parts, number: int, etag: str) -> None:
        parts.etags[number] = etag
        if len(parts.etags) == len(parts.plan.urls):
            self.to_send.append(partial(self._complete, parts))

    def _complete(self, parts: _Parts) -> _Then:
        file = parts.file
        finish = self._client.complete_multipart
        _explained(file, partial(finish, parts.plan.upload_id, file.path, file.md5 or "", dict(parts.etags)))
        return partial(self._stored, file)

    def _stored(self, file: LocalFile) -> None:
        self._settled += 1
        self.sent.add(file.path)
        self.bytes_sent += file.size

    def _report(self) -> None:
        now = self._clock()
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            logger.info("%d of %d files done, %d bytes sent", self._settled, self._total, self.bytes_sent)


def _explained(file: LocalFile, send: Callable[[], T]) -> T:
    """Send; where that fails, say by md5 whether it is because the file changed."""
    try:
        return send()
    except (RefusedError, FileChangedError) as error:
        raise _explanation(file, error) from None


def _explanation(file: LocalFile, error: RefusedError | FileChangedError) -> FixInputError:
    explanation = contradiction(file, DURING)
    if explanation is not None:
        return explanation
    if isinstance(error, FileChangedError):
        # Touched, or replaced by a copy: the content that was promised is what is there now.
        return changed(file, f"{error.actual} (the same md5)", DURING)
    return RefusedError(
        f"{error}; the file still has the md5 {file.md5} that was declared",
        operation=error.operation,
        status=error.status,
        attempts=error.attempts,
        acted=error.acted,
    )
