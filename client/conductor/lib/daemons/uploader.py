"""A daemon that brings the files of jobs that were submitted without them (wire reference 2.12, 2.13, 7.5)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conductor.lib.api_client import ApiClient
from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.daemons.loop import PASSING
from conductor.lib.exceptions import ConductorError, LoginError, RefusedError
from conductor.lib.files.local import look_at
from conductor.lib.progress import Progress, ProgressCallback
from conductor.lib.upload.claims import ClaimedUpload, next_claim
from conductor.lib.uploader import Uploader, UploadReport
from conductor.lib.wire.calls import Calls

if TYPE_CHECKING:
    from conductor.lib.md5_cache import Md5Cache  # SQLite is only loaded where it is used

logger = logging.getLogger(__name__)

# How often the vendor's daemon says how far it is (wire reference 2.13).
REPORT_SECONDS = 15.0
# How often an upload that found no server is begun again; what is there is not sent again.
MOST_ATTEMPTS = 20
_PREFIX = "Uploader ERROR: "


@dataclass(frozen=True)
class UploadOutcome:
    """What became of the files of one job: what was sent, or why not."""

    upload: ClaimedUpload
    report: UploadReport | None = None
    error: ConductorError | None = None


class UploaderDaemon:
    """Claims the files of one job after another and brings them. ``work`` is for ``Daemon``; then ``close``.

    While the server is away a claim is kept, and taken up again by the next ``work``. Files that cannot be brought
    fail their job, with the reason. A claim that is given up is no longer reported: the service then offers it to
    others. With ``fail_on_stop`` its job fails instead, at once, where a service is not known to do so.
    """

    def __init__(
        self,
        client: ApiClient,
        cancellation: Cancellation,
        *,
        location: str | None = None,
        cache: Md5Cache | None = None,
        fail_on_stop: bool = False,
        progress: ProgressCallback | None = None,
        on_outcome: Callable[[UploadOutcome], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._cancellation = client, cancellation
        self._calls = client.calls
        self._location, self._cache, self._fail_on_stop = location, cache, fail_on_stop
        self._progress, self._on_outcome, self._clock = progress, on_outcome, clock
        self._claimed: ClaimedUpload | None = None
        self._attempts = 0

    def work(self) -> bool:
        """Bring the files of a job. Return whether there was one. Raises PASSING, LoginError, CancelledError."""
        claimed = self._claimed or next_claim(self._calls, self._location)
        if claimed is None:
            return False
        if self._claimed is None:
            self._claimed, self._attempts = claimed, 0
            logger.info("upload %s: %d files", claimed.id, len(claimed.files))
        self._attempts += 1
        try:
            self._on_outcome(UploadOutcome(claimed, self._bring(claimed)))
        except (CancelledError, LoginError):
            raise
        except PASSING as error:
            if self._attempts < MOST_ATTEMPTS:
                raise
            self._fail(claimed, error)
        except ConductorError as error:
            self._fail(claimed, error)
        self._claimed = None
        return True

    def close(self) -> None:
        """Give up the claim, if there is one."""
        claimed, self._claimed = self._claimed, None
        if claimed is None:
            return
        if self._fail_on_stop:
            self._say_failed(claimed, f"{_PREFIX}the daemon was stopped before all files were there")
        else:
            logger.warning("upload %s is not complete; the service will offer it again", claimed.id)

    def _bring(self, claimed: ClaimedUpload) -> UploadReport:
        """Make the service have the files, and say so."""
        files = look_at(claimed.files)
        keeper = _Keeper(
            self._calls, claimed.id, sum(file.size for file in files), self._progress, self._clock
        )
        keeper.say(0)
        uploader = Uploader(
            self._client,
            project=claimed.project,
            cache=self._cache,
            progress=keeper,
            cancellation=self._cancellation,
        )
        enforced = {path: md5 for path, md5 in claimed.files.items() if md5}
        report = uploader.upload(files, enforced=enforced)
        self._calls.uploads_finish(claimed.id, {file.path: file.md5 or "" for file in report.files})
        return report

    def _fail(self, claimed: ClaimedUpload, error: ConductorError) -> None:
        self._say_failed(claimed, f"{_PREFIX}{error}")
        self._on_outcome(UploadOutcome(claimed, error=error))

    def _say_failed(self, claimed: ClaimedUpload, reason: str) -> None:
        try:
            self._calls.uploads_fail(claimed.id, reason)
        except LoginError:
            raise
        except ConductorError as error:
            logger.warning("upload %s failed, which could not be reported: %s", claimed.id, error)


class _Keeper:
    """Says how far an upload is, to the service and to whoever watches."""

    def __init__(
        self,
        calls: Calls,
        upload_id: str,
        size: int,
        progress: ProgressCallback | None,
        clock: Callable[[], float],
    ) -> None:
        self._calls, self._id, self._size = calls, upload_id, size
        self._progress, self._clock = progress, clock
        self._last_told = clock()

    def __call__(self, progress: Progress) -> None:
        if self._progress:
            self._progress(progress)
        if self._clock() - self._last_told >= REPORT_SECONDS:
            self.say(progress.done_bytes)

    def say(self, sent: int) -> None:
        """Tell the service. Raises RefusedError where the claim is no longer ours; what passes is left to pass."""
        self._last_told = self._clock()
        try:
            self._calls.uploads_update(self._id, bytes_to_send=self._size, bytes_sent=sent)
        except (RefusedError, LoginError, CancelledError):
            raise
        except ConductorError as error:
            logger.warning("upload %s: %s", self._id, error)
