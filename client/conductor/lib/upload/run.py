"""One upload under way: md5s, signed URLs in batches, PUTs, all side by side in one bounded pool.

The calling thread coordinates. It hands out pieces of work in the order "send, ask, hash", so that what is
furthest along is finished first and nothing piles up in between: at any time at most two pieces for each
thread, a batch or two of answers, and one block of each file that is being sent are held in memory.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from conductor.lib.api_client import ApiClient
from conductor.lib.cancellation import Cancellation
from conductor.lib.exceptions import FileChangedError, RefusedError
from conductor.lib.files.hashing import hash_file
from conductor.lib.files.local import LocalFile
from conductor.lib.progress import ProgressCallback
from conductor.lib.transfers.work_pool import WorkPool
from conductor.lib.upload.file_body import FileBody
from conductor.lib.upload.multipart import MultipartUpload
from conductor.lib.upload.plan import MultiPart, SinglePart, UploadPlan
from conductor.lib.upload.progress import Meter
from conductor.lib.upload.refusals import explained, may_have_expired

if TYPE_CHECKING:
    from conductor.lib.md5_cache import Md5Cache
    from conductor.lib.upload.part_memory import PartMemory

# The service takes up to 20 files at a time (wire reference 2.5).
BATCH_FILES = 20
# Batches are cut short here, so that uploading begins before several large files are hashed.
BATCH_BYTES = 64 * 1024 * 1024
# How often what was hashed is remembered: a client that is killed has so much to hash again at most.
REMEMBER_SECONDS = 1.0

# A piece of work returns what the coordinating thread is to do with its result.
Then = Callable[[], None]


class UploadRun:
    """One upload. Everything but the pieces of work (``_hash``, ``_ask``, ``_put``) runs in the calling thread."""

    def __init__(
        self,
        client: ApiClient,
        files: list[LocalFile],
        stop: Cancellation,
        *,
        project: str | None,
        cache: Md5Cache | None,
        parts: PartMemory | None,
        progress: ProgressCallback | None,
        threads_only: bool,
        clock: Callable[[], float],
    ) -> None:
        self.client, self.stop, self.part_memory = client, stop, parts
        self._wanted, self._project, self._cache, self._clock = files, project, cache, clock
        self._threads_only = threads_only
        self.meter = Meter(files, progress, clock)
        self._seen: set[str] = set()
        self._to_hash: deque[list[LocalFile]] = deque()
        self._to_ask: deque[LocalFile] = deque()
        self._to_send: deque[Callable[[], Then]] = deque()
        self._new: list[LocalFile] = []
        self._remembered = clock()
        self.files: dict[str, LocalFile] = {}
        self.sent: set[str] = set()
        self.bytes_sent = 0
        self.bytes_resumed = 0

    @property
    def settled(self) -> int:
        """How many files the service is known to have."""
        return self.meter.done_files

    def finish(self, workers: int) -> None:
        """Do all the work there is."""
        self._seen_ns = self._cache.now_ns() if self._cache else 0
        known = self._cache.known(self._wanted) if self._cache else {}
        self.hashed(known.values())
        self._to_hash.extend(_batches(file for file in self._wanted if file.path not in known))
        inline = workers == 1 and not self._threads_only
        try:
            with WorkPool[Then](workers, inline=inline) as pool, self.stop.calling(pool.wake):
                self._work(pool)
        finally:
            self._remember()

    def _work(self, pool: WorkPool[Then]) -> None:
        try:
            self.meter.report()
            while self._hand_out(pool):
                try:
                    pool.take(self.meter.interval)()
                except queue.Empty:
                    self.stop.check()
                if self._clock() - self._remembered >= REMEMBER_SECONDS:
                    self._remember()
                self.meter.report_now_and_then()
            self.meter.report()
        except BaseException:
            self.stop.cancel()
            raise

    def _hand_out(self, pool: WorkPool[Then]) -> bool:
        """Give the pool what it has room for. Return whether anything is still to come back."""
        while pool.room:
            if self._to_send:
                pool.give(self._to_send.popleft())
            elif self._batch_is_ready(pool):
                batch = [self._to_ask.popleft() for _ in range(min(BATCH_FILES, len(self._to_ask)))]
                pool.give(partial(self._ask, batch))
            elif self._to_hash:
                pool.give(partial(self._hash, self._to_hash.popleft()))
            else:
                break
        return pool.pending > 0

    def _batch_is_ready(self, pool: WorkPool[Then]) -> bool:
        if not self._to_ask:
            return False
        full = len(self._to_ask) >= BATCH_FILES or sum(file.size for file in self._to_ask) >= BATCH_BYTES
        return full or (not self._to_hash and pool.idle)

    def send(self, piece: Callable[[], Then]) -> None:
        """Let a piece of work be done by the next thread that is free."""
        self._to_send.append(piece)

    def hashed(self, files: Iterable[LocalFile], *, new: bool = False) -> None:
        """Take files with their md5s; those whose content was not seen before are asked about."""
        for file in files:
            self.files[file.path] = file
            if new:
                self._new.append(file)
            if file.md5 in self._seen:
                self.meter.settle(file)
            else:
                self._seen.add(file.md5 or "")
                self._to_ask.append(file)

    def _hash(self, batch: list[LocalFile]) -> Then:
        files = [hash_file(file.path, self.stop.check) for file in batch]
        return partial(self.hashed, files, new=True)

    def _ask(self, batch: list[LocalFile]) -> Then:
        return partial(self._planned, self.ask(batch), batch)

    def ask(self, files: list[LocalFile]) -> UploadPlan:
        """Ask where these files go. A piece of work, or a part of one."""
        asked = {file.path: (file.md5 or "", file.size) for file in files}
        return self.client.get_upload_urls(asked, self._project)

    def _planned(self, plan: UploadPlan, batch: list[LocalFile]) -> None:
        wanted = {single.path: single for single in plan.single}
        parts = {multi.path: multi for multi in plan.multi}
        for file in batch:
            if file.path in wanted:
                self.send(partial(self._put, wanted[file.path], file))
            elif file.path in parts:
                self.begin_parts(parts[file.path], file)
            else:
                self.meter.settle(file)

    def begin_parts(self, plan: MultiPart, file: LocalFile) -> None:
        """Send a file in parts, but for those that are known to be there."""
        MultipartUpload(self, plan, file).begin()

    def _put(self, plan: SinglePart, file: LocalFile, *, again: bool = False) -> Then:
        body = partial(
            FileBody,
            file,
            0,
            file.size,
            self.stop,
            check_md5=not plan.checked,
            tell_read=partial(self.meter.sending, file.path),
        )
        try:
            self.client.put_object(plan.url, file.path, body, size=file.size, md5=file.md5 or "")
        except (RefusedError, FileChangedError) as error:
            if not again and may_have_expired(file, error):
                return partial(self._put_again, self.ask([file]), file)
            raise explained(file, error) from None
        return partial(self.stored, file)

    def _put_again(self, plan: UploadPlan, file: LocalFile) -> None:
        """Send to another URL what was refused, unless somebody else sent it meanwhile."""
        if plan.single:
            self.send(partial(self._put, plan.single[0], file, again=True))
        else:
            self._planned(plan, [file])

    def stored(self, file: LocalFile, pieces: tuple[str, ...] = ()) -> None:
        """Take note that the service has a file that was sent, in these pieces if in several."""
        self.meter.settle(file, pieces)
        self.sent.add(file.path)
        self.bytes_sent += file.size

    def _remember(self) -> None:
        self._remembered = self._clock()
        new, self._new = self._new, []
        if self._cache and new:
            self._cache.remember(new, seen_ns=self._seen_ns)


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
