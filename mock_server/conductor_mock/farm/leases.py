"""Leases: what is handed out comes back by itself when its holder falls silent (design, rule 9).

A lease lasts its length in wall seconds as seen by the farm's clock: seconds times the speed, at least times 1. It
stands still when time is frozen and runs out when time is advanced by hand.

What has a lease is watched: `state.watched` is a heap of `(t_us, job, task)`, in which a job's upload is the task
`UPLOAD`, and `t_us` is when to look again, never after the lease runs out. A renewed lease is found then.
"""

from __future__ import annotations

import heapq

from conductor_mock.farm import queues, tasks
from conductor_mock.farm.clock import ONE, SECOND
from conductor_mock.farm.state import Download, Job, Lease, State, Upload
from conductor_mock.farm.statuses import DownloadStatus, Phase, UploadStatus

UPLOAD_S = 120
"""Uploaders report every 15 seconds (wire reference 2.13)."""

DOWNLOAD_S = 3600
"""The paged downloader reports only when a task is complete, however large it is (wire reference 2.17)."""

UPLOAD = -1


def length_us(seconds: int, speed_millionths: int) -> int:
    """The length of a lease in simulated microseconds."""
    return seconds * SECOND * max(ONE, speed_millionths) // ONE


def take(now_us: int, length: int) -> Lease:
    return Lease(now_us + length, length)


def renew(lease: Lease, now_us: int) -> None:
    """A report came: the lease lasts its whole length again."""
    lease.until_us = now_us + lease.length_us


def watch(state: State, job: int, index: int = UPLOAD) -> None:
    """A task's outputs, or a job's upload, were handed out with a lease. They may be watched already, from before."""
    held = _held(state, job, index)
    if held is not None and held.lease is not None and (job, index) not in state.leased:
        state.leased.add((job, index))
        heapq.heappush(state.watched, (held.lease.until_us, job, index))


def rescale(state: State, old_speed: int, new_speed: int) -> None:
    """The clock runs at another speed: what is left of each lease lasts as long as before for its holder."""
    old, new = max(ONE, old_speed), max(ONE, new_speed)
    if old == new:
        return
    keys = sorted(state.leased)
    state.leased.clear()
    state.watched.clear()
    for key in keys:
        held = _held(state, *key)
        if held is not None and held.lease is not None:
            lease = held.lease
            lease.until_us = state.now_us + max(0, lease.until_us - state.now_us) * new // old
            lease.length_us = lease.length_us * new // old
            watch(state, *key)


def expire(state: State) -> None:
    """Take back what is overdue at `state.now_us`."""
    while state.watched and state.watched[0][0] <= state.now_us:
        _, job, index = heapq.heappop(state.watched)
        state.leased.discard((job, index))
        held = _held(state, job, index)
        if held is None or held.lease is None:
            continue  # it was given back, or the task was started again
        if held.lease.until_us > state.now_us:
            watch(state, job, index)  # it was renewed
        elif isinstance(held, Upload):
            _take_back_upload(state, state.jobs[job], held, held.lease.until_us)
        else:
            _take_back_download(state, state.jobs[job], index, held)


def rebuild(state: State) -> None:
    """Watch the leases of a state that was read from a snapshot."""
    for job in state.jobs.values():
        watch(state, job.number)
        for index, task in enumerate(job.tasks):
            if task.download is not None:
                watch(state, job.number, index)


def _take_back_upload(state: State, job: Job, upload: Upload, then_us: int) -> None:
    upload.lease = None
    upload.status = UploadStatus.PENDING
    tasks.set_phase(job, Phase.UPLOAD_PENDING, "an uploader daemon took the files and fell silent", then_us)
    queues.note_upload(state, job)


def _take_back_download(state: State, job: Job, index: int, download: Download) -> None:
    download.lease = None
    download.status = DownloadStatus.PENDING
    download.given = download.done
    queues.note_outputs(state, job, index)


def _held(state: State, job: int, index: int) -> Upload | Download | None:
    """A job's upload or a task's outputs, which may have a lease."""
    return state.jobs[job].upload if index == UPLOAD else state.jobs[job].tasks[index].download
