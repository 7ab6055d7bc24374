"""Downloading what tasks left: of jobs that are named, or of tasks that were handed out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from conductor.lib.api_client import ApiClient
from conductor.lib.cancellation import Cancellation
from conductor.lib.download.plan import Overwrite, Selection, compiled
from conductor.lib.download.records import PAGE_TASKS, DownloadTask
from conductor.lib.download.report import DownloadReport
from conductor.lib.download.run import DownloadRun, RunSettings
from conductor.lib.files.local_paths import home_expanded
from conductor.lib.progress import ProgressCallback

if TYPE_CHECKING:
    from conductor.lib.md5_cache import Md5Cache  # SQLite is only loaded where it is used

__all__ = ["DownloadReport", "Downloader", "Overwrite", "Selection"]


class Downloader:
    """Downloads outputs through a client. Each call is independent of the others.

    ``destination``: files go to destination/JOB, by default to each job's own output path. ``regex``: only files in
    whose path it is found; these then count as the whole task, as with the vendor's client. ``overwrite``: what
    happens to files that are there. ``portable_names``: refuse names that only some systems can hold. ``report``:
    tell the service what was downloaded. ``cache``: md5s of files that are there. ``page_size``: tasks listed at
    once. Raises BadArgumentError for a regex that is none.
    """

    def __init__(
        self,
        client: ApiClient,
        *,
        destination: Path | None = None,
        regex: str | None = None,
        overwrite: Overwrite = Overwrite.CHANGED,
        portable_names: bool = True,
        report: bool = True,
        cache: Md5Cache | None = None,
        page_size: int = PAGE_TASKS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self._settings = RunSettings(
            client=client,
            workers=client.config.thread_count,
            destination=None if destination is None else Path(home_expanded(str(destination))).absolute(),
            pattern=compiled(regex),
            overwrite=overwrite,
            portable_names=portable_names,
            reports=report,
            cache=cache,
            page_size=page_size,
            clock=clock,
        )

    def download(
        self,
        selections: Iterable[Selection | str],
        *,
        progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
    ) -> DownloadReport:
        """Fetch the outputs of the completed tasks of these jobs (``"00012"``, ``"00012:1-5"``, Selection).

        A file or a job that fails is reported and the rest goes on. Raises BadArgumentError for what is no job,
        LoginError, and CancelledError; what is here by then stays, and the same again fetches the rest.
        """
        chosen = [Selection.parse(job) if isinstance(job, str) else job for job in selections]
        run = DownloadRun(self._settings, progress, cancellation or Cancellation())
        return run.finish(run.listed(chosen))

    def download_tasks(
        self,
        tasks: Iterable[DownloadTask],
        *,
        progress: ProgressCallback | None = None,
        cancellation: Cancellation | None = None,
    ) -> DownloadReport:
        """Fetch the outputs of tasks that were handed out by ``downloads.next``, kept by reports meanwhile.

        Tasks that are complete are reported; those that are not stay with the caller, as ``unfinished``, to be
        given back when it sees fit. Raises as ``download`` does, and then has given everything back.
        """
        run = DownloadRun(self._settings, progress, cancellation or Cancellation(), handed_out=True)
        return run.finish(iter(list(tasks)))
