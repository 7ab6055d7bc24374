"""`jobs.create` and `jobs.list` (wire reference 2.8, 2.9)."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, request

from conductor_contracts.submission import odd_variables
from conductor_mock.api.bodies import contract_body, notice, raw_body
from conductor_mock.api.idempotency import idempotency_key
from conductor_mock.api.numbering import numbers
from conductor_mock.api.offered import check_project, machine_of
from conductor_mock.api.queries import filtered_by
from conductor_mock.api.record_filters import parse
from conductor_mock.context import caller, service, warn, warnings
from conductor_mock.farm import actions, ids, lookup, views
from conductor_mock.farm.decisions import create_job, job_of_key, uploaded_files, uploaded_md5s
from conductor_mock.farm.doubts import doubts
from conductor_mock.farm.payload import Submission, read
from conductor_mock.farm.state import Job
from conductor_mock.farm.statuses import Action
from conductor_mock.store import collector
from conductor_mock.store.account import Account
from conductor_mock.store.quotas import check_count

jobs = Blueprint("jobs", __name__)


@jobs.post("/jobs/")
def create() -> tuple[dict[str, Any], int]:
    """Accept a job. Always 201 with a JSON object, never 200 or 204 (traps 1 and 2), and only after the commit.

    An Idempotency-Key that made a job with this very body gets the answer of then again, whatever the catalogue says
    now; of two requests that come with it at once one makes the job.
    """
    with collector.resting():  # all that is made of a large body is in use until the answer
        return _created()


def _created() -> tuple[dict[str, Any], int]:
    key = idempotency_key()
    submission = read(contract_body())
    body_sha256 = hashlib.sha256(raw_body()).hexdigest()
    with service().accounts.open(caller().account_id, together=True) as account:
        job = job_of_key(account.state, key, body_sha256)
        if job is None:
            job = _accept(account, submission, body_sha256, key)
        return views.created(job), 201


def _accept(account: Account, submission: Submission, body_sha256: str, key: str | None) -> Job:
    """The job of a submission. Refuses (400), under `--strict`, what is unknown or in doubt."""
    current = service()
    offered = current.catalogs.of(account).catalog
    check_project(offered, submission.payload.get("project"), "/project")
    machine = machine_of(offered, submission)
    for path, message in doubts(submission):
        notice(path, message)
    for odd in odd_variables(submission.payload):
        notice(odd.path, odd.message)
    check_count(
        "the jobs of this account are",
        account.state.next_job_number - 1,
        current.settings.quotas.jobs,
        "--max-jobs",
        remedy="reset it",
    )
    # Those whose jobs are pending here need not wait for a store that may not answer.
    held = current.contents.held(account.account_id, uploaded_md5s(submission), account.commit_pending)
    command = create_job(
        submission,
        body_sha256=body_sha256,
        machine=machine,
        held=held,
        warnings=warnings(),
        idempotency_key=key,
        received=raw_body(),
    )
    for path in command.missing[:20]:
        warn(f"upload_files: {path!r} was never uploaded")
    files = uploaded_files(submission, command.missing)
    number = account.state.next_job_number
    account.append(command, current.contents.declarations(account.account_id, files))
    return account.state.jobs[number]


@jobs.get("/api/v1/jobs", endpoint="list")
def list_() -> dict[str, Any]:
    """The jobs that fit `filter`, oldest first."""
    filter_ = filtered_by(parse)
    with service().accounts.open(caller().account_id) as account:
        state = account.state
        chosen = numbers(filter_, ("jid", "id"), 1, state.next_job_number)
        records = [views.job_record(state, state.jobs[number]) for number in chosen]
    fitting = [record for record in records if filter_.matches(record)]
    return {"data": [_only(record, request.args.get("fields")) for record in fitting]}


@jobs.get("/api/v1/client/jobs/<jid>")
def get(jid: str) -> dict[str, Any]:
    """One job with its tasks (wire reference 2.22)."""
    with service().accounts.open(caller().account_id) as account:
        return {"data": views.client_job(account.state, lookup.job(account.state, jid))}


@jobs.put("/jobs_multi")
def act() -> dict[str, str]:
    """Do something to whole jobs; those whose state does not allow it are left alone, and 409 if it moves none."""
    body = contract_body()
    with service().accounts.open(caller().account_id) as account:
        command = actions.act_on_jobs(account.state, Action(body["action"]), body["jobids"])
        account.append(command)
    named = ", ".join(f"u'{ids.jid(number)}'" for number in command.jobs)
    # As the vendor's pages show it (wire reference 12.16).
    return {"body": "success", "message": f"Jobs [{named}] have been {command.action}."}


def _only(record: dict[str, Any], fields: str | None) -> dict[str, Any]:
    """The fields that `fields` names, those that exist; all of them without it."""
    if not fields:
        return record
    names = [name.strip() for name in fields.split(",")]
    return {name: record[name] for name in names if name in record}
