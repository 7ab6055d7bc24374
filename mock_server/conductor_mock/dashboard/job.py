"""One job: what it waits for, its tasks, and everything that is known of it."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conductor_contracts.problems import count
from conductor_mock.catalog import Catalog
from conductor_mock.context import service
from conductor_mock.control.selection import existing_account
from conductor_mock.dashboard import jobs, payload
from conductor_mock.dashboard.acting import Button, buttons_of_job
from conductor_mock.dashboard.shown import Slice, is_renewal, link_parts, offered, show, slice_of, span
from conductor_mock.dashboard.timeline import Timeline, timeline
from conductor_mock.farm import lookup, tasks
from conductor_mock.farm.clock import iso
from conductor_mock.farm.holds import hold_of
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.payload import UploadFile, read
from conductor_mock.farm.simulation import most_instances
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.statuses import DELIVERED, JobStatus, TaskStatus
from conductor_mock.mailing.text import body, subject
from conductor_mock.wire.masking import mask_variable

CELLS = 500
MOST_EVENTS = 100
MOST_UPLOADS = 200
MOST_PICTURES = 12
MOST_MAILS = 20


@dataclass(frozen=True, slots=True)
class Waits:
    """What a job waits for, as a sentence, and the command that makes it go on where there is one."""

    sentence: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A task in the grid."""

    tid: str
    frames: str
    status: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job."""

    time: str
    text: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What the page shows of the state, taken while it could not change."""

    account: str
    row: jobs.JobRow
    waits: Waits
    buttons: tuple[Button, ...]
    machine: str | None
    """The instance type that another one may be chosen instead of; None where it has ended."""
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    legend: tuple[tuple[str, int], ...]
    cells: Slice[Cell]
    pictures: tuple[Cell, ...]
    events: tuple[Event, ...]
    more_events: int
    mails: tuple[Mapping[str, Any], ...]
    more_mails: int
    timeline: Timeline | None


def job(jid: str) -> str:
    """The page of a job. Refuses (404) one that there is not."""
    account_id = existing_account()
    with service().accounts.open(account_id) as account:
        found = lookup.job(account.state, jid)
        seen, received = _seen(account.state, found), account.payload(found)
    catalog = offered()
    return show(
        "job.html",
        account=seen.account,
        job=seen.row,
        waits=seen.waits,
        buttons=seen.buttons,
        machine=seen.machine,
        machines=[record["name"] for record in catalog.instance_types] if seen.machine is not None else (),
        facts=seen.facts,
        warnings=seen.warnings,
        legend=seen.legend,
        cells=seen.cells.items,
        slice=seen.cells,
        pictures=seen.pictures,
        events=seen.events,
        more_events=seen.more_events,
        mails=seen.mails,
        more_mails=seen.more_mails,
        timeline=seen.timeline,
        task_link=link_parts(f"/jobs/{seen.row.jid}"),
        **({} if is_renewal() else _lasting(account_id, received, seen.warnings, catalog)),
    )


def _lasting(
    account_id: str, received: Mapping[str, Any], warnings: Sequence[str], catalog: Catalog
) -> dict[str, Any]:
    """What is not live on the page: it stays as it is."""
    submission = read(dict(received))
    files = submission.files[:MOST_UPLOADS]
    return {
        "environment": payload.environment(submission, catalog),
        "payload": payload.lines(received, warnings),
        "read_as": payload.read_as(submission, catalog),
        "uploads": _uploads(account_id, files),
        "more_uploads": len(submission.files) - len(files),
    }


def waits_for(state: State, job_: Job) -> Waits:
    """What a job waits for, or how it ended."""
    hold = hold_of(state, job_)
    if hold is not None:
        sentence = hold.reason[0].upper() + hold.reason[1:]
        return Waits(f"{sentence}.", hold.command)
    told = tasks.description(job_)
    sentence = told[:1].upper() + told[1:]
    waiting = job_.counts[TaskStatus.PENDING]
    if tasks.job_status(job_) in (JobStatus.PENDING, JobStatus.RUNNING) and waiting:
        limit = most_instances(state)
        if job_.max_instances and job_.active >= job_.max_instances:
            most = count(job_.max_instances, "machine")
            sentence += f"; {_waiting(waiting)}, since the job may have {most} at once"
        elif limit and state.active >= limit:
            sentence += f"; {_waiting(waiting)}, since the fleet of {limit} is full"
        elif job_.active > job_.counts[TaskStatus.RUNNING]:
            booting = job_.active - job_.counts[TaskStatus.RUNNING]
            sentence += f"; {count(booting, 'machine')} {'is' if booting == 1 else 'are'} booting"
    return Waits(f"{sentence}.")


def _waiting(number: int) -> str:
    return f"{count(number, 'task')} {'waits' if number == 1 else 'wait'}"


def _seen(state: State, job_: Job) -> Seen:
    cells = slice_of(range(len(job_.tasks)), CELLS)
    shown = [_cell(job_, index) for index in cells.items]
    delivered = (index for index, task in enumerate(job_.tasks) if task.status in DELIVERED and task.download)
    happened = list(_happened(state, job_))
    events = heapq.nlargest(MOST_EVENTS, happened)
    sent = [mail for mail in state.outbox if mail.job == job_.number]
    return Seen(
        account=state.client_id,
        row=jobs.row(state, job_),
        waits=waits_for(state, job_),
        buttons=buttons_of_job(job_),
        machine=None if tasks.job_has_ended(job_) else job_.machine.name,
        facts=tuple(_facts(state, job_)),
        warnings=job_.warnings,
        legend=tuple((status.value, job_.counts[status]) for status in jobs.ORDER if job_.counts[status]),
        cells=Slice(shown, cells.page, cells.pages, cells.total, cells.first, cells.last),
        pictures=tuple(_cell(job_, index) for index, _ in zip(delivered, range(MOST_PICTURES), strict=False)),
        events=tuple(_event(job_, one) for one in events),
        more_events=len(happened) - len(events),
        mails=tuple(
            {
                "time": iso(mail.t_us),
                "to": mail.to,
                "subject": subject(state, mail),
                "text": body(state, mail),
            }
            for mail in sent[-MOST_MAILS:]
        ),
        more_mails=max(0, len(sent) - MOST_MAILS),
        timeline=timeline(state, job_, range(cells.first - 1, cells.last) if cells.total else range(0)),
    )


def _cell(job_: Job, index: int) -> Cell:
    return Cell(tid(index), job_.tasks[index].frames, job_.tasks[index].status)


def _facts(state: State, job_: Job) -> Iterator[tuple[str, str]]:
    row = jobs.row(state, job_)
    ended = job_.ended_us
    yield "Project", job_.project
    yield "User", job_.owner
    yield "Machine", job_.machine.name + (", preemptible" if job_.preemptible else "")
    yield "Priority", str(job_.priority)
    yield "Created", row.created
    yield "Ended", iso(ended) if ended is not None else "not yet"
    yield "Took" if ended is not None else "Age", span((ended or state.now_us) - job_.created_us)
    yield "Average task", row.average
    yield "Cost", row.cost
    yield "Output path", job_.output_path
    if job_.location:
        yield "Location", job_.location
    if job_.max_instances:
        yield "Most machines at once", str(job_.max_instances)
    if job_.retries:
        yield (
            "Started again after",
            ", ".join(f"{outcome} ({count})" for outcome, count in job_.retries.items()),
        )
    for name, value in job_.metadata.items():
        yield f"Metadata {name}", mask_variable(name, str(value))


_Happened = tuple[int, int, int, int, str]
"""When, what kind of thing (`_SAYS`), of which task and attempt (from 1), and a detail."""

_SAYS = (
    "{detail} submitted the job",
    "The job is {detail}",
    "Task {tid}{again} started",
    "Task {tid}{again} ended: {detail}",
    "Task {tid} was put to {detail}",
    "Nothing more is to happen",
)
"""Events in words, those that come first at one time before the others."""

_ENDED = 3


def _happened(state: State, job_: Job) -> Iterator[_Happened]:
    """Everything that happened to a job, in no order; a big job has thousands, so no words are made yet."""
    yield job_.created_us, 0, 0, 0, job_.owner or "Somebody"
    before = None
    for when, phase in job_.phases:
        if phase != before:
            yield when, 1, 0, 0, phase.value.replace("_", " ")
        before = phase
    for index, task in enumerate(job_.tasks):
        for number, attempt in enumerate(task.attempts, 1):
            if attempt.started_us <= state.now_us:
                yield attempt.started_us, 2, index, number, ""
            if attempt.ended_us is not None:
                yield attempt.ended_us, 3, index, number, attempt.outcome
        for when, status in task.marks or ():
            yield when, 4, index, 0, status
    if job_.ended_us is not None:
        yield job_.ended_us, 5, 0, 0, ""


def _event(job_: Job, happened: _Happened) -> Event:
    when, kind, index, number, detail = happened
    if kind == _ENDED:
        code = job_.tasks[index].attempts[number - 1].exit_code
        detail += "" if code is None else f" with exit code {code}"
    again = f", attempt {number}," if number > 1 else ""
    return Event(iso(when), _SAYS[kind].format(tid=tid(index), again=again, detail=detail))


def _uploads(account_id: str, files: Sequence[UploadFile]) -> list[dict[str, str | None]]:
    held = service().contents.held(account_id, [file.md5 for file in files if file.md5])
    return [
        {
            "path": file.path,
            "md5": file.md5,
            "stored": "unknown" if not file.md5 else "yes" if file.md5 in held else "no",
        }
        for file in files
    ]


def title_of(job_: Job) -> dict[str, str]:
    """What the pages below a job's say of it."""
    return {"jid": jid(job_.number), "title": job_.title}
