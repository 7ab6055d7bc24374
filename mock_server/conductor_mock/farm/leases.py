"""Leases: what is handed out comes back by itself when its holder falls silent (design, rule 9).

A lease lasts its length in wall seconds as seen by the farm's clock: seconds times the speed, at least times 1. It
stands still when time is frozen and runs out when time is advanced by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from conductor_mock.farm import tasks
from conductor_mock.farm.clock import ONE, SECOND
from conductor_mock.farm.state import Lease, State

UPLOAD_S = 120
"""Uploaders report every 15 seconds (wire reference 2.13)."""

DOWNLOAD_S = 3600
"""The paged downloader reports only when a task is complete, however large it is (wire reference 2.17)."""


def length_us(seconds: int, speed_millionths: int) -> int:
    """The length of a lease in simulated microseconds."""
    return seconds * SECOND * max(ONE, speed_millionths) // ONE


def take(now_us: int, length: int) -> Lease:
    return Lease(now_us + length, length)


def renew(lease: Lease, now_us: int) -> None:
    """A report came: the lease lasts its whole length again."""
    lease.until_us = now_us + lease.length_us


def rescale(state: State, old_speed: int, new_speed: int) -> None:
    """The clock runs at another speed: what is left of each lease lasts as long as before for its holder."""
    old, new = max(ONE, old_speed), max(ONE, new_speed)
    if old == new:
        return
    for lease in _live(state):
        lease.until_us = state.now_us + max(0, lease.until_us - state.now_us) * new // old
        lease.length_us = lease.length_us * new // old


def expire(state: State) -> None:
    """Take back what is overdue at `state.now_us`."""
    for job_number in list(state.leased_uploads):
        job = state.jobs[job_number]
        assert job.upload is not None  # noqa: S101 - only uploads are in that set
        if job.upload.lease is not None and job.upload.lease.until_us <= state.now_us:
            until_us = job.upload.lease.until_us
            job.upload.lease = None
            job.upload.status = "pending"
            tasks.set_phase(
                job, "upload_pending", "an uploader daemon took the files and fell silent", until_us
            )
            state.leased_uploads.discard(job_number)
    for key in list(state.leased_downloads):
        download = state.jobs[key[0]].tasks[key[1]].download
        if download is None:  # the task was started again
            state.leased_downloads.discard(key)
        elif download.lease is not None and download.lease.until_us <= state.now_us:
            download.lease = None
            download.status = "pending"
            download.given = download.done
            state.leased_downloads.discard(key)


def _live(state: State) -> Iterator[Lease]:
    for job_number in state.leased_uploads:
        upload = state.jobs[job_number].upload
        if upload is not None and upload.lease is not None:
            yield upload.lease
    for job_number, index in state.leased_downloads:
        download = state.jobs[job_number].tasks[index].download
        if download is not None and download.lease is not None:
            yield download.lease
