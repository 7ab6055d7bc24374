"""What downloaders do: be offered the outputs of tasks, report, give back (wire reference 2.14 to 2.17, 2.21)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conductor_mock.farm import leases, lookup, queues, recorded, tasks
from conductor_mock.farm.commands import DownloadOffered, DownloadReported, OutputsListed
from conductor_mock.farm.refusals import NotThereError
from conductor_mock.farm.state import Download, Job, State, Task
from conductor_mock.farm.statuses import DELIVERED, DownloadStatus, TaskStatus


def waiting(state: State, location: str | None) -> Iterator[tuple[Job, int]]:
    """Tasks of one location (wire reference 7.5) whose outputs nobody has or is fetching, lowest job and task first."""
    for job in queues.jobs_to_deliver(state, location):
        for index in queues.tasks_to_deliver(job):
            download = job.tasks[index].download
            if download is not None and download.status == DownloadStatus.PENDING:
                yield job, index


def delivered(job: Job) -> Iterator[int]:
    """The tasks of a job that have outputs, those that were downloaded before too."""
    return (
        index
        for index, task in enumerate(job.tasks)
        if task.status in DELIVERED and task.download is not None
    )


def offer(state: State, job: Job, index: int, file: int | None = None) -> DownloadOffered:
    """Hand the outputs of a task to a downloader; nobody else is offered them until its lease has run out (trap 22)."""
    return DownloadOffered(
        job.number, index, file, leases.length_us(leases.DOWNLOAD_S, state.clock.speed_millionths)
    )


def next_file(
    state: State, location: str | None, is_included: Callable[[Job], bool]
) -> tuple[Job, int, int | None] | None:
    """For a file-by-file daemon: a task and the number of a file of it that nobody has yet.

    The number is None when the task's outputs were not listed yet, so that their count is not known.
    """
    for job in queues.jobs_to_deliver(state, location):
        if not is_included(job):
            continue
        for index in queues.tasks_to_deliver(job):
            task = job.tasks[index]
            number = _free_file(task)
            if number is not None:
                return job, index, number if task.outputs is not None else None
    return None


def report(
    state: State, name: str, *, status: DownloadStatus, bytes_downloaded: int, file: int | None = None
) -> DownloadReported | None:
    """A downloader's report on the outputs with this id; None when it changes nothing.

    Raises NotThereError for an unknown id.
    """
    job, index = lookup.download(state, name)
    task = job.tasks[index]
    if file is not None and not (task.outputs and file < len(task.outputs)):
        count = len(task.outputs or ())
        raise NotThereError(f"download {name} has no file {file}: it has {count}, counted from 0")
    if task.download is not None and task.download.status == status == DownloadStatus.DOWNLOADED:
        return None
    return DownloadReported(job.number, index, file, status, bytes_downloaded)


def apply_listed(state: State, command: OutputsListed) -> None:
    job = recorded.task_job(state, command.job, command.task)
    job.tasks[command.task].outputs = command.files
    queues.note_outputs(state, job, command.task)


def apply_offered(state: State, command: DownloadOffered) -> None:
    download = recorded.download(state, command.job, command.task)
    download.status = DownloadStatus.DOWNLOADING
    download.lease = leases.take(state.now_us, command.lease_us)
    if command.file is not None:
        download.given |= {command.file}
    leases.watch(state, command.job, command.task)
    queues.note_outputs(state, state.jobs[command.job], command.task)


def apply_reported(state: State, command: DownloadReported) -> None:
    download = recorded.download(state, command.job, command.task)
    job = state.jobs[command.job]
    _reported(state, job, job.tasks[command.task], download, command)
    queues.note_outputs(state, job, command.task)


def _reported(state: State, job: Job, task: Task, download: Download, command: DownloadReported) -> None:
    download.bytes_downloaded = command.bytes_downloaded
    if command.status == DownloadStatus.DOWNLOADING:
        download.status = DownloadStatus.DOWNLOADING
        if download.lease is None:  # it had run out: the downloader was slow, and is there
            length = leases.length_us(leases.DOWNLOAD_S, state.clock.speed_millionths)
            download.lease = leases.take(state.now_us, length)
            leases.watch(state, command.job, command.task)
        else:
            leases.renew(download.lease, state.now_us)
        return
    file, count = command.file, len(task.outputs or ())
    if file is not None and not _file_ended(download, file, command.status, count):
        if download.given <= download.done:
            # Nobody has a file of it: whoever comes may have all that are left.
            _unlease(download, DownloadStatus.PENDING)
        return
    _unlease(download, command.status)
    if command.status == DownloadStatus.DOWNLOADED and task.status == TaskStatus.SUCCESS:
        tasks.mark(job, task, TaskStatus.DOWNLOADED, state.now_us)
    elif command.status == DownloadStatus.PENDING and task.status == TaskStatus.DOWNLOADED:
        tasks.mark(job, task, TaskStatus.SUCCESS, state.now_us)


def _unlease(download: Download, status: DownloadStatus) -> None:
    download.status = status
    download.lease = None


def _file_ended(download: Download, file: int, status: DownloadStatus, count: int) -> bool:
    """Note one file of a file-by-file download; whether that ends the download of the task, of `count` files."""
    if status == DownloadStatus.DOWNLOADED:
        download.done |= {file}
        return len(download.done) == count
    download.given -= {file}
    return False


def _free_file(task: Task) -> int | None:
    download = task.download
    if task.status != TaskStatus.SUCCESS or download is None:
        return None
    if download.status == DownloadStatus.PENDING and task.outputs is None:
        return 0
    by_file = download.status == DownloadStatus.PENDING or bool(download.given)
    if not by_file or task.outputs is None:
        return None
    return next((number for number in range(len(task.outputs)) if number not in download.given), None)
