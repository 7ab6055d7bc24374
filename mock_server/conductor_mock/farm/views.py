"""State as the records of the wire. Reading only: a view never changes what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conductor_mock.farm import lookup, tasks
from conductor_mock.farm.clock import SECOND, iso
from conductor_mock.farm.holds import Hold
from conductor_mock.farm.ids import FIRST_TASK, JOB, UPLOAD, jid, record_id, tid
from conductor_mock.farm.state import Job, State, Task
from conductor_mock.farm.statuses import TaskStatus
from conductor_mock.farm.values import OutputFile

Json = dict[str, Any]


def created(job: Job) -> Json:
    """The answer to `jobs.create` (wire reference 2.8)."""
    name = jid(job.number)
    return {"body": "job submitted.", "jobid": name, "status": "success", "uri": f"/jobs/{name}"}


def job_record(state: State, job: Job) -> Json:
    """The record of `jobs.list` (wire reference 2.9): every field a client was seen to read."""
    name = jid(job.number)
    return {
        "id": name,
        "jid": name,
        "title": job.title,
        "account_id": state.account_id,
        "submittedBy": job.owner,
        "user": job.owner,
        "owner": job.owner,
        "project": job.project,
        "created": iso(job.created_us),
        "location": job.location,
        "output_path": job.output_path,
        "priority": job.priority,
        "instance_type": job.machine.name,
        "metadata": job.metadata,
        "status": tasks.job_status(job),
        "status_description": tasks.description(job),
        "total_runtime": job.ran_us // SECOND,
        "tasks": len(job.tasks),
        **{status.value: job.counts[status] for status in TaskStatus},
    }


def task_record(state: State, job: Job, index: int) -> Json:
    """The record of `tasks.list`, with all that a recorded one had (wire reference 12.2).

    `environment` is the job's own mapping, the same object in all of its tasks: it is not copied for each.
    """
    task = job.tasks[index]
    name, number = record_id(job.number, FIRST_TASK + index), jid(job.number)
    started = task.attempts[-1].started_us if task.attempts else None
    return {
        "id": name,
        "jobId": record_id(job.number, JOB),
        "uploadId": record_id(job.number, UPLOAD),
        "selfLink": f"/api/tasks/{name}",
        "account_id": state.account_id,
        "jobLabel": number,
        "taskLabel": tid(index),
        "jid": number,
        "tid": tid(index),
        "status": task.status,
        "statusDescription": "",
        "priority": f"{job.priority:03d}",
        "command": task.command,
        "frames": task.frames,
        "environment": job.environment,
        "timeStarted": started if started is not None and started <= state.now_us else None,
        "timeFinished": task.attempts[-1].ended_us if task.attempts else None,
        "runtime": runtime_us(task, state.now_us) // SECOND,
    }


def client_job(state: State, job: Job) -> Json:
    """The answer of `jobs.get` (wire reference 2.22): `status` and `tasks` are what an older vendor tool reads."""
    return {
        **job_record(state, job),
        "tasks": [task_record(state, job, index) for index in range(len(job.tasks))],
    }


def upload_to_claim(job: Job, files: dict[str, str | None]) -> Json:
    """The answer of `uploads.next` (wire reference 2.12): files are an object keyed by path (trap 20)."""
    return {"id": lookup.upload_id(job), "project": job.project, "upload_files": files}


def download_record(job: Job, index: int, urls: Sequence[str]) -> Json:
    """The record of a task's outputs in every download call (wire reference 2.14), complete in each file (trap 24)."""
    outputs = job.tasks[index].outputs or ()
    common = {"job_id": jid(job.number), "task_id": tid(index), "output_dir": job.output_path}
    return {
        "download_id": lookup.download_id(job, index),
        **common,
        "size": sum(file.size for file in outputs),
        "files": [
            {"url": url, "relative_path": file.relative_path, "md5": file.md5, "size": file.size, **common}
            for url, file in zip(urls, outputs, strict=True)
        ],
    }


def control_job(job: Job, account: str, payload: Json) -> Json:
    """The record of `GET /_mock/jobs/JID` (design, the control API)."""
    return {
        "jid": jid(job.number),
        "status": tasks.job_status(job),
        "status_description": tasks.description(job),
        "account": account,
        "created": iso(job.created_us),
        "payload": payload,
        "tasks": [_control_task(index, task) for index, task in enumerate(job.tasks)],
        "upload": _control_upload(job),
        "warnings": list(job.warnings),
    }


def hold_record(hold: Hold) -> Json:
    """One of the `holds` of `POST /_mock/clock`: what a job waits for (design, the control API)."""
    name = jid(hold.job)
    return {
        "jid": name,
        "status": hold.status,
        "tasks": hold.tasks,
        "message": hold.reason,
        "command": hold.command,
        "request": None
        if hold.action is None
        else {"method": "PUT", "path": "/jobs_multi", "body": {"action": hold.action, "jobids": [name]}},
    }


def runtime_us(task: Task, now_us: int) -> int:
    """Simulated microseconds that a task's attempts ran, the present one included once its instance has booted."""
    return sum(
        max(0, (now_us if attempt.ended_us is None else attempt.ended_us) - attempt.started_us)
        for attempt in task.attempts
    )


def _control_task(index: int, task: Task) -> Json:
    return {
        "tid": tid(index),
        "status": task.status,
        "command": task.command,
        "frames": task.frames,
        "attempts": [
            {
                "assigned": iso(attempt.assigned_us),
                "started": iso(attempt.started_us),
                "ended": None if attempt.ended_us is None else iso(attempt.ended_us),
                "outcome": attempt.outcome,
                "exit_code": attempt.exit_code,
                **({} if attempt.execution is None else {"reason": attempt.execution.reason}),
            }
            for attempt in task.attempts
        ],
        "outputs": [_output(file) for file in task.outputs or ()],
        "download": None if task.download is None else task.download.status,
    }


def _control_upload(job: Job) -> Json:
    upload = job.upload
    return {
        "local": job.local_upload,
        "files": job.upload_files,
        "size": job.upload_size,
        "status": None if upload is None else upload.status,
        "bytes_to_send": 0 if upload is None else upload.bytes_to_send,
        "bytes_sent": 0 if upload is None else upload.bytes_sent,
    }


def _output(file: OutputFile) -> Json:
    return {"path": file.relative_path, "md5": file.md5, "size": file.size}
