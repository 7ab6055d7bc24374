"""State as the records of the wire. Reading only: a view never changes what it shows."""

from __future__ import annotations

from typing import Any

from conductor_mock.farm.clock import iso
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.state import TASK_STATUSES, Job, State

Json = dict[str, Any]


def created(job: Job) -> Json:
    """The answer to `jobs.create` (wire reference 2.8)."""
    name = jid(job.number)
    return {"body": "job submitted.", "jobid": name, "status": "success", "uri": f"/jobs/{name}"}


def job_record(state: State, job: Job) -> Json:
    """The record of `jobs.list` (wire reference 2.9): every field a client was seen to read."""
    name = jid(job.number)
    counts = job.counts()
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
        "status": job.status,
        "status_description": job.status_description,
        "total_runtime": 0,
        "tasks": len(job.tasks),
        **{status: counts[status] for status in TASK_STATUSES},
    }


def control_job(job: Job, account: str, payload: Json) -> Json:
    """The record of `GET /_mock/jobs/JID` (design, the control API)."""
    return {
        "jid": jid(job.number),
        "status": job.status,
        "status_description": job.status_description,
        "account": account,
        "created": iso(job.created_us),
        "payload": payload,
        "tasks": [
            {
                "tid": tid(index),
                "status": task.status,
                "command": task.command,
                "frames": task.frames,
                "attempts": [],
                "outputs": [],
            }
            for index, task in enumerate(job.tasks)
        ],
        "upload": {"local": job.local_upload, "files": job.upload_files, "size": job.upload_size},
        "warnings": list(job.warnings),
    }
