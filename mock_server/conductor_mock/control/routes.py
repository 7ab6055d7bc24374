"""The calls of the control API (design, the control API)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, Response, request

from conductor_mock.api.bodies import parse_json, raw_body
from conductor_mock.catalog import CatalogError, from_document, validate
from conductor_mock.context import service
from conductor_mock.control.bundle import bundle
from conductor_mock.control.changes import changes
from conductor_mock.control.clock import clock
from conductor_mock.control.faults import faults
from conductor_mock.control.fields import object_body, wrong
from conductor_mock.control.guard import guard
from conductor_mock.control.outbox import outbox
from conductor_mock.control.outcomes import outcomes
from conductor_mock.control.selection import ALL, one_account, selected_accounts
from conductor_mock.errors import Detail, bad_request, not_found
from conductor_mock.farm import actions, history, lookup, views
from conductor_mock.farm.clock import SECOND, iso
from conductor_mock.farm.commands import CatalogReplaced, OptionsChanged
from conductor_mock.farm.ids import account_id as account_id_of
from conductor_mock.farm.ids import tid as write_tid
from conductor_mock.farm.state import Job, State
from conductor_mock.version import version

control = Blueprint("control", __name__, url_prefix="/_mock")
control.before_request(guard)
control.register_blueprint(bundle)
control.register_blueprint(changes)
control.register_blueprint(clock)
control.register_blueprint(outcomes)
control.register_blueprint(faults)


@control.get("/health")
def health() -> dict[str, Any]:
    """Whether the server answers, its version, and the simulated time of the account that is meant."""
    current = service()
    default = account_id_of(current.keys.client_id)
    if "account" not in request.args and not current.accounts.knows(default):
        return {"status": "ok", "version": version(), "now": iso(current.wall())}
    if request.args.get("account") == ALL:
        now = {client_id: iso(t_us) for client_id, t_us in _times().items()}
        return {"status": "ok", "version": version(), "now": now}
    with current.accounts.open(one_account()) as account:
        return {"status": "ok", "version": version(), "now": iso(account.state.now_us)}


@control.get("/jobs")
def jobs() -> dict[str, Any]:
    """Every job of the accounts that are meant, with its payload and tasks."""
    found = []
    for account_id in selected_accounts():
        with service().accounts.open(account_id) as account:
            state = account.state
            found += [
                views.control_job(job, state.client_id, account.payload(job)) for job in state.jobs.values()
            ]
    return {"jobs": found}


@control.get("/jobs/<jid>")
def job(jid: str) -> dict[str, Any]:
    """One job: its status, the payload as received, its tasks. With `at` (ISO time): the statuses of then."""
    with service().accounts.open(one_account()) as account:
        found = (
            account.state.jobs.get(int(jid)) if jid.isascii() and jid.isdigit() and len(jid) < 19 else None
        )
        if found is None:
            raise not_found(
                f"there is no job {jid[:40]!r} in this account; it has {len(account.state.jobs)} jobs"
            )
        record = views.control_job(found, account.state.client_id, account.payload(found))
        return record if "at" not in request.args else {**record, **_then(account.state, found, _time("at"))}


def _then(state: State, job: Job, t_us: int) -> dict[str, Any]:
    """What a job and its tasks looked like at a time: their statuses."""
    status, statuses = history.job_status_at(state, job, t_us)
    then = [
        {"tid": write_tid(index), "status": one, "command": task.command, "frames": task.frames}
        for index, (task, one) in enumerate(zip(job.tasks, statuses, strict=True))
    ]
    return {"at": iso(t_us), "status": status, "status_description": "", "tasks": then}


@control.get("/files")
def files() -> dict[str, Any]:
    """Every path that was declared for upload and whose content is held, with its base64 md5 and size."""
    contents = service().contents
    return {
        "files": [
            {"path": file.path, "md5": file.md5, "size": file.size}
            for account_id in selected_accounts()
            for file in contents.files(account_id)
        ]
    }


@control.get("/requests")
def requests() -> dict[str, Any]:
    """What was asked and answered, oldest first: at most `limit` (1000) of the newest."""
    limit = request.args.get("limit", "1000")
    if not (limit.isascii() and limit.isdigit() and len(limit) < 6 and 0 < int(limit) <= 10_000):
        message = f"limit must be a whole number from 1 to 10000, got {limit[:40]!r}"
        raise bad_request(message, Detail("limit", message))
    found = service().journal.find(
        account=_journal_account(),
        method=request.args.get("method"),
        path=request.args.get("path"),
        operation=request.args.get("operation"),
        limit=int(limit),
    )
    return {"requests": found}


@control.delete("/requests")
def clear_requests() -> Response:
    """Forget what was asked."""
    service().journal.clear(_journal_account())
    return Response(status=204)


@control.post("/reset")
def reset() -> Response:
    """The account (`account=*`: every account) as new: no jobs, files or requests; tokens stay valid."""
    current = service()
    for account_id in selected_accounts():
        current.accounts.reset(account_id)
        current.catalogs.forget(account_id)
        current.mail_statuses.forget(account_id)
        current.parts.forget_all(account_id)
        current.faults.clear(account_id)
        current.journal.clear(account_id)
    if request.args.get("account") == ALL:
        current.journal.clear()
    return Response(status=204)


@control.get("/openapi.json")
def openapi() -> dict[str, Any]:
    """The contract, every field with its evidence grade."""
    return dict(service().contract.document)


@control.get("/fidelity")
def fidelity() -> dict[str, Any]:
    """Every operation and field of the contract with its evidence grade and source, as rows."""
    return {"fidelity": service().contract.fidelity()}


@control.get("/options")
def options() -> dict[str, Any]:
    """What decides the account's runs besides its requests."""
    with service().accounts.open(one_account()) as account:
        return account.state.options.to_json()


@control.post("/options")
def set_options() -> dict[str, Any]:
    """Change `provider` (gcs, s3), `part_size` (bytes), `seed`, `fleet` or `release_scouts` of the account."""
    body = object_body(accepted=("provider", "part_size", "seed", "fleet", "release_scouts"))
    if not isinstance(body.get("release_scouts", True), bool):
        raise wrong("release_scouts", "must be true or false")
    if body.get("provider", "gcs") not in ("gcs", "s3"):
        raise wrong("provider", f"must be gcs or s3, got {str(body['provider'])[:40]!r}")
    for name, least in (("part_size", 1), ("seed", 0), ("fleet", 0)):
        value = body.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 1 << 62:
            raise wrong(name, f"must be a whole number from {least}, got {str(value)[:40]!r}")
    with service().accounts.open(one_account()) as account:
        account.append(OptionsChanged(replace(account.state.options, **body)))
        return account.state.options.to_json()


@control.get("/catalog")
def catalog() -> dict[str, Any]:
    """The catalogue document of the account: packages, projects, instance types, environment, prices."""
    return service().served_for(one_account()).catalog.to_document()


@control.put("/catalog")
def replace_catalog() -> dict[str, Any]:
    """Give the account a catalogue of its own, checked before it is taken; `null` gives the server's back."""
    document = parse_json(raw_body())
    account_id = one_account()
    warnings: list[str] = []
    if document is not None:
        try:
            document = from_document(document, "the request").to_document()
        except CatalogError as error:
            raise bad_request(f"the catalogue was not taken: {error}", *error.problems) from None
        warnings = [
            f"{problem.path} {problem.message}" for problem in validate(document) if not problem.is_error
        ]
    with service().accounts.open(account_id) as account:
        account.append(CatalogReplaced(document))
    served = service().served_for(account_id).catalog
    return {"status": "success", "sha256": served.sha256, "warnings": warnings}


@control.get("/mails")
def mails() -> dict[str, Any]:
    """The mails that jobs caused when they ended, oldest first, and what became of each on its way out."""
    return {"mails": outbox(one_account())}


@control.post("/jobs/<jid>/tasks/<tid>")
def force_task(jid: str, tid: str) -> dict[str, Any]:
    """End a task: `{"status": "success"}`, or failed, preempted, killed, with an `exit_code` if you like."""
    body = object_body(accepted=("status", "exit_code"))
    code = body.get("exit_code")
    if not isinstance(body.get("status"), str):
        raise wrong("status", f"must be one of {', '.join(actions.FORCED)}")
    if code is not None and (isinstance(code, bool) or not isinstance(code, int) or not -255 <= code <= 255):
        raise wrong("exit_code", f"must be a whole number from -255 to 255, got {str(code)[:40]!r}")
    with service().accounts.open(one_account()) as account:
        account.append(actions.force(account.state, jid, tid, body["status"], code))
        found = lookup.job(account.state, jid)
        return views.control_job(found, account.state.client_id, account.payload(found))


def _time(name: str) -> int:
    """A query parameter that is an ISO 8601 time, in microseconds; without a zone it is UTC."""
    text = request.args[name].replace(" ", "+")
    try:
        when = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        message = f"must be a time such as 2026-11-22T14:05:00Z, got {text[:40]!r}"
        raise bad_request(f"{name} {message}", Detail(name, message)) from None
    return round(when.replace(tzinfo=when.tzinfo or timezone.utc).timestamp() * SECOND)


def _times() -> dict[str, int]:
    times = {}
    for account_id in service().accounts.ids():
        with service().accounts.open(account_id) as account:
            times[account.state.client_id] = account.state.now_us
    return times


def _journal_account() -> str | None:
    return None if request.args.get("account") == ALL else one_account()
