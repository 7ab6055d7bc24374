"""`jobs.create` and `jobs.list` (wire reference 2.8, 2.9)."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, request

from conductor_mock.api.bodies import contract_body, notice, raw_body
from conductor_mock.api.files import check_project
from conductor_mock.api.idempotency import idempotency_key
from conductor_mock.api.numbering import numbers
from conductor_mock.catalog import Catalog
from conductor_mock.catalog.filters import FilterError
from conductor_mock.catalog.record_filters import parse
from conductor_mock.context import caller, catalog, service, warn, warnings
from conductor_mock.errors import Detail, bad_request
from conductor_mock.farm import actions, lookup, views
from conductor_mock.farm import payload as reading
from conductor_mock.farm.decisions import create_job, held_files, job_of_key, machine_name
from conductor_mock.farm.frames import parse_or_none
from conductor_mock.farm.ids import jid as write_jid
from conductor_mock.farm.statuses import Action
from conductor_mock.farm.values import Machine

jobs = Blueprint("jobs", __name__)


@jobs.post("/jobs/")
def create() -> tuple[dict[str, Any], int]:
    """Accept a job. Always 201 with a JSON object, never 200 or 204 (traps 1 and 2), and only after the commit.

    An Idempotency-Key that made a job with this very body gets the answer of then again.
    """
    key = idempotency_key()
    payload = contract_body()
    current, account_id = service(), caller().account_id
    body_sha256 = hashlib.sha256(raw_body()).hexdigest()
    with current.accounts.open(account_id) as account:
        made = job_of_key(account.state, key, body_sha256)
    if made is not None:  # before anything else is looked at: the catalogue may have changed since
        return views.created(made), 201
    _check_catalog(payload)
    _check_scouts(payload)
    command = create_job(
        payload,
        body_sha256=body_sha256,
        machine=_machine(payload),
        held=lambda md5s: current.contents.held(account_id, md5s),
        warnings=warnings(),
        idempotency_key=key,
    )
    for path in command.missing[:20]:
        warn(f"upload_files: {path!r} was never uploaded")
    with current.accounts.open(account_id) as account:
        made = job_of_key(account.state, key, body_sha256)  # again: another may have come with it meanwhile
        if made is None:
            current.contents.declare(account_id, held_files(payload, command))
            number = account.state.next_job_number
            account.append(command)
            made = account.state.jobs[number]
        return views.created(made), 201


@jobs.get("/api/v1/jobs", endpoint="list")
def list_jobs() -> dict[str, Any]:
    """The jobs that fit `filter`, oldest first."""
    try:
        wanted = parse(request.args.get("filter", ""))
    except FilterError as error:
        raise bad_request(f"filter: {error}", Detail("filter", str(error))) from None
    with service().accounts.open(caller().account_id) as account:
        state = account.state
        chosen = numbers(wanted, ("jid", "id"), 1, state.next_job_number)
        records = [views.job_record(state, state.jobs[number]) for number in chosen]
    fitting = [record for record in records if wanted.matches(record)]
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
    named = ", ".join(write_jid(number) for number in command.jobs)
    return {"body": "success", "message": f"{command.action}: {len(command.jobs)} jobs: {named}"}


def _only(record: dict[str, Any], fields: str | None) -> dict[str, Any]:
    """The fields that `fields` names, those that exist; all of them without it."""
    if not fields:
        return record
    names = [name.strip() for name in fields.split(",")]
    return {name: record[name] for name in names if name in record}


def _check_scouts(payload: dict[str, Any]) -> None:
    """Warn about scout frames that are none: nothing is held then, which a submitter ought to learn."""
    text = reading.text(payload, "scout_frames")
    if text.strip() and parse_or_none(text) is None:
        notice("/scout_frames", f"{text[:40]!r} is no frame specification, so no task is held")


def _check_catalog(payload: dict[str, Any]) -> None:
    """Warn about ids that the catalogue does not have: a real account's are not ours."""
    offered = catalog()
    check_project(payload.get("project"), "/project")
    for index, package_id in enumerate(payload.get("software_package_ids") or ()):
        if offered.package(package_id) is None:
            notice(f"/software_package_ids/{index}", f"the catalogue has no package {str(package_id)[:80]!r}")
    name = machine_name(payload)
    if offered.machine(name) is None:
        path = "/instance_type" if payload.get("instance_type") else "/cores"
        notice(path, f"the catalogue has no instance type {name[:80]!r}")


def _machine(payload: dict[str, Any]) -> Machine:
    """The machine that a job copies; one that the catalogue does not know has no price and the reference's speed."""
    name, offered = machine_name(payload), catalog()
    packages = [offered.package(package_id) for package_id in payload.get("software_package_ids") or ()]
    license_price = sum(offered.license(package["product"]) for package in packages if package is not None)
    known = known_machine(offered, name, license_price)
    if known is not None:
        return known
    return Machine(
        name=name,
        cores=1,
        price_micro_usd_per_hour=0,
        preemptible_micro_usd_per_hour=0,
        license_micro_usd_per_hour=license_price,
        speed=100,
    )


def known_machine(offered: Catalog, name: str, license_micro_usd_per_hour: int) -> Machine | None:
    """The machine of a catalogue as a job copies it, with what the job's software costs on it by the hour."""
    machine = offered.machine(name)
    if machine is None:
        return None
    return Machine(
        name=name,
        cores=machine.cores,
        price_micro_usd_per_hour=machine.price_micro_usd_per_hour,
        preemptible_micro_usd_per_hour=machine.preemptible_micro_usd_per_hour,
        license_micro_usd_per_hour=license_micro_usd_per_hour,
        speed=machine.speed,
    )
