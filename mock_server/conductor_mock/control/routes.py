"""The calls of the control API (design, the control API)."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from flask import Blueprint, Response, request

from conductor_mock.api.bodies import parse_json, raw_body
from conductor_mock.api.context import service
from conductor_mock.catalog import CatalogError, from_document, validate
from conductor_mock.control.bundle import bundle
from conductor_mock.control.changes import changes
from conductor_mock.control.guard import guard
from conductor_mock.control.outbox import outbox
from conductor_mock.control.selection import ALL, one_account, selected_accounts
from conductor_mock.errors import Detail, Refusal, bad_request, conflict, not_found
from conductor_mock.farm import actions, history, lookup, views
from conductor_mock.farm.clock import ONE, SECOND, ClockError, advance_us, iso
from conductor_mock.farm.commands import CatalogReplaced, OptionsChanged, RulesChanged
from conductor_mock.farm.decisions import advance_until, left_to_execute, move_clock
from conductor_mock.farm.ids import account_id as account_id_of
from conductor_mock.farm.ids import tid as write_tid
from conductor_mock.farm.outcomes import RuleError, check_rule, fits
from conductor_mock.farm.state import Job, State
from conductor_mock.faults import FaultError
from conductor_mock.version import version

control = Blueprint("control", __name__, url_prefix="/_mock")
control.before_request(guard)
control.register_blueprint(bundle)
control.register_blueprint(changes)

WITHIN_S = 50
MAX_WITHIN_S = 3600
"""How long a call waits for tasks that run for real: less than many clients wait for an answer, unless told."""


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
    holdings = service().holdings
    return {
        "files": [
            {"path": file.path, "md5": file.md5, "size": file.size}
            for account_id in selected_accounts()
            for file in holdings.files(account_id)
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


@control.get("/clock")
def clock() -> dict[str, Any]:
    """The account's simulated time and its speed."""
    with service().accounts.open(one_account()) as account:
        return _clock(account.state)


@control.post("/clock")
def set_clock() -> dict[str, Any]:
    """Move simulated time on (`advance` seconds, or `until` something) or change its `speed` (0 is frozen)."""
    body = _object_body(accepted=("advance", "speed", "until", "within"))
    if "until" in body:
        return _advance_until(body)
    for name in body:
        if isinstance(body[name], bool) or not isinstance(body[name], (int, float)):
            raise _wrong(name, f"must be a number, got {body[name]!r}")
    if not body:
        raise bad_request("send 'advance' (seconds), 'speed', or both")
    try:
        return _move_clock(advance_us(body.get("advance", 0)), body.get("speed"))
    except (ClockError, OverflowError) as error:
        raise bad_request(f"the clock was not moved: {error}", Detail("", str(error))) from None


def _move_clock(left_us: int, speed: float | None) -> dict[str, Any]:
    """Move simulated time on, in steps that let others have their turn."""
    accounts, account_id = service().accounts, one_account()
    while True:
        with accounts.open(account_id) as account:
            command, left_us = move_clock(account.state, service().wall(), left_us=left_us, speed=speed)
            account.append(command)
            if not left_us:
                return _clock(account.state)
        accounts.give_way()


def _advance_until(body: dict[str, Any]) -> dict[str, Any]:
    """`{"until": "idle"}` or `{"until": {"job": JID}}`, in steps that let others have their turn.

    Where only tasks are left that run for real, they are waited for: `within` wall seconds, else 409.
    """
    wanted = body["until"]
    jid = wanted.get("job") if isinstance(wanted, dict) and set(wanted) == {"job"} else None
    if not body.keys() <= {"until", "within"} or (wanted != "idle" and not isinstance(jid, str)):
        raise _wrong("until", 'must stand alone (or with "within") and be "idle" or {"job": JID}')
    within_s = body.get("within", WITHIN_S)
    if (
        isinstance(within_s, bool)
        or not isinstance(within_s, (int, float))
        or not 0 <= within_s <= MAX_WITHIN_S
    ):
        raise _wrong("within", f"must be wall seconds from 0 to {MAX_WITHIN_S}, got {str(within_s)[:40]!r}")
    deadline = time.monotonic() + within_s
    account_id, accounts = one_account(), service().accounts
    while True:
        changes_so_far = accounts.changes(account_id)
        with accounts.open(account_id) as account:
            before_us = account.state.now_us
            command, finished = advance_until(account.state, service().wall(), jid)
            has_moved = account.state.now_us != before_us
            running = left_to_execute(account.state, jid) if finished else 0
            if has_moved or not running:
                account.append(command)
            if finished and not running:
                return _clock(account.state)
        if not running or has_moved:
            accounts.give_way()
        elif not accounts.wait(account_id, changes_so_far, max(0, deadline - time.monotonic())):
            raise conflict(
                f"after {within_s:g} s of real time {running} tasks still run for real; ask again, or for more with "
                "'within'"
            )


@control.post("/reset")
def reset() -> Response:
    """The account (`account=*`: every account) as new: no jobs, files or requests; tokens stay valid."""
    current = service()
    for account_id in selected_accounts():
        current.accounts.reset(account_id)
        current.forget(account_id)
        current.deliveries.forget(account_id)
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
    body = _object_body(accepted=("provider", "part_size", "seed", "fleet", "release_scouts"))
    if not isinstance(body.get("release_scouts", True), bool):
        raise _wrong("release_scouts", "must be true or false")
    if body.get("provider", "gcs") not in ("gcs", "s3"):
        raise _wrong("provider", f"must be gcs or s3, got {str(body['provider'])[:40]!r}")
    for name, least in (("part_size", 1), ("seed", 0), ("fleet", 0)):
        value = body.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 1 << 62:
            raise _wrong(name, f"must be a whole number from {least}, got {str(value)[:40]!r}")
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
            details = [Detail(problem.path, problem.message) for problem in error.problems]
            raise bad_request(f"the catalogue was not taken: {error}", *details) from None
        warnings = [
            f"{problem.path} {problem.message}" for problem in validate(document) if not problem.is_error
        ]
    with service().accounts.open(account_id) as account:
        account.append(CatalogReplaced(document))
    served = service().served_for(account_id).catalog
    return {"status": "success", "sha256": served.sha256, "warnings": warnings}


@control.get("/outcomes")
def outcomes() -> dict[str, Any]:
    """The rules for how tasks go, first match first."""
    with service().accounts.open(one_account()) as account:
        return {"rules": list(account.state.rules)}


@control.post("/outcomes")
def add_outcomes() -> dict[str, Any]:
    """Put one rule, or a list of them, before those that are there."""
    body = parse_json(raw_body())
    given = body if isinstance(body, list) else [body]
    rules = []
    for number, rule in enumerate(given):
        try:
            rules.append(check_rule(rule))
        except RuleError as error:
            place = f"/{number}{error.path}" if isinstance(body, list) else error.path
            raise bad_request(f"the rule was not taken: {error}", Detail(place, error.message)) from None
    with service().accounts.open(one_account()) as account:
        account.append(RulesChanged((*rules, *account.state.rules)))
        every = [
            (job, index, task) for job in account.state.jobs.values() for index, task in enumerate(job.tasks)
        ]
        fitting = [{place for place, one in enumerate(every) if fits(rule["match"], *one)} for rule in rules]
        return {
            "rules": list(account.state.rules),
            "tasks_that_fit": len(set().union(*fitting)),
            "warnings": [
                f"rule {number} fits none of the {len(every)} tasks that there are; it stays for those to come"
                for number, found in enumerate(fitting)
                if not found
            ],
        }


@control.delete("/outcomes")
def clear_outcomes() -> Response:
    """No rules: tasks go as metadata and seed say."""
    with service().accounts.open(one_account()) as account:
        account.append(RulesChanged(()))
    return Response(status=204)


@control.get("/mails")
def mails() -> dict[str, Any]:
    """The mails that jobs caused when they ended, oldest first, and what became of each on its way out."""
    return {"mails": outbox(one_account())}


@control.get("/faults")
def faults() -> dict[str, Any]:
    """The fault rules of the account, and how often each was consumed."""
    return {"faults": service().faults.of(one_account())}


@control.post("/faults")
def add_fault() -> dict[str, Any]:
    """Ask for a fault: requests that fit its `match` are refused, or their answers broken."""
    try:
        return service().faults.add(one_account(), parse_json(raw_body())).to_json()
    except FaultError as error:
        raise bad_request(f"the fault was not taken: {error}", Detail(error.path, error.message)) from None


@control.delete("/faults")
def clear_faults() -> Response:
    """No faults any more."""
    service().faults.clear(one_account())
    return Response(status=204)


@control.post("/jobs/<jid>/tasks/<tid>")
def force_task(jid: str, tid: str) -> dict[str, Any]:
    """End a task: `{"status": "success"}`, or failed, preempted, killed, with an `exit_code` if you like."""
    body = _object_body(accepted=("status", "exit_code"))
    code = body.get("exit_code")
    if not isinstance(body.get("status"), str):
        raise _wrong("status", f"must be one of {', '.join(actions.FORCED)}")
    if code is not None and (isinstance(code, bool) or not isinstance(code, int) or not -255 <= code <= 255):
        raise _wrong("exit_code", f"must be a whole number from -255 to 255, got {str(code)[:40]!r}")
    with service().accounts.open(one_account()) as account:
        account.append(actions.force(account.state, jid, tid, body["status"], code))
        found = lookup.job(account.state, jid)
        return views.control_job(found, account.state.client_id, account.payload(found))


def _clock(state: State) -> dict[str, Any]:
    return {
        "now": iso(state.now_us),
        "now_us": state.now_us,
        "speed": state.clock.speed_millionths / ONE,
        "account": state.client_id,
    }


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


def _object_body(*, accepted: tuple[str, ...]) -> dict[str, Any]:
    body = parse_json(raw_body())
    if not isinstance(body, dict):
        raise bad_request(f"the body must be a JSON object with {', '.join(accepted)}")
    for name in body:
        if name not in accepted:
            raise _wrong(name, f"is not known here; accepted are {', '.join(accepted)}")
    return body


def _wrong(name: str, message: str) -> Refusal:
    return bad_request(f"{name[:80]} {message}", Detail(f"/{name[:80]}", message))
