"""What a job looked like at an earlier time, read from what it keeps: no log is replayed (design, rule 10)."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import NamedTuple

from conductor_mock.farm import tasks
from conductor_mock.farm.clock import iso
from conductor_mock.farm.refusals import InvalidRequestError
from conductor_mock.farm.state import Job, State, Task
from conductor_mock.farm.statuses import NO_FAULT_OF_ITS_OWN, STATUS_AFTER, JobStatus, TaskStatus

_OF_WAITING_TASKS = (TaskStatus.HOLDING, TaskStatus.KILLED)
"""What is done to a task that waits; one that has ended is started again, reviewed or brought home."""


def job_status_at(state: State, job: Job, t_us: int) -> tuple[JobStatus, list[TaskStatus]]:
    """The status of a job, and of each of its tasks. Raises InvalidRequestError for a time beyond its life so far."""
    if not job.created_us <= t_us <= state.now_us:
        span = f"from the creation of the job, {iso(job.created_us)}, to now, {iso(state.now_us)}"
        raise InvalidRequestError(f"at must be a time {span}", "at")
    phase = next(phase for when, phase in reversed(job.phases) if when <= t_us)
    has_scouts = any(task.scout for task in job.tasks)
    statuses = [_status_at(task, t_us, has_scouts=has_scouts) for task in job.tasks]
    return tasks.status_of(phase, Counter(statuses)), statuses


def _status_at(task: Task, t_us: int, *, has_scouts: bool) -> TaskStatus:
    status = TaskStatus.HOLDING if has_scouts and not task.scout else TaskStatus.PENDING
    for when, what in _changes(task):
        if when > t_us:
            break
        status = what
    return status


def _changes(task: Task) -> Iterator[tuple[int, TaskStatus]]:
    """Every change of a task's status in the order in which they happened: those that its attempts are, and its marks.

    What became of a task when an attempt ended is not noted: it waits again if what comes next shows it.
    """
    marks = _counted_marks(task)
    for number, attempt in enumerate(task.attempts):
        while marks and marks[0].after <= number:
            yield marks.popleft().change
        yield attempt.started_us, TaskStatus.RUNNING
        if attempt.ended_us is None:
            break
        if marks and marks[0].after <= number + 1:
            waits = marks[0].change[1] in _OF_WAITING_TASKS
        else:
            waits = number + 1 < len(task.attempts) or task.status == TaskStatus.PENDING
        again = waits or attempt.outcome in NO_FAULT_OF_ITS_OWN
        yield attempt.ended_us, TaskStatus.PENDING if again else STATUS_AFTER[attempt.outcome]
    yield from (mark.change for mark in marks)


class _Mark(NamedTuple):
    """A change of status that no attempt shows, and how many attempts came before it."""

    change: tuple[int, TaskStatus]
    after: int


def _counted_marks(task: Task) -> deque[_Mark]:
    """The marks of a task. One of which the number of attempts was not noted came after those that had ended by then: a
    task whose attempt is under way is not marked."""
    marks, noted = task.marks or [], task.marked_after or []
    guessed = [
        sum(attempt.ended_us is not None and attempt.ended_us <= when for attempt in task.attempts)
        for when, _ in marks[: len(marks) - len(noted)]
    ]
    return deque(map(_Mark, marks, [*guessed, *noted]))
