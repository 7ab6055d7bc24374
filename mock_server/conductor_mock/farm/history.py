"""What a job looked like at an earlier time, read from what it keeps: no log is replayed (design, rule 10)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from conductor_mock.farm import tasks
from conductor_mock.farm.clock import iso
from conductor_mock.farm.refusals import InvalidRequestError
from conductor_mock.farm.state import Job, State, Task
from conductor_mock.farm.statuses import NO_FAULT_OF_ITS_OWN, STATUS_AFTER, JobStatus, TaskStatus


def task_status_at(job: Job, task: Task, t_us: int) -> TaskStatus:
    """The status of a task at a time after its job was created."""
    status = _first_status(job, task)
    for when, what in sorted(_changes(task), key=lambda change: change[0]):
        if when > t_us:
            break
        status = what
    return status


def job_status_at(state: State, job: Job, t_us: int) -> tuple[JobStatus, list[TaskStatus]]:
    """The status of a job, and of each of its tasks. Raises InvalidRequestError for a time beyond its life so far."""
    if not job.created_us <= t_us <= state.now_us:
        span = f"from the creation of the job, {iso(job.created_us)}, to now, {iso(state.now_us)}"
        raise InvalidRequestError(f"at must be a time {span}", "at")
    phase = next(phase for when, phase in reversed(job.phases) if when <= t_us)
    statuses = [task_status_at(job, task, t_us) for task in job.tasks]
    return tasks.status_of(phase, Counter(statuses)), statuses


def _first_status(job: Job, task: Task) -> TaskStatus:
    has_scouts = any(other.scout for other in job.tasks)
    return TaskStatus.HOLDING if has_scouts and not task.scout else TaskStatus.PENDING


def _changes(task: Task) -> Iterator[tuple[int, TaskStatus]]:
    marks = task.marks or []
    for number, attempt in enumerate(task.attempts):
        yield attempt.started_us, TaskStatus.RUNNING
        if attempt.ended_us is None:
            break
        later = task.attempts[number + 1].assigned_us if number + 1 < len(task.attempts) else None
        started_again = later is not None and not any(attempt.ended_us <= when <= later for when, _ in marks)
        waits = (
            later is None
            and task.status == TaskStatus.PENDING
            and not any(when >= attempt.ended_us for when, _ in marks)
        )
        again = started_again or waits or attempt.outcome in NO_FAULT_OF_ITS_OWN
        yield attempt.ended_us, TaskStatus.PENDING if again else STATUS_AFTER[attempt.outcome]
    yield from marks
