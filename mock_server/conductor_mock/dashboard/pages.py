"""Courtesy pages: `/` lists the jobs, `/jobs/JID` and `/job/JID` (wire reference 2.8) show one, `/jobs/JID/TID/log` the
log of a task of it (wire reference 12.15).
"""

from __future__ import annotations

from flask import Blueprint, render_template, request

from conductor_mock.api.doors import page_guard, page_headers
from conductor_mock.api.logs import NoLogError, log_of
from conductor_mock.context import service
from conductor_mock.control.outbox import outbox
from conductor_mock.control.selection import existing_account, existing_accounts, state_to_show
from conductor_mock.farm import ids, lookup, views
from conductor_mock.version import version

pages = Blueprint("pages", __name__)
pages.before_request(page_guard)
pages.after_request(page_headers)


@pages.get("/")
def index() -> str:
    """The jobs of an account, newest first."""
    with state_to_show() as state:
        jobs = [views.job_record(state, job) for job in reversed(state.jobs.values())]
        return render_template("index.html", jobs=jobs, account=state.client_id, **_common())


@pages.get("/jobs/<jid>")
@pages.get("/job/<jid>")
def job(jid: str) -> str:
    """One job and its tasks."""
    with service().accounts.open(existing_account()) as account:
        found = lookup.job(account.state, jid)
        record = views.client_job(account.state, found)
        return render_template(
            "job.html", job=record, warnings=found.warnings, account=account.state.client_id, **_common()
        )


@pages.get("/jobs/<jid>/<tid>/log")
def log(jid: str, tid: str) -> str:
    """What a task said so far, or that it never ran."""
    account_id = existing_account()
    with service().accounts.open(account_id) as account:
        found = lookup.job(account.state, jid)
        index, _ = lookup.task(found, tid)
        names = {"jid": ids.jid(found.number), "tid": ids.tid(index), "account": account.state.client_id}
    try:
        (part,) = log_of(account_id, jid, tid, 0)["logs"]
        lines, note = part["log"], ""
    except NoLogError as error:
        lines, note = [], str(error)
    return render_template("log.html", lines=lines, note=note, **names, **_common())


@pages.get("/mails")
def mails() -> str:
    """The outbox of an account, newest first, and what became of each mail."""
    with state_to_show() as state:
        name = state.client_id
    sent = [mail for account_id in existing_accounts() for mail in reversed(outbox(account_id))]
    return render_template("mails.html", mails=sent, account=name, **_common())


def _common() -> dict[str, object]:
    return {"version": version(), "chosen": request.args.get("account")}
