"""State as JSON and back: the form of a snapshot. A file format: what an older version wrote stays readable.

`write` makes one JSON object of a state. A snapshot on disk is the same in parts, one JSON value each, so that an
account of a million tasks is never in memory twice, nor anybody held up while one large value is made: the account,
then each job with the number of its tasks, followed by these in blocks.

Tasks are by far the most, so each is a list in which trailing values that are the usual ones are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from conductor_mock.farm import leases, queues, simulation
from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.state import (
    TASK_STATUSES,
    Attempt,
    Download,
    Execution,
    Job,
    Lease,
    Mail,
    State,
    Task,
    Upload,
)
from conductor_mock.farm.values import Machine, Options, OutputFile

Json = dict[str, Any]

FORMAT = 3
"""Rises when the form changes; `read` then takes the older ones too. Format 1 was never in parts, format 2 knew no
tasks that run for real."""

BLOCK = 1000
"""Tasks in one part."""

_PLAIN = (
    "number", "seq", "created_us", "title", "owner", "project", "location", "output_path", "priority", "preemptible",
    "local_upload", "metadata", "environment", "upload_files", "upload_size", "phase", "note", "max_instances",
    "scouts_left", "ran_us", "ended_us", "syncs", "synced_us",
)  # fmt: skip
_ONE: Mapping[str, str] = {status: status for status in TASK_STATUSES}
_ATTEMPT = ("assigned_us", "started_us", "ends_us", "planned", "exit_code", "ended_us", "outcome")
_REAL = len(_ATTEMPT) + 1
"""Where an attempt that runs for real has what is known of that; the machine comes before."""


class SnapshotError(ValueError):
    """A snapshot that a newer version wrote."""


def write(state: State) -> Json:
    """The snapshot of `state` as one object; `read` gives an equal state back."""
    jobs = [{**_job(job), "tasks": [_task(task) for task in job.tasks]} for job in state.jobs.values()]
    return {**_account(state), "jobs": jobs}


def read(data: Json) -> State:
    """The state of a snapshot that is one object. Raises SnapshotError."""
    return read_parts([data])


def write_parts(state: State) -> Iterator[Any]:
    """The snapshot of `state` in parts, which must be taken before the state changes again."""
    yield _account(state)
    for job in state.jobs.values():
        yield {**_job(job), "tasks": len(job.tasks)}
        for start in range(0, len(job.tasks), BLOCK):
            yield [_task(task) for task in job.tasks[start : start + BLOCK]]


def read_parts(parts: Iterable[Any]) -> State:
    """The state of a snapshot in parts, or in one that is the whole. Raises SnapshotError."""
    rest = iter(parts)
    account = next(rest)
    if account["format"] > FORMAT:
        raise SnapshotError(f"the snapshot has format {account['format']}, this version reads {FORMAT}")
    state = _read_account(account)
    whole = "jobs" in account
    for data in account["jobs"] if whole else rest:
        job = _read_job(data)
        for block in [data["tasks"]] if whole else _blocks(data["tasks"], rest):
            job.tasks += [_read_task(task) for task in block]
        job.counts.update(task.status for task in job.tasks)
        state.jobs[job.number] = job
    leases.rebuild(state)
    queues.rebuild(state)
    simulation.rebuild(state)
    return state


def _blocks(count: int, rest: Iterator[Any]) -> Iterator[Any]:
    """The parts that hold the next `count` tasks."""
    while count > 0:
        block = next(rest)
        count -= len(block)
        yield block


def _account(state: State) -> Json:
    return {
        "format": FORMAT,
        "client_id": state.client_id,
        "account_id": state.account_id,
        "key_sha256": state.key_sha256,
        "options": state.options.to_json(),
        "clock": state.clock.to_json(),
        "opened_us": state.opened_us,
        "now_us": state.now_us,
        "seq": state.seq,
        "catalog_seq": state.catalog_seq,
        "rules": list(state.rules),
        "outbox": [[mail.t_us, mail.job, mail.status, list(mail.to)] for mail in state.outbox],
        "keys": {key: list(made) for key, made in state.keys.items()},
    }


def _read_account(data: Json) -> State:
    return State(
        client_id=data["client_id"],
        account_id=data["account_id"],
        key_sha256=data["key_sha256"],
        options=Options.from_json({"execute": 0, **data["options"]}),
        clock=Anchor.from_json(data["clock"]),
        opened_us=data["opened_us"],
        now_us=data["now_us"],
        seq=data["seq"],
        catalog_seq=data["catalog_seq"],
        rules=tuple(data["rules"]),
        keys={key: (body, job) for key, (body, job) in data.get("keys", {}).items()},  # none before 0.2
        outbox=[Mail(t_us, job, status, tuple(to)) for t_us, job, status, to in data["outbox"]],
    )


def _job(job: Job) -> Json:
    return {
        **{name: getattr(job, name) for name in _PLAIN},
        "machine": asdict(job.machine),
        "warnings": list(job.warnings),
        "retries": dict(job.retries),
        "notify": list(job.notify),
        "phases": job.phases,
        "upload": None if job.upload is None else asdict(job.upload),
        **({"former_machines": list(map(asdict, job.former_machines))} if job.former_machines else {}),
        **({"lost": job.lost} if job.lost else {}),
    }


def _read_job(data: Json) -> Job:
    return Job(
        **{name: data[name] for name in _PLAIN},
        machine=Machine(**data["machine"]),
        warnings=tuple(data["warnings"]),
        retries=data["retries"],
        notify=tuple(data["notify"]),
        phases=[(t_us, phase) for t_us, phase in data["phases"]],
        upload=None if data["upload"] is None else _read_upload(data["upload"]),
        tasks=[],
        former_machines=[Machine(**machine) for machine in data.get("former_machines", ())],
        lost=data.get("lost", 0),
    )


def _task(task: Task) -> list[Any]:
    values: list[Any] = [
        task.command,
        task.frames,
        task.status,
        task.scout,
        [_attempt(attempt) for attempt in task.attempts] or None,
        task.tries_from,
        task.marks,
        None
        if task.outputs is None
        else [[file.relative_path, file.md5, file.size] for file in task.outputs],
        None if task.download is None else _download(task.download),
    ]
    while values[-1] in (None, False, 0, ""):  # what is usual is left out
        values.pop()
    return values


def _attempt(attempt: Attempt) -> list[Any]:
    """Its fields in their order; the machine only where it is not the job's first, or where it ran for real."""
    values = [getattr(attempt, name) for name in _ATTEMPT]
    real = attempt.execution
    if real is not None:
        return [*values, attempt.machine, [real.run, real.log, real.reason]]
    return [*values, attempt.machine] if attempt.machine else values


def _read_task(values: list[Any]) -> Task:
    command, frames, status, scout, attempts, tries_from, marks, outputs, download = values + [None] * (
        9 - len(values)
    )
    return Task(
        command,
        frames or "",
        _ONE.get(status, status),
        bool(scout),
        tuple(_read_attempt(attempt) for attempt in attempts or ()),
        tries_from or 0,
        None if marks is None else [tuple(one) for one in marks],
        None if outputs is None else tuple(OutputFile(*file) for file in outputs),
        None if download is None else _read_download(download),
    )


def _read_attempt(values: list[Any]) -> Attempt:
    """An attempt, which shares with others what they have in common: there may be millions."""
    real = values[_REAL] if len(values) > _REAL else None
    attempt = Attempt(*values[:_REAL])
    attempt.execution = None if real is None else Execution(*real)
    attempt.planned = _ONE.get(attempt.planned, attempt.planned)
    attempt.outcome = _ONE.get(attempt.outcome, attempt.outcome)
    if attempt.ended_us == attempt.ends_us:
        attempt.ended_us = attempt.ends_us
    return attempt


def _download(download: Download) -> Json | str:
    """What most are, outputs that nobody asked for yet, is a text: their status."""
    if download == Download():
        return download.status
    return {
        "status": download.status,
        "lease": None if download.lease is None else asdict(download.lease),
        "bytes_downloaded": download.bytes_downloaded,
        "given": sorted(download.given),
        "done": sorted(download.done),
    }


def _read_download(data: Json | str) -> Download:
    if isinstance(data, str):
        return Download(data)
    return Download(
        data["status"],
        _read_lease(data["lease"]),
        data["bytes_downloaded"],
        frozenset(data["given"]),
        frozenset(data["done"]),
    )


def _read_upload(data: Json) -> Upload:
    return Upload(data["status"], _read_lease(data["lease"]), data["bytes_to_send"], data["bytes_sent"])


def _read_lease(data: Json | None) -> Lease | None:
    return None if data is None else Lease(**data)
