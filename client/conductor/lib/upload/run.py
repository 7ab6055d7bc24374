"""One upload under way: md5s, signed URLs in batches, PUTs, all side by side in one bounded pool.

The calling thread coordinates. It hands out pieces of work in the order "send, ask, hash", so that what is
furthest along is finished first and nothing piles up in between: at any time at most two pieces for each
thread, a batch or two of answers, and one block of each file that is being sent are held in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from conductor.lib.exceptions import FileChangedError
from conductor.lib.files.hashing import hash_file
from conductor.lib.files.local import LocalFile
from conductor.lib.transfers.work_pool import Then, Work, WorkPool, several, work_through
from conductor.lib.upload.context import UploadContext
from conductor.lib.upload.plan import UploadPlan
from conductor.lib.upload.single import begin

if TYPE_CHECKING:
    from conductor.lib.md5_cache import Md5Cache  # SQLite is only loaded where it is used

# The service takes up to 20 files at a time (wire reference 2.5).
BATCH_FILES = 20
# Batches are cut short here, so that uploading begins before several large files are hashed.
BATCH_BYTES = 64 * 1024 * 1024
# How often what was hashed is remembered: a client that is killed has so much to hash again at most.
REMEMBER_SECONDS = 1.0


class UploadRun:
    """One upload. Everything but the pieces of work (``_hash``, ``_ask``) runs in the calling thread."""

    def __init__(
        self,
        context: UploadContext,
        files: list[LocalFile],
        *,
        cache: Md5Cache | None,
        clock: Callable[[], float],
        enforced: Mapping[str, str],
    ) -> None:
        """``enforced`` are md5s by path; until all of these files were found to have theirs, nothing is sent."""
        self._context, self._meter = context, context.meter
        self._all, self._cache, self._clock = files, cache, clock
        self._unproven = dict(enforced)
        self._seen: set[str] = set()
        self._to_hash: deque[list[LocalFile]] = deque()
        self._to_ask: deque[LocalFile] = deque()
        self._new: list[LocalFile] = []
        self._remembered = clock()
        self.files: dict[str, LocalFile] = {}
        """The files whose md5s are known, by path."""

    def finish(self, workers: int, *, inline: bool) -> None:
        """Do all the work there is."""
        self._seen_ns = self._cache.now_ns() if self._cache else 0
        known = self._cache.known(self._all) if self._cache else {}
        self._hashed(known.values())
        self._to_hash.extend(_batches(file for file in self._all if file.path not in known))
        stop = self._context.stop
        try:
            with WorkPool[Then](workers, inline=inline) as pool, stop.calling(pool.wake):
                self._meter.report()
                try:
                    work_through(
                        pool,
                        partial(self._next_work, pool),
                        tick=self._meter.interval,
                        when_quiet=stop.check,
                        each_time=self._now_and_then,
                    )
                    self._meter.report()
                except BaseException:
                    stop.cancel()
                    raise
        finally:
            self._remember()

    def _next_work(self, pool: WorkPool[Then]) -> Work | None:
        """Return what is furthest along of what is to be done, None if nothing is at the moment."""
        if self._context.to_send:
            return several(self._context.to_send, pool.workers)
        if self._batch_is_ready(pool):
            batch = [self._to_ask.popleft() for _ in range(min(BATCH_FILES, len(self._to_ask)))]
            return partial(self._ask, batch)
        if self._to_hash:
            return partial(self._hash, self._to_hash.popleft())
        return None

    def _batch_is_ready(self, pool: WorkPool[Then]) -> bool:
        if not self._to_ask or self._unproven:
            return False
        full = len(self._to_ask) >= BATCH_FILES or sum(file.size for file in self._to_ask) >= BATCH_BYTES
        return full or (not self._to_hash and pool.idle)

    def _now_and_then(self) -> None:
        if self._clock() - self._remembered >= REMEMBER_SECONDS:
            self._remember()
        self._meter.report_now_and_then()

    def _hash(self, batch: list[LocalFile]) -> Then:
        files = [hash_file(file.path, self._context.stop.check) for file in batch]
        return partial(self._hashed, files, new=True)

    def _hashed(self, files: Iterable[LocalFile], *, new: bool = False) -> None:
        """Take files with their md5s; those whose content was not seen before are asked about."""
        for file in files:
            self.files[file.path] = file
            if new:
                self._new.append(file)
            self._prove(file)
            if file.md5 in self._seen:
                self._meter.settle(file)
            else:
                self._seen.add(file.md5 or "")
                self._to_ask.append(file)

    def _prove(self, file: LocalFile) -> None:
        """Compare a file with the md5 that was enforced when its job was submitted (wire reference 3.2)."""
        enforced = self._unproven.pop(file.path, None)
        if enforced is not None and enforced != file.md5:
            raise FileChangedError(
                f"{file.path}: expected md5 {enforced} (enforced at submission), got {file.md5}; nothing was sent",
                path=file.path,
                expected=enforced,
                actual=file.md5 or "",
            )

    def _ask(self, batch: list[LocalFile]) -> Then:
        return partial(self._planned, self._context.ask(batch), batch)

    def _planned(self, plan: UploadPlan, batch: list[LocalFile]) -> None:
        plans = plan.by_path()
        for file in batch:
            begin(self._context, file, plans.get(file.path, UploadPlan()))

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
