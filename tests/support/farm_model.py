"""A second farm, small and slow, to hold the real one against: lists that are looked through, time in whole seconds.

It shares no code with the server and no idea of how it works inside; what it knows is in docs/reference/server.md and
docs/architecture.md. How tasks go is told to it, as jobs of the tests tell it to the server in their metadata.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

BOOT, SYNC = 60, 5
UPLOAD_LEASE, DOWNLOAD_LEASE = 120, 3600

OVER = ("success", "downloaded", "failed", "preempted", "killed", "reviewed")
DONE = ("success", "downloaded", "reviewed")
NEVER_BEGAN = ("failed", "killed")
"""Phases of a job that ended before its files were there."""

WAITS_FOR_FILES = ("upload_pending", "uploading", "syncing", "sync_failed")

ACTIONS = {
    "kill": (("pending", "holding", "running"), "killed"),
    "hold": (("pending",), "holding"),
    "unhold": (("holding",), "pending"),
    "release_scouts": (("holding",), "pending"),
    "retry": (OVER, "pending"),
    "retry_failed": (("failed",), "pending"),
    "retry_preempted": (("preempted",), "pending"),
    "retry_sync": ((), ""),
    "reviewed": (("success", "downloaded"), "reviewed"),
}
ON_TASKS = ("kill", "hold", "unhold", "retry", "reviewed")


@dataclass
class Task:
    """`by_hand` is whether somebody held it, and not its job's scouts; `machine` is when its instance has booted and
    when it will be done, if it has one."""

    status: str = "pending"
    scout: bool = False
    by_hand: bool = False
    attempts: int = 0
    retried: Counter[str] = field(default_factory=Counter)
    machine: tuple[int, int] | None = None
    download: str | None = None
    lease: int | None = None


@dataclass
class Job:
    """`outcomes` has one outcome for each attempt, of which the last goes on; `seconds` is how long each takes."""

    number: int
    tasks: list[Task]
    seconds: int
    outcomes: list[str]
    retries: dict[str, int]
    priority: int = 5
    max_instances: int = 0
    location: str = ""
    phase: str = "syncing"
    synced: int | None = None
    upload: str | None = None
    lease: int | None = None
    waits_for_scouts: bool = True

    @property
    def status(self) -> str:
        if self.phase != "ready":
            return self.phase
        held = {task.status for task in self.tasks}
        for status in (
            "running",
            "pending",
            "holding",
            "killed",
            "failed",
            "preempted",
            "success",
            "downloaded",
        ):
            if status in held:
                return status
        return "reviewed" if held else "success"

    @property
    def machines(self) -> int:
        return sum(task.machine is not None for task in self.tasks)


class Model:
    """The farm of one account, its clock frozen but for `advance`."""

    def __init__(self, fleet: int = 0) -> None:
        self.fleet, self.now = fleet, 0
        self.release_scouts = False
        self.jobs: list[Job] = []

    def statuses(self) -> list[tuple[str, list[str]]]:
        """The status of each job and of its tasks."""
        return [(job.status, [task.status for task in job.tasks]) for job in self.jobs]

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        if job.phase == "syncing":
            job.synced = self.now + SYNC
        self._fill()

    def advance(self, seconds: int) -> None:
        end = self.now + seconds
        while (soon := min(self._moments(), default=end + 1)) <= end:
            self.now = soon
            self._happen()
            self._fill()
        self.now = end
        self._leases_run_out()

    def until_idle(self) -> None:
        while moments := list(self._moments()):
            self.advance(max(0, min(moments) - self.now))

    def holds(self) -> list[tuple[int, str, int, str | None]]:
        """Number, status and waiting tasks of each job that does not go on by itself, and the action that makes it."""
        found: list[tuple[int, str, int, str | None]] = []
        for job in self.jobs:
            held = [task for task in job.tasks if task.status == "holding"]
            if job.phase in ("upload_pending", "uploading"):
                found.append((job.number, job.status, len(job.tasks), None))
            elif job.phase == "sync_failed":
                found.append((job.number, job.status, len(job.tasks), "retry_sync"))
            elif job.status == "holding":
                action = "unhold" if all(task.by_hand for task in held) else "release_scouts"
                found.append((job.number, job.status, len(held), action))
        return found

    def act(self, name: str, jobs: Iterable[Job]) -> bool:
        """An action on whole jobs; whether it moved anything."""
        moved = [job for job in jobs if self._applies(name, job)]
        for job in moved:
            self._act(name, job, job.tasks)
            if name == "kill" and job.phase in WAITS_FOR_FILES:
                if job.upload in ("pending", "claimed"):
                    job.upload, job.lease = "cancelled", None
                job.phase, job.synced = ("ready" if job.tasks else "killed"), None
            elif name == "retry_sync":
                job.phase, job.synced = "syncing", self.now + SYNC
            else:
                self._no_need_to_sync(job)
        self._fill()
        return bool(moved)

    def act_on_tasks(self, name: str, job: Job, tasks: list[Task]) -> bool:
        """An action on some tasks of a job; whether it moved any."""
        moved = [task for task in tasks if task.status in ACTIONS[name][0] and job.phase not in NEVER_BEGAN]
        if moved:
            self._act(name, job, moved)
            self._no_need_to_sync(job)
        self._fill()
        return bool(moved)

    def force(self, job: Job, task: Task, status: str) -> bool:
        """End a task; whether its state allowed that."""
        if job.phase not in ("ready", "syncing") or task.status in OVER:
            return False
        if job.phase == "syncing":
            job.phase, job.synced = "ready", None
        if task.machine is None:
            task.attempts += 1
        self._ended(job, task, status)
        self._fill()
        return True

    def to_download(self, location: str) -> Iterator[tuple[Job, Task]]:
        """What a downloader of this location may be given, in order."""
        for job in self.jobs:
            for task in job.tasks:
                if job.location == location and task.status == "success" and task.download == "pending":
                    yield job, task

    def hand_out(self, task: Task) -> None:
        task.download, task.lease = "downloading", self.now + DOWNLOAD_LEASE

    def report(self, task: Task, status: str) -> None:
        if status == "downloading":
            self.hand_out(task)
            return
        task.download, task.lease = status, None
        before, after = ("success", "downloaded") if status == "downloaded" else ("downloaded", "success")
        if task.status == before:
            task.status = after

    def to_upload(self, location: str) -> Job | None:
        """The job whose files an uploader of this location is given."""
        waits = (job for job in self.jobs if job.upload == "pending" and job.location == location)
        return next(waits, None)

    def claim(self, job: Job) -> None:
        job.upload, job.phase, job.lease = "claimed", "uploading", self.now + UPLOAD_LEASE

    def progress(self, job: Job) -> None:
        if job.lease is not None:
            job.lease = self.now + UPLOAD_LEASE

    def finish(self, job: Job) -> bool:
        """The files are there; whether that could be said."""
        if job.upload in ("pending", "claimed"):
            job.upload, job.phase, job.lease, job.synced = "finished", "syncing", None, self.now + SYNC
        return job.upload == "finished"

    def fail(self, job: Job) -> bool:
        """The daemon gave up; whether that could be said."""
        if job.upload in ("pending", "claimed"):
            job.upload, job.phase, job.lease = "failed", "failed", None
        return job.upload != "finished"

    def set_fleet(self, fleet: int) -> None:
        self.fleet = fleet
        self._fill()

    def _moments(self) -> Iterator[int]:
        for job in self.jobs:
            if job.synced is not None:
                yield job.synced
            for task in job.tasks:
                if task.machine is not None:
                    yield task.machine[0] if task.status == "pending" else task.machine[1]

    def _happen(self) -> None:
        for job in self.jobs:
            if job.synced == self.now:
                job.phase, job.synced = "ready", None
        for job in self.jobs:
            for task in job.tasks:
                if task.machine is not None and task.machine[0] <= self.now:
                    task.status = "running"
        for job in self.jobs:
            for task in job.tasks:
                if task.machine is not None and task.machine[1] <= self.now and task.status == "running":
                    self._ended(job, task, job.outcomes[min(task.attempts, len(job.outcomes)) - 1])

    def _ended(self, job: Job, task: Task, outcome: str) -> None:
        task.machine = None
        if task.retried[outcome] < job.retries.get(outcome, 0):
            task.retried[outcome] += 1
            task.status = "pending"
            return
        task.status = outcome
        task.download = "pending" if outcome == "success" else None
        scouts = [one.status for one in job.tasks if one.scout]
        if task.scout and job.waits_for_scouts and all(one in DONE for one in scouts):
            job.waits_for_scouts = False
            for one in job.tasks if self.release_scouts else ():
                if one.status == "holding":
                    one.status = "pending"

    def _fill(self) -> None:
        """Give free machines away, each to the task that deserves it most."""
        while not self.fleet or sum(job.machines for job in self.jobs) < self.fleet:
            wanting = [
                (-job.priority, job.number, index)
                for job in self.jobs
                if job.phase == "ready" and not (job.max_instances and job.machines >= job.max_instances)
                for index, task in enumerate(job.tasks)
                if task.status == "pending" and task.machine is None
            ]
            if not wanting:
                return
            _, number, index = min(wanting)
            job = self.jobs[number - 1]
            task = job.tasks[index]
            task.attempts += 1
            task.machine = (self.now + BOOT, self.now + BOOT + job.seconds)
            task.download = task.lease = None

    def _leases_run_out(self) -> None:
        for job in self.jobs:
            if job.lease is not None and job.lease <= self.now:
                job.upload, job.phase, job.lease = "pending", "upload_pending", None
            for task in job.tasks:
                if task.lease is not None and task.lease <= self.now:
                    task.download, task.lease = "pending", None

    def _applies(self, name: str, job: Job) -> bool:
        phases = {"kill": WAITS_FOR_FILES, "retry_sync": ("sync_failed",)}.get(name, ())
        if job.phase in NEVER_BEGAN:
            return False
        return job.phase in phases or any(task.status in ACTIONS[name][0] for task in job.tasks)

    def _act(self, name: str, job: Job, tasks: list[Task]) -> None:
        of, to = ACTIONS[name]
        for task in tasks:
            if task.status not in of:
                continue
            task.status, task.machine, task.by_hand = to, None, to == "holding"
            if name.startswith("retry"):
                task.retried.clear()
                task.download = task.lease = None

    def _no_need_to_sync(self, job: Job) -> None:
        if job.phase == "syncing" and all(task.status in OVER for task in job.tasks):
            job.phase, job.synced = "ready", None
