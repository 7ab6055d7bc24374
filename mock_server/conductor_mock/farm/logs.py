"""The log of a task, written from its state: a simulated run leaves what a render node would print."""

from __future__ import annotations

import re
from typing import Any

from conductor_mock.farm.clock import SECOND, iso
from conductor_mock.farm.ids import draw, jid, tid
from conductor_mock.farm.state import Attempt, Job, State, Task

MASK = "***"

_SECRET = re.compile(r"(?i)(secret|token|password|passwd|private|credential|api_?key)")


def has_log(task: Task, now_us: int) -> bool:
    """Logs exist from `running` on (wire reference 7.2)."""
    return bool(task.attempts) and (len(task.attempts) > 1 or task.attempts[0].started_us <= now_us)


def lines(state: State, job: Job, index: int) -> list[str]:
    """Every line so far, of all attempts in order."""
    task = job.tasks[index]
    found: list[str] = []
    for number, attempt in enumerate(task.attempts):
        found += _attempt(state, job, index, number, attempt)
    return found


def answer(state: State, job: Job, index: int, known: int) -> dict[str, Any]:
    """The answer of `logs.get` (wire reference 2.10): the lines behind the first `known`, always one element."""
    task = job.tasks[index]
    new = lines(state, job, index)[known:]
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
    found = [
        f"{began} container {container_id(state, job, index, number)}, attempt {number + 1}",
        f"{began} instance {instance_name(job, index, number)} ({job.machine_of(attempt).name})",
        *(f"{began} {name}={_shown(name, value)}" for name, value in sorted(job.environment.items())),
        f"{began} $ {task.command}",
    ]
    until = state.now_us if attempt.ended_us is None else attempt.ended_us
    length = attempt.ends_us - attempt.started_us
    for percent in range(10, 100, 10):
        when = attempt.started_us + length * percent // 100
        if length and when < until:
            found.append(f"{iso(when)} {percent}%")
    if attempt.ended_us is not None:
        code = "" if attempt.exit_code is None else f", exit code {attempt.exit_code}"
        found.append(f"{iso(attempt.ended_us)} {attempt.outcome}{code}")
    return found


def _shown(name: str, value: str) -> str:
    return MASK if _SECRET.search(name) else value
