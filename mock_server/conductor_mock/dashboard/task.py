"""One task: its command, its attempts, its outputs and what it said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conductor_mock.api.logs import NoLogError, log_of
from conductor_mock.context import service
from conductor_mock.control.selection import existing_account
from conductor_mock.dashboard.acting import buttons_of_task, forced_ends
from conductor_mock.dashboard.job import title_of
from conductor_mock.dashboard.shown import money, show, size_text, span
from conductor_mock.dashboard.thumbnails import output_paths
from conductor_mock.farm import billing, ids, lookup, views
from conductor_mock.farm.clock import iso
from conductor_mock.farm.state import Attempt, Job, State
from conductor_mock.farm.statuses import Outcome
from conductor_mock.wire.masking import mask_text

LOG_LINES = 500
MOST_OUTPUTS = 24

WHY: Mapping[Outcome, str] = {
    Outcome.RUNNING: "it is under way",
    Outcome.SUCCESS: "the command ended well",
    Outcome.PREEMPTED: "the machine was taken away",
    Outcome.KILLED: "somebody ended it",
    Outcome.HOLDING: "it was held while its machine booted",
    Outcome.LOST: "its server ended, and it was started again",
    Outcome.STOPPED: "its server was asked to stop, and it was started again",
}


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt of a task."""

    number: int
    outcome: str
    why: str
    machine: str
    assigned: str
    started: str | None
    ended: str | None
    exit_code: int | None
    ran: str
    cost: str


def task(jid: str, tid: int) -> str:
    """The page of a task. Refuses (404) one that there is not."""
    account_id = existing_account()
    with service().accounts.open(account_id) as account:
        state = account.state
        job = lookup.job(state, jid)
        index, found = lookup.task(job, ids.tid(tid))
        name = state.client_id
        about = {
            "tid": ids.tid(index),
            "frames": found.frames,
            "status": found.status,
            "scout": found.scout,
            "command": mask_text(found.command),
        }
        attempts = [_attempt(state, job, n, one) for n, one in enumerate(found.attempts, 1)]
        facts = (
            ("Ran", span(views.runtime_us(found, state.now_us))),
            ("Cost", money(billing.task_cost(job, found, state.now_us))),
            ("Download", found.download.status if found.download else "nothing to download"),
        )
        of_job = title_of(job)
        buttons, ends = buttons_of_task(job, found), forced_ends(job, found)
    outputs = output_paths(account_id, jid, ids.tid(tid))
    lines, note = log_lines(account_id, jid, ids.tid(tid))
    return show(
        "task.html",
        account=name,
        job=of_job,
        task=about,
        buttons=buttons,
        ends=ends,
        attempts=attempts,
        facts=facts,
        outputs=[
            {"path": path, "size": "" if size is None else size_text(size)}
            for path, size in outputs[:MOST_OUTPUTS]
        ],
        more_outputs=max(0, len(outputs) - MOST_OUTPUTS),
        lines=lines[-LOG_LINES:],
        skipped=max(0, len(lines) - LOG_LINES),
        note=note,
    )


def log(jid: str, tid: int) -> str:
    """What a task said so far, or that it never ran."""
    account_id = existing_account()
    with service().accounts.open(account_id) as account:
        job = lookup.job(account.state, jid)
        index, _ = lookup.task(job, ids.tid(tid))
        names = {"jid": ids.jid(job.number), "tid": ids.tid(index), "account": account.state.client_id}
    lines, note = log_lines(account_id, jid, ids.tid(tid))
    return show("log.html", lines=lines, note=note, **names)


def log_lines(account_id: str, jid: str, tid: str) -> tuple[list[str], str]:
    """The lines of a task's log, or none and why."""
    try:
        (part,) = log_of(account_id, jid, tid, 0)["logs"]
    except NoLogError as error:
        return [], str(error)
    return [mask_text(line) for line in part["log"]], ""


def _attempt(state: State, job: Job, number: int, attempt: Attempt) -> AttemptRow:
    ended_us = state.now_us if attempt.ended_us is None else attempt.ended_us
    booting = attempt.started_us > state.now_us
    return AttemptRow(
        number=number,
        outcome=attempt.outcome,
        why="its machine boots" if booting else _why(attempt),
        machine=job.machine_of(attempt).name,
        assigned=iso(attempt.assigned_us),
        started=None if booting else iso(attempt.started_us),
        ended=None if attempt.ended_us is None else iso(attempt.ended_us),
        exit_code=attempt.exit_code if attempt.ended_us is not None else None,
        ran=span(max(0, ended_us - attempt.started_us)),
        cost=money(billing.attempt_cost(job, attempt, state.now_us)),
    )


def _why(attempt: Attempt) -> str:
    if attempt.execution is not None and attempt.execution.reason:
        return attempt.execution.reason
    if attempt.outcome == Outcome.FAILED:
        code = attempt.exit_code
        return "it failed" if code is None else f"the command ended with exit code {code}"
    return WHY.get(attempt.outcome, "")
