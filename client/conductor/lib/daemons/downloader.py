"""A daemon that fetches the outputs of whatever tasks complete, of jobs of one location (wire reference 2.15, 7.5)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from conductor.lib.cancellation import Cancellation
from conductor.lib.daemons.loop import PASSING
from conductor.lib.download.records import PAGE_TASKS, DownloadTask, next_tasks
from conductor.lib.download.report import DownloadReport
from conductor.lib.download.task_reports import TaskReports
from conductor.lib.downloader import Downloader
from conductor.lib.progress import ProgressCallback
from conductor.lib.wire.backoff import growing

logger = logging.getLogger(__name__)

# A task that failed is offered again, to anybody, after the first of these; after more failures here, later.
HOLD_SECONDS = 60.0
LONGEST_HOLD_SECONDS = 1800.0


@dataclass(frozen=True)
class _Held:
    task: DownloadTask
    until: float


class DownloaderDaemon:
    """Is handed tasks and fetches them. ``work`` is for ``Daemon``; ``close`` gives back what is left.

    A task of which a file cannot be had stays here for a while before it goes back, since the service would hand it
    out again at once. ``on_report`` is told of every batch.
    """

    def __init__(
        self,
        downloader: Downloader,
        cancellation: Cancellation,
        *,
        location: str | None = None,
        count: int = PAGE_TASKS,
        progress: ProgressCallback | None = None,
        on_report: Callable[[DownloadReport], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._downloader, self._cancellation = downloader, cancellation
        self._location, self._count = location, count
        self._progress, self._on_report, self._clock = progress, on_report, clock
        self._calls = downloader.client.calls
        self._reports = TaskReports(self._calls, enabled=True)
        self._held: dict[str, _Held] = {}
        self._failures: dict[str, int] = {}

    def work(self) -> bool:
        """Fetch what the service hands out. Return whether there was any. Raises what ``download_tasks`` does."""
        self._let_go(held for held in self._held.values() if held.until <= self._clock())
        tasks = next_tasks(self._calls, self._location, count=self._count)
        if not tasks:
            return False
        report = self._downloader.download_tasks(
            tasks, progress=self._progress, cancellation=self._cancellation
        )
        unfinished = {task.download_id for task in report.unfinished}
        for task in tasks:
            if task.download_id in unfinished:
                self._hold(task)
            else:
                self._failures.pop(task.download_id, None)
        self._on_report(report)
        passing = [error for error in report.errors if isinstance(error, PASSING)]
        if passing:
            raise passing[0]
        return True

    def close(self) -> None:
        """Give back the tasks that are held."""
        self._let_go(self._held.values())

    def _hold(self, task: DownloadTask) -> None:
        failures = self._failures[task.download_id] = self._failures.get(task.download_id, 0) + 1
        seconds = growing(HOLD_SECONDS, failures - 1, LONGEST_HOLD_SECONDS)
        self._held[task.download_id] = _Held(task, self._clock() + seconds)
        logger.warning(
            "job %s task %s is not downloaded completely; it is given back to the service in %.0f s",
            task.job_id,
            task.task_id,
            seconds,
        )

    def _let_go(self, held: Iterable[_Held]) -> None:
        tasks = [entry.task for entry in held]
        self._reports.give_back(tasks)
        for task in tasks:
            del self._held[task.download_id]
