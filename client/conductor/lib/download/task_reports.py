"""What the service is told about tasks whose outputs are being downloaded (wire reference 2.17)."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from conductor.lib.cancellation import CancelledError
from conductor.lib.download.records import DownloadStatus, DownloadTask
from conductor.lib.exceptions import ConductorError, LoginError
from conductor.lib.wire.calls import Calls

logger = logging.getLogger(__name__)


@dataclass
class TaskUnderWay:
    """A task of a download: how many of its files are not settled, and the folders that were written to.

    ``told`` is when the service last heard of it, ``telling`` whether it is being told.
    """

    record: DownloadTask
    left: int = 0
    failed: bool = False
    begun: bool = False
    folders: set[Path] = field(default_factory=set)
    told: float = 0.0
    telling: bool = False


class TaskReports:
    """Tells the service, or does not, if it is not to know. Safe to use from several threads."""

    def __init__(self, calls: Calls, *, enabled: bool) -> None:
        self._calls = calls
        self._enabled = enabled

    def tell(self, task: TaskUnderWay, status: DownloadStatus) -> ConductorError | None:
        """Report a task, its files on the disk before. Return what went wrong. Raises LoginError, CancelledError."""
        if not self._enabled:
            return None
        if status is DownloadStatus.DOWNLOADED:
            for folder in task.folders:
                sync_folder(folder)
        try:
            self._send(task.record, status)
        except (LoginError, CancelledError):
            raise
        except ConductorError as error:
            logger.warning("job %s task %s: %s", task.record.job_id, task.record.task_id, error)
            return error
        return None

    def give_back(self, records: Iterable[DownloadTask]) -> None:
        """Put tasks back, as far as the server can be told: one that cannot be reached is not asked again."""
        if not self._enabled:
            return
        for record in records:
            try:
                self._send(record, DownloadStatus.PENDING)
            except ConductorError as error:
                logger.warning(
                    "tasks that were not downloaded could not be given back to the service: %s", error
                )
                return

    def _send(self, record: DownloadTask, status: DownloadStatus) -> None:
        size = 0 if status is DownloadStatus.DOWNLOADED else record.size
        self._calls.downloads_report(record.download_id, status.value, bytes_to_download=size)


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk. Where folders cannot be opened, as on Windows, the system sees to it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError as error:
        logger.debug("%s: %s", folder, error.strerror)
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        logger.debug("%s: %s", folder, error.strerror)
    finally:
        os.close(descriptor)
