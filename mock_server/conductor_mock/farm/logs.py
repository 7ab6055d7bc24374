"""The log of a task, written from its state: a simulated run leaves what a render node would print.

The log of a run for real lies outside the farm, so it is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conductor_mock.farm.clock import SECOND, iso
from conductor_mock.farm.ids import draw, jid, tid
from conductor_mock.farm.state import Attempt, Execution, Job, State, Task
from conductor_mock.wire.masking import mask_variable

LogLines = Mapping[int, Sequence[str]]
"""The lines of each attempt that runs or ran for real, by its number (from 0)."""


def has_log(task: Task, now_us: int) -> bool:
    """Logs exist from `running` on (wire reference 7.2)."""
    return bool(task.attempts) and (len(task.attempts) > 1 or task.attempts[0].started_us <= now_us)


def executions(task: Task) -> dict[int, Execution]:
    """The attempts of a task that run or ran for real, by number (from 0), as copies."""
    return {
        number: Execution(attempt.execution.run, attempt.execution.log, attempt.execution.reason)
        for number, attempt in enumerate(task.attempts)
        if attempt.execution is not None
    }


def lines(state: State, job: Job, index: int, log_lines: LogLines) -> list[str]:
    """Every line so far, of all attempts in order."""
    task = job.tasks[index]
    every: list[str] = []
    for number, attempt in enumerate(task.attempts):
        if attempt.execution is None:
            every += _attempt(state, job, index, number, attempt)
        else:
            every += [*_begin(state, job, index, number, attempt), *log_lines.get(number, ())]
            if attempt.ended_us is not None and attempt.execution.run and attempt.execution.log is None:
                break  # its process is being ended, and may log more: lines are added, never put between
            every += _end(attempt)
    return every


def answer(state: State, job: Job, index: int, known: int, log_lines: LogLines) -> dict[str, Any]:
    """The answer of `logs.get` (wire reference 2.10): the lines behind the first `known`, always one element."""
    task = job.tasks[index]
    new = lines(state, job, index, log_lines)[known:]
    number = len(task.attempts) - 1
    return {
        "logs": [
            {
                "container_id": container_id(state, job, index, number),
                "instance_name": instance_name(job, index, number),
                "log": new,
                "timestamp": f"{task.attempts[-1].started_us / SECOND:.6f}",
            }
        ],
        "new_num_lines": [len(new)],
        "status_description": task.status,
        "task_status": task.status,
    }


def container_id(state: State, job: Job, index: int, attempt: int) -> str:
    """Twelve hexadecimal digits, as containers are called; the same in every replay."""
    return f"{draw(state.options.seed, job.number, index, attempt, 'container') >> 16:012x}"


def instance_name(job: Job, index: int, attempt: int) -> str:
    return f"render-{jid(job.number)}-{tid(index)}-{attempt + 1}"


def _attempt(state: State, job: Job, index: int, number: int, attempt: Attempt) -> list[str]:
    task = job.tasks[index]
    if attempt.started_us > state.now_us:
        return []  # its instance is booting
    began = iso(attempt.started_us)
    lines_ = [
        *_begin(state, job, index, number, attempt),
        *(f"{began} {name}={mask_variable(name, value)}" for name, value in sorted(job.environment.items())),
        f"{began} $ {task.command}",
    ]
    until = state.now_us if attempt.ended_us is None else attempt.ended_us
    length = (attempt.ends_us or attempt.started_us) - attempt.started_us
    for percent in range(10, 100, 10):
        when = attempt.started_us + length * percent // 100
        if length and when < until:
            lines_.append(f"{iso(when)} {percent}%")
    return [*lines_, *_end(attempt)]


def _begin(state: State, job: Job, index: int, number: int, attempt: Attempt) -> list[str]:
    began = iso(attempt.started_us)
    return [
        f"{began} container {container_id(state, job, index, number)}, attempt {number + 1}",
        f"{began} instance {instance_name(job, index, number)} ({job.machine_of(attempt).name})",
    ]


def _end(attempt: Attempt) -> list[str]:
    if attempt.ended_us is None:
        return []
    code = "" if attempt.exit_code is None else f", exit code {attempt.exit_code}"
    why = f": {attempt.execution.reason}" if attempt.execution and attempt.execution.reason else ""
    return [f"{iso(attempt.ended_us)} {attempt.outcome}{code}{why}"]
