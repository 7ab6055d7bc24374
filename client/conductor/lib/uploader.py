"""Uploading files, and what came of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conductor.lib.api_client import ApiClient
from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.files.local import LocalFile
from conductor.lib.progress import ProgressCallback
from conductor.lib.upload.context import UploadContext
from conductor.lib.upload.progress import Meter
from conductor.lib.upload.run import BATCH_BYTES, UploadRun

if TYPE_CHECKING:
    from conductor.lib.md5_cache import Md5Cache  # SQLite is only loaded where it is used
    from conductor.lib.upload.part_memory import PartMemory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class UploadReport:
    """What an upload did.

    ``files`` are all of them with their md5s, in the order given; ``sent`` the paths of those that were sent.
    ``bytes_sent`` is the size of these without ``bytes_resumed``, the parts of them that an earlier upload had
    sent.
    """

    files: tuple[LocalFile, ...]
    sent: frozenset[str]
    bytes_sent: int
    bytes_resumed: int = 0

    @property
    def skipped(self) -> int:
        """How many files the service had already."""
        return len(self.files) - len(self.sent)


class Uploader:
    """Uploads files through a client. Each call of ``upload`` is independent of the others.

    ``progress`` is called in the thread that uploads, at the start, at the end, and a few times a second.
    ``cancellation`` ends an upload from another thread. ``cache`` remembers md5s and parts between runs.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        project: str | None = None,
        cache: Md5Cache | None = None,
        progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._project = project
        self._cache = cache
        self._progress = progress
        self._cancellation = cancellation
        self._clock = clock

    def upload(
        self, files: Iterable[LocalFile], *, enforced: Mapping[str, str] | None = None
    ) -> UploadReport:
        """Make the service have all these files, and return their md5s.

        Two files of the same content are sent once. The first failure ends the upload: FileChangedError and
        InvalidPathError name the file; errors of the service name the file that was being sent. Ctrl-C and a
        cancellation (CancelledError) end it within a second; what was sent by then is not sent again.
        ``enforced`` are md5s (base64) that files must have, by path: a file that has another one ends the upload by
        FileChangedError before anything is sent, of this file or another.
        """
        listed = list(files)
        paths = {file.path for file in listed}
        enforced = {path: md5 for path, md5 in (enforced or {}).items() if path in paths}
        if not listed:
            return UploadReport((), frozenset(), 0)
        stop = Cancellation()
        meter = Meter(listed, self._progress, self._clock)
        # With connections of its own, which are broken when it is to end early.
        with self._client.branch(stop) as client, stop.calling(client.transport.break_off):
            context = UploadContext(client.calls, self._project, stop, meter, self._part_memory())
            run = UploadRun(context, listed, cache=self._cache, clock=self._clock, enforced=enforced)
            workers = _workers(listed, self._client.config.thread_count)
            # Whoever watches or may cancel is served by the calling thread, which then must not be busy itself.
            inline = workers == 1 and self._cancellation is None and self._progress is None
            try:
                with (self._cancellation or Cancellation()).calling(stop.cancel):
                    run.finish(workers, inline=inline)
            except CancelledError:
                raise CancelledError(
                    f"the upload was cancelled: {meter.done_files} of {len(listed)} files are there; "
                    "start it again to send the rest"
                ) from None
        report = UploadReport(
            tuple(run.files[file.path] for file in listed),
            frozenset(context.sent),
            context.bytes_sent - context.bytes_resumed,
            context.bytes_resumed,
        )
        logger.info(
            "%d files: %d sent (%d bytes), %d already there",
            len(report.files),
            len(report.sent),
            report.bytes_sent,
            report.skipped,
        )
        return report

    def _part_memory(self) -> PartMemory | None:
        if self._cache is None:
            return None
        from conductor.lib.upload.part_memory import PartMemory

        return PartMemory(self._cache.path, self._client.config.url)


def _workers(files: list[LocalFile], limit: int) -> int:
    """Return how many threads are worth having: one for each file, or for each large piece of one."""
    pieces = max(len(files), sum(file.size for file in files) // BATCH_BYTES)
    return max(1, min(limit, pieces))
