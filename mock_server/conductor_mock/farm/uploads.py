"""What uploader daemons do: claim the files of a job, report, finish, fail (wire reference 2.12, 2.13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conductor_mock.farm import leases, lookup, queues, recorded, simulation, tasks
from conductor_mock.farm.commands import UploadClaimed, UploadFailed, UploadFinished, UploadProgressed
from conductor_mock.farm.ids import jid
from conductor_mock.farm.payload import UploadFile, upload_files
from conductor_mock.farm.refusals import StateForbidsError
from conductor_mock.farm.state import Job, State, Upload
from conductor_mock.farm.statuses import Phase, UploadStatus

_OVER = frozenset({UploadStatus.FINISHED, UploadStatus.FAILED, UploadStatus.CANCELLED})
_GIVEN_UP = _OVER - {UploadStatus.FINISHED}


def claim(state: State, location: str | None) -> UploadClaimed | None:
    """The oldest job of this location whose files nobody brings; no location is one too (wire reference 7.5)."""
    job = queues.first_to_bring(state, location)
    if job is None:
        return None
    return UploadClaimed(job.number, leases.length_us(leases.UPLOAD_S, state.clock.speed_millionths))


def progress(state: State, name: str, *, bytes_to_send: int, bytes_sent: int) -> UploadProgressed | None:
    """A report on an upload under way; one on an upload that has ended changes nothing. Raises NotThereError."""
    job, upload = lookup.upload(state, name)
    if upload.status in _OVER:
        return None
    return UploadProgressed(job.number, bytes_to_send, bytes_sent)


def finish(
    state: State,
    name: str,
    *,
    reported: Mapping[str, str | None],
    payload: Mapping[str, Any],
    held_md5: Callable[[str, str | None], str | None],
) -> UploadFinished | None:
    """The end of an upload, with every reason why its files are not what the job wants.

    `reported` is path -> base64 md5 as the daemon says; some clients send it empty (5.0.1 to 5.3.0), so what the store
    holds decides: `held_md5(path, md5)` is `md5` if the account holds that content, with md5 None the last content
    that was declared for the path and is held, else None. A second `finish` changes nothing: an answer may have been
    lost. Raises NotThereError, StateForbidsError.
    """
    job, upload = lookup.upload(state, name)
    if upload.status == UploadStatus.FINISHED:
        return None
    if upload.status in _GIVEN_UP:
        why = f"has failed ({job.note})" if upload.status == UploadStatus.FAILED else "went with its job"
        raise StateForbidsError(f"upload {name} {why}; it cannot be finished any more")
    problems = []
    for file in upload_files(payload):
        problem = _problem(file, reported.get(file.path), held_md5)
        if problem is not None:
            problems.append(problem)
    return UploadFinished(job.number, tuple(problems))


def fail(state: State, name: str, message: str) -> UploadFailed | None:
    """A daemon gave up. A second `fail` changes nothing. Raises NotThereError, StateForbidsError."""
    job, upload = lookup.upload(state, name)
    if upload.status in _GIVEN_UP:
        return None
    if upload.status == UploadStatus.FINISHED:
        raise StateForbidsError(f"upload {name} was finished before; job {jid(job.number)} has its files")
    return UploadFailed(job.number, message)


def apply_claimed(state: State, command: UploadClaimed) -> None:
    job, upload = recorded.upload(state, command.job)
    upload.status = UploadStatus.CLAIMED
    upload.lease = leases.take(state.now_us, command.lease_us)
    leases.watch(state, job.number)
    queues.note_upload(state, job)
    tasks.set_phase(job, Phase.UPLOADING, "an uploader daemon is bringing the files", state.now_us)


def apply_progressed(state: State, command: UploadProgressed) -> None:
    _, upload = recorded.upload(state, command.job)
    upload.bytes_to_send, upload.bytes_sent = command.bytes_to_send, command.bytes_sent
    if upload.lease is not None:
        leases.renew(upload.lease, state.now_us)


def apply_finished(state: State, command: UploadFinished) -> None:
    job, upload = recorded.upload(state, command.job)
    if command.problems:
        _end(state, job, upload, UploadStatus.FAILED)
        tasks.set_phase(job, Phase.FAILED, "; ".join(command.problems[:5]), state.now_us)
        simulation.note_end(state, job)
    else:
        _end(state, job, upload, UploadStatus.FINISHED)
        simulation.begin_sync(state, job)


def apply_failed(state: State, command: UploadFailed) -> None:
    job, upload = recorded.upload(state, command.job)
    _end(state, job, upload, UploadStatus.FAILED)
    tasks.set_phase(job, Phase.FAILED, command.message or "the uploader daemon gave no reason", state.now_us)
    simulation.note_end(state, job)


def cancel(state: State, job: Job) -> None:
    """The job was killed: nobody is to bring its files any more."""
    if job.upload is not None and job.upload.status not in _OVER:
        _end(state, job, job.upload, UploadStatus.CANCELLED)


def _end(state: State, job: Job, upload: Upload, status: UploadStatus) -> None:
    upload.status = status
    upload.lease = None
    queues.note_upload(state, job)


def _problem(
    file: UploadFile, reported: str | None, held_md5: Callable[[str, str | None], str | None]
) -> str | None:
    enforced = file.md5
    if enforced and reported and reported != enforced:
        return f"{file.path}: expected md5 {enforced} (enforced at submission), got {reported}"
    md5 = enforced or reported
    if held_md5(file.path, md5) is None:
        return (
            f"{file.path}: expected its content in the store"
            + (f" (md5 {md5})" if md5 else "")
            + ", got none"
        )
    return None
