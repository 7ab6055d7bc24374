"""The life of a task: the only code that changes a task's status, and what a job's status is made of."""

from __future__ import annotations

from conductor_mock.farm.state import DELIVERED, ENDED, READY, Attempt, Download, Job, Task


def add(job: Job, task: Task) -> None:
    """Give a new job one more task."""
    job.tasks.append(task)
    job.counts[task.status] += 1


def move(job: Job, task: Task, status: str) -> None:
    """Put a task into another status."""
    job.counts[task.status] -= 1
    task.status = status
    job.counts[status] += 1


def begin(job: Job, task: Task, now_us: int) -> None:
    """A new attempt starts; what an earlier one left is gone."""
    task.attempts.append(Attempt(now_us))
    task.outputs = None
    task.download = None
    move(job, task, "running")


def end(job: Job, task: Task, now_us: int, outcome: str, exit_code: int | None) -> None:
    """The attempt that runs ends as `outcome`: success, failed, preempted or killed."""
    attempt = task.attempts[-1]
    attempt.ended_us, attempt.outcome, attempt.exit_code = now_us, outcome, exit_code
    if outcome == "success":
        task.download = Download()
    move(job, task, outcome)


def restart(job: Job, task: Task) -> None:
    """An ended task waits for its next attempt, from the beginning."""
    task.outputs = None
    task.download = None
    move(job, task, "pending")


def job_status(job: Job) -> str:
    """A job's status, from its phase and its tasks; the first line that fits counts.

    ==========================================  =====================
    the files are not in place                  the phase
    no tasks (an upload-only job)               success
    a task runs                                 running
    a task is pending                           pending
    a task is held                              holding
    every task has ended, and one was killed    killed
    ... one failed                              failed
    ... one was preempted                       preempted
    ... every one is reviewed                   reviewed
    ... every one is downloaded or reviewed     downloaded
    ... else                                    success
    ==========================================  =====================

    Statuses are those of wire reference 7.1; their order is inferred.
    """
    if job.phase != READY:
        return job.phase
    if not job.tasks:
        return "success"
    for status in ("running", "pending", "holding", "killed", "failed", "preempted"):
        if job.counts[status]:
            return status
    if job.counts["success"]:
        return "success"
    return "downloaded" if job.counts["downloaded"] else "reviewed"


def job_has_ended(job: Job) -> bool:
    """Whether nothing more happens to the job without an action."""
    return job_status(job) in ENDED


def description(job: Job) -> str:
    """Why a job is in its status, in words."""
    if job.phase != READY:
        return job.note
    counts = job.counts
    if not job.tasks:
        return "upload only: there is nothing to render"
    delivered = sum(counts[status] for status in DELIVERED)
    words = {
        "running": f"{counts['running']} of {len(job.tasks)} tasks are running",
        "pending": f"{counts['pending']} of {len(job.tasks)} tasks wait for machines",
        "holding": f"{counts['holding']} of {len(job.tasks)} tasks are held",
        "failed": f"{counts['failed']} of {len(job.tasks)} tasks failed",
        "preempted": f"{counts['preempted']} of {len(job.tasks)} tasks were preempted",
        "killed": f"{counts['killed']} of {len(job.tasks)} tasks were killed",
    }
    return words.get(job_status(job), f"{delivered} of {len(job.tasks)} tasks succeeded")
