"""One download, from the list of its tasks to the last report.

The calling thread coordinates: it asks for the next page when little is left to hand out, decides where each file
goes, and hands out the fetching of files and the reports on tasks. What is held in memory is a page or two, and one
line of result for each file.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.lib.api_client import ApiClient
from conductor.lib.cancellation import Cancellation
from conductor.lib.download.file import FileFetcher
from conductor.lib.download.plan import Overwrite, Placed, Placement, Selection, chosen_files
from conductor.lib.download.progress import TICK_SECONDS, DownloadTally
from conductor.lib.download.records import DownloadFile, DownloadStatus, DownloadTask, pages
from conductor.lib.download.report import DownloadReport, FileResult, FileStatus
from conductor.lib.download.safe_paths import UnsafePathError
from conductor.lib.download.task_reports import TaskReports, TaskUnderWay
from conductor.lib.exceptions import ConductorError, RefusedError, TryAgainError
from conductor.lib.files.local import LocalFile
from conductor.lib.progress import ProgressCallback
from conductor.lib.tasks import list_tasks
from conductor.lib.transfers.work_pool import Then, Work, WorkPool, work_through
from conductor.lib.wire.operations import TASKS_LIST

if TYPE_CHECKING:
    from conductor.lib.md5_cache import Md5Cache  # SQLite is only loaded where it is used

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 60.0
# So many files in a row that found no server mean that the rest will find none either.
HOPELESS_FILES = 16
# How many tasks that there are not are named.
NAMED_TASKS = 10


@dataclass(frozen=True)
class RunSettings:
    """How to download; see ``Downloader`` for each."""

    client: ApiClient
    workers: int
    destination: Path | None
    pattern: re.Pattern[str] | None
    overwrite: Overwrite
    portable_names: bool
    reports: bool
    cache: Md5Cache | None
    page_size: int
    clock: Callable[[], float]


class DownloadRun:
    """One download. Everything but ``_fetch``, ``_got``, ``_report`` and ``_renew`` runs in the calling thread.

    ``handed_out``: the tasks belong to this run until it reports them, and go back when it is ended early.
    """

    def __init__(
        self,
        settings: RunSettings,
        progress: ProgressCallback | None,
        cancellation: Cancellation,
        *,
        handed_out: bool = False,
    ) -> None:
        self._settings, self._cancellation, self._handed_out = settings, cancellation, handed_out
        self._stop = Cancellation()
        # With connections of its own, which are broken when it is to end early.
        self._client = settings.client.branch(self._stop)
        self._calls = self._client.calls
        self._placement = Placement(settings.destination, portable_names=settings.portable_names)
        self._fetcher = FileFetcher(
            self._calls, overwrite=settings.overwrite, cancellation=self._stop, renew=self._renew
        )
        self._reports = TaskReports(self._calls, enabled=settings.reports)
        self._tally = DownloadTally(progress, settings.clock)
        self._owner = threading.get_ident()
        self._source: Iterator[DownloadTask] = iter(())
        self._queue: deque[Work] = deque()
        self._seen: set[str] = set()
        self._active: dict[str, TaskUnderWay] = {}
        self._unreported: dict[str, TaskUnderWay] = {}
        self._results: list[FileResult] = []
        self._unfinished: list[DownloadTask] = []
        self._errors: list[ConductorError] = []
        self._unreachable = 0
        self._hopeless = False

    def listed(self, selections: Iterable[Selection]) -> Iterator[DownloadTask]:
        """Yield the tasks of jobs, page by page; a job that cannot be listed is noted, and the next one taken.

        So is a task that was named and that there is not: what has no outputs yet is listed no more than that.
        """
        limit = self._settings.page_size
        for selection in selections:
            missing = set(selection.task_ids or ())
            try:
                for page in pages(self._calls, selection.job_id, selection.task_ids, limit=limit):
                    missing.difference_update(task.task_id for task in page.tasks)
                    yield from page.tasks
                if missing:
                    self._check_there_are(selection.job_id, missing)
            except (RefusedError, TryAgainError) as error:
                self._errors.append(error)

    def _check_there_are(self, jid: str, tids: set[str]) -> None:
        """Raise RefusedError for tasks that the job does not have."""
        there = {task.tid for task in list_tasks(jid, client=self._client)}
        absent = sorted(tids - there, key=int)
        if absent:
            more = f" and {len(absent) - NAMED_TASKS} more" if len(absent) > NAMED_TASKS else ""
            named = ", ".join(absent[:NAMED_TASKS]) + more
            raise RefusedError(
                f"{TASKS_LIST.id}: job {jid} has no task {named}; 'conductor tasks {jid}' lists those that it has",
                operation=TASKS_LIST.id,
            )

    def finish(self, source: Iterator[DownloadTask]) -> DownloadReport:
        """Do all the work there is."""
        self._source = source
        cache = self._settings.cache
        looked = cache.now_ns() if cache else 0
        least = 2 if self._handed_out else 1  # the thread that keeps what was handed out must not be busy
        with (
            self._client,
            self._stop.calling(self._client.transport.break_off),
            self._cancellation.calling(self._stop.cancel),
        ):
            try:
                with WorkPool[Then](max(least, self._settings.workers)) as pool:
                    self._work(pool)
            except BaseException:
                self._settle_with_the_service()
                raise
            finally:
                if cache:
                    cache.remember(self._fetcher.seen, seen_ns=looked)
        self._tally.show()
        return DownloadReport(tuple(self._results), tuple(self._unfinished), tuple(self._errors))

    def _work(self, pool: WorkPool[Then]) -> None:
        try:
            with self._stop.calling(pool.wake):
                work_through(
                    pool,
                    self._next_work,
                    tick=TICK_SECONDS,
                    when_quiet=self._cancellation.check,
                    each_time=partial(self._keep_and_show, pool),
                )
        except BaseException:
            self._stop.cancel()
            raise

    def _next_work(self) -> Work | None:
        """Return what is to be done next, looking at the next task when nothing is left; None if there is no task."""
        self._cancellation.check()
        while not self._queue:
            if not self._take_task():
                return None
            self._cancellation.check()
        return self._queue.popleft()

    def _keep_and_show(self, pool: WorkPool[Then]) -> None:
        self._keep(pool)
        self._tally.show_sometimes()

    def _take_task(self) -> bool:
        """Queue the files of the next task. Return whether there was one."""
        record = next(self._source, None)
        if record is None:
            return False
        files = chosen_files(record.files, self._settings.pattern)
        passed_over = record.files and not files and not self._handed_out
        if record.download_id in self._seen or passed_over:
            return True  # on two pages, or as if it had not been listed
        self._seen.add(record.download_id)
        task = TaskUnderWay(record, left=len(files), told=self._settings.clock())
        self._active[record.download_id] = task
        self._tally.expect(len(files), sum(file.size for file in files))
        places = self._place(task, files)
        known = self._known(places)
        for placed in places:
            self._queue.append(partial(self._fetch, task, placed, known.get(str(placed.path))))
        if not files:
            self._ended(task)
        return True

    def _place(self, task: TaskUnderWay, files: Iterable[DownloadFile]) -> list[Placed]:
        places = []
        for file in files:
            try:
                places.append(self._placement.place(file))
            except UnsafePathError as error:
                self._settle(task, FileResult(file, "", FileStatus.REFUSED, str(error)))
        return places

    def _known(self, places: list[Placed]) -> dict[str, LocalFile]:
        """Return, by path, what the md5 cache knows of files that are there."""
        cache = self._settings.cache
        if cache is None or self._settings.overwrite is not Overwrite.CHANGED:
            return {}
        there = []
        for placed in places:
            try:
                there.append(LocalFile(str(placed.path), placed.path.stat()))
            except OSError:
                continue  # not there, or of no use: whoever fetches it says so
        return cache.known(there) if there else {}

    def _fetch(self, task: TaskUnderWay, placed: Placed, known: LocalFile | None) -> Then:
        if self._hopeless:
            reason = "not tried, since the service could not be reached for one file after another"
            return partial(
                self._settle, task, FileResult(placed.file, str(placed.path), FileStatus.FAILED, reason)
            )
        task.begun = True
        result = self._fetcher.fetch(placed, known, self._got)
        return partial(self._settle, task, result)

    def _got(self, count: int) -> None:
        self._tally.add(count)
        if threading.get_ident() == self._owner:  # a pool of one works in the calling thread
            self._cancellation.check()
            self._tally.show_sometimes()

    def _settle(self, task: TaskUnderWay, result: FileResult) -> None:
        """Note what became of a file."""
        self._results.append(result)
        self._tally.settle(result.file.size - result.received)
        if result.status is FileStatus.FETCHED:
            task.folders.add(Path(result.path).parent)
        if not result.is_here:
            task.failed = True
        self._judge(result)
        task.left -= 1
        if not task.left:
            self._ended(task)

    def _judge(self, result: FileResult) -> None:
        """Give up the rest when one file after another finds no server."""
        if result.is_here:
            self._unreachable = 0
        elif isinstance(result.error, TryAgainError) and not result.received and not self._hopeless:
            self._unreachable += 1
            if self._unreachable == HOPELESS_FILES:
                self._hopeless = True
                self._errors.append(result.error)
                if not self._handed_out:
                    self._source = iter(())

    def _ended(self, task: TaskUnderWay) -> None:
        """Report a task whose files are all settled; before anything else that waits."""
        del self._active[task.record.download_id]
        status = DownloadStatus.DOWNLOADED
        if task.failed:
            self._unfinished.append(task.record)
            status = DownloadStatus.PENDING
        if not (task.failed and self._handed_out):
            self._unreported[task.record.download_id] = task
            self._queue.appendleft(partial(self._report, task, status))

    def _report(self, task: TaskUnderWay, status: DownloadStatus) -> Then:
        return partial(self._reported, task, status, self._reports.tell(task, status))

    def _reported(self, task: TaskUnderWay, status: DownloadStatus, error: ConductorError | None) -> None:
        if status is DownloadStatus.DOWNLOADING:
            task.told, task.telling = self._settings.clock(), False
        else:
            del self._unreported[task.record.download_id]
        if error is not None:
            self._errors.append(error)

    def _keep(self, pool: WorkPool[Then]) -> None:
        """Say of tasks that were handed out that they are still wanted."""
        if not self._handed_out:
            return
        now = self._settings.clock()
        for task in self._active.values():
            if now - task.told >= HEARTBEAT_SECONDS and not task.telling:  # one at a time, however slow
                task.telling = True
                pool.give(partial(self._report, task, DownloadStatus.DOWNLOADING))

    def _settle_with_the_service(self) -> None:
        """Report what is complete and give back what is not, by connections that are not broken."""
        reports = TaskReports(self._settings.client.calls, enabled=self._settings.reports)
        for task in self._unreported.values():
            if not task.failed and reports.tell(task, DownloadStatus.DOWNLOADED) is not None:
                return
        reports.give_back(self._begun())

    def _begun(self) -> Iterator[DownloadTask]:
        """Yield what goes back when the run is ended early."""
        tasks = [*self._active.values(), *(task for task in self._unreported.values() if task.failed)]
        yield from (task.record for task in tasks if task.begun or self._handed_out)
        if self._handed_out:
            yield from self._unfinished
            yield from self._source

    def _renew(self, file: DownloadFile) -> DownloadFile:
        """Return the file with a URL that is valid now. Raises RefusedError if the service lists it no longer."""
        identity = (file.task_id, file.relative_path, file.md5)
        for page in pages(self._calls, file.job_id, [file.task_id]):
            for other in (other for task in page.tasks for other in task.files):
                if (other.task_id, other.relative_path, other.md5) == identity:
                    return other
        raise RefusedError(f"{file.relative_path!r} is no longer an output of task {file.task_id}")
