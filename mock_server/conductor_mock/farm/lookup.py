"""From the ids of the wire to jobs, tasks, uploads and downloads. Raises NotThereError."""

from __future__ import annotations

import re

from conductor_mock.farm import ids
from conductor_mock.farm.refusals import NotThereError
from conductor_mock.farm.state import Job, State, Task, Upload

_NUMBER = re.compile(r"\d{1,15}", re.ASCII)
_UPLOAD = re.compile(r"u(\d{1,15})", re.ASCII)
_DOWNLOAD = re.compile(r"d(\d{1,15})-(\d{1,15})-(\d{1,6})", re.ASCII)


def job(state: State, jid: str) -> Job:
    """The job of a wire id, padded or not (wire reference 0.6)."""
    number = int(jid) if _NUMBER.fullmatch(jid) else 0
    if number not in state.jobs:
        raise NotThereError(f"there is no job {jid[:40]!r} in this account, which has {len(state.jobs)} jobs")
    return state.jobs[number]


def task(job_: Job, tid: str) -> tuple[int, Task]:
    """The task of a wire id, padded or not, and its index."""
    index = int(tid) if _NUMBER.fullmatch(tid) else -1
    if not 0 <= index < len(job_.tasks):
        last = f"its tasks are 000 to {ids.tid(len(job_.tasks) - 1)}" if job_.tasks else "it has no tasks"
        raise NotThereError(f"job {ids.jid(job_.number)} has no task {tid[:40]!r}; {last}")
    return index, job_.tasks[index]


def upload_id(job_: Job) -> str:
    """The id of a job's upload, such as `u00012`."""
    return f"u{ids.jid(job_.number)}"


def upload(state: State, name: str) -> tuple[Job, Upload]:
    """The job whose upload has this id, and that upload."""
    match = _UPLOAD.fullmatch(name)
    job_ = state.jobs.get(int(match[1])) if match else None
    if job_ is None or job_.upload is None:
        raise NotThereError(f"there is no upload {name[:40]!r} in this account")
    return job_, job_.upload


def download_id(job_: Job, index: int) -> str:
    """The id of the outputs of a task's last attempt, such as `d00012-003-1`."""
    return f"d{ids.jid(job_.number)}-{ids.tid(index)}-{len(job_.tasks[index].attempts)}"


def download(state: State, name: str) -> tuple[Job, int]:
    """The job and task whose outputs have this id; those of an earlier attempt are gone."""
    match = _DOWNLOAD.fullmatch(name)
    job_ = state.jobs.get(int(match[1])) if match else None
    index = int(match[2]) if match else 0
    if job_ is None or index >= len(job_.tasks) or job_.tasks[index].download is None:
        raise NotThereError(f"there is no download {name[:40]!r} in this account")
    current = download_id(job_, index)
    if current != name:
        raise NotThereError(
            f"download {name[:40]!r} belongs to an earlier attempt; the task's outputs are {current}"
        )
    return job_, index
