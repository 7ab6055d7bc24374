"""The log of a task, written from its state: a simulated run leaves what a render node would print."""

from __future__ import annotations

from typing import Any

from conductor_mock.farm.clock import SECOND, iso
from conductor_mock.farm.ids import draw, jid, tid
from conductor_mock.farm.state import Attempt, Job, State, Task


def has_log(task: Task) -> bool:
    """Logs exist from `running` on (wire reference 7.2)."""
    return bool(task.attempts)


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
    began = iso(attempt.started_us)
    found = [
        f"{began} container {container_id(state, job, index, number)}, attempt {number + 1}",
        f"{began} instance {instance_name(job, index, number)} ({job.machine.name})",
        f"{began} $ {task.command}",
    ]
    if attempt.ended_us is not None:
        code = "" if attempt.exit_code is None else f", exit code {attempt.exit_code}"
        found.append(f"{iso(attempt.ended_us)} {attempt.outcome}{code}")
    return found
