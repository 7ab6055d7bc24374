"""What waits for daemons, in order, so that to hand something out nobody looks at what has nothing to hand out.

Indexes only: they follow from the rest of the state, are not in snapshots, and are asked and kept up here alone. A job
stands in the queue of its location (wire reference 7.5), the older before the younger.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from conductor_mock.farm.state import Job, State, Task
from conductor_mock.farm.statuses import DownloadStatus, TaskStatus, UploadStatus

_SUCCESS, _PENDING = TaskStatus.SUCCESS, DownloadStatus.PENDING  # a million tasks ask for them


def note_upload(state: State, job: Job) -> None:
    """The upload of a job has another status."""
    waits = job.upload is not None and job.upload.status == UploadStatus.PENDING
    _stand(state.to_bring.setdefault(job.location, []), job.number, waits=waits)


def note_outputs(state: State, job: Job, index: int) -> None:
    """A task has other outputs, or they were taken, delivered or given back."""
    waits = _has_something(job.tasks[index])
    if not job.to_deliver:
        if not waits:
            return
        job.to_deliver = bytearray(len(job.tasks))
    if waits == job.to_deliver[index]:
        return
    job.to_deliver[index] = waits
    job.undelivered += 1 if waits else -1
    _stand(state.to_deliver.setdefault(job.location, []), job.number, waits=job.undelivered > 0)


def first_to_bring(state: State, location: str | None) -> Job | None:
    """The oldest job of a location whose files wait for an uploader."""
    queue = state.to_bring.get(location or "")
    return state.jobs[queue[0]] if queue else None


def jobs_to_deliver(state: State, location: str | None) -> Iterator[Job]:
    """The jobs of a location with a task that has something for a downloader, oldest first."""
    return (state.jobs[number] for number in state.to_deliver.get(location or "", ()))


def tasks_to_deliver(job: Job) -> Iterator[int]:
    """The tasks of a job that have something for a downloader, the lowest first."""
    index = job.to_deliver.find(1)
    while index >= 0:
        yield index
        index = job.to_deliver.find(1, index + 1)


def rebuild(state: State) -> None:
    """Make the queues of a state that was read from a snapshot."""
    for job in state.jobs.values():
        note_upload(state, job)
        for index in range(len(job.tasks)):
            note_outputs(state, job, index)


def _has_something(task: Task) -> bool:
    """Whether a downloader may be handed outputs of the task, or one more of its files."""
    download = task.download
    if task.status != _SUCCESS or download is None:
        return False
    return download.status == _PENDING or len(download.given) not in (0, len(task.outputs or ()))


def _stand(queue: list[int], number: int, *, waits: bool) -> None:
    """Put a job into a queue or take it out, whether it stands there or not."""
    place = bisect_left(queue, number)
    stands = place < len(queue) and queue[place] == number
    if waits and not stands:
        queue.insert(place, number)
    elif stands and not waits:
        del queue[place]
