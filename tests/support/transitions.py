"""Every change of a status in a farm, and what caused it: to hold the farm to `job-states.yaml`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conductor_contracts.job_states import OF_TASKS, Transition
from conductor_mock.farm import fold, leases, simulation, tasks
from conductor_mock.farm.commands import (
    AttemptEnded,
    Command,
    DownloadOffered,
    DownloadReported,
    JobCreated,
    JobsActed,
    OptionsChanged,
    TaskForced,
    TasksActed,
    UploadClaimed,
    UploadFailed,
    UploadFinished,
)
from conductor_mock.farm.state import State
from conductor_mock.farm.statuses import Phase

CAUSES: dict[type[Command], str] = {
    JobCreated: "jobs.create",
    UploadClaimed: "uploads.next",
    UploadFinished: "uploads.finish",
    UploadFailed: "uploads.fail",
    DownloadOffered: "downloads.next",
    DownloadReported: "downloads.report",
    TaskForced: "force",
    AttemptEnded: "run",
    OptionsChanged: "options",
}


def cause_of(command: Command) -> str:
    """What a change is by, as the table names it."""
    if isinstance(command, (JobsActed, TasksActed)):
        return command.action.value
    return CAUSES.get(type(command), command.kind)


@contextmanager
def watching() -> Iterator[set[Transition]]:
    """Every change of a status in the farms that are driven meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        yield _Watch(patch).seen


class _Watch:
    """The farm's functions that change statuses, each noting what it does and on whose behalf."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen: set[Transition] = set()
        self._causes: list[str] = []
        self._states: dict[int, State] = {}  # kept, so that none has the id of another
        self._transfers: dict[tuple[int, str, int, int], str | None] = {}
        self._note(patch, tasks, "move", "tasks", lambda job, task, status, *_: (task.status, status))
        self._note(patch, tasks, "set_phase", "jobs", lambda job, phase, *_: (job.phase, phase))
        self._note(patch, tasks, "add", "tasks", lambda job, task: (None, task.status))
        for module, name, cause in (
            (simulation, "run", "time"),
            (simulation, "give_slots", "time"),
            (leases, "expire", "time"),
            (simulation, "release_held", "scouts"),
        ):
            self._cause(patch, module, name, lambda *args, cause=cause: cause)
        self._cause(patch, fold, "apply", lambda state, record: cause_of(record.command))

    def _note(
        self, patch: pytest.MonkeyPatch, module: Any, name: str, of: str, change: Callable[..., Any]
    ) -> None:
        do = getattr(module, name)

        def noting(*args: Any) -> None:
            before, after = change(*args)
            self._add(of, before, after)
            do(*args)

        patch.setattr(module, name, noting)

    def _cause(self, patch: pytest.MonkeyPatch, module: Any, name: str, cause: Callable[..., str]) -> None:
        do = getattr(module, name)

        def causing(state: State, *args: Any) -> Any:
            jobs = len(state.jobs)
            self._look(state)
            self._causes.append(cause(state, *args))
            try:
                return do(state, *args)
            finally:
                self._look(state)
                for number in range(jobs + 1, len(state.jobs) + 1):
                    self._add("jobs", None, state.jobs[number].phases[0][1])
                self._causes.pop()

        patch.setattr(module, name, causing)

    def _look(self, state: State) -> None:
        """Note how uploads and downloads changed since they were last looked at."""
        for job in state.jobs.values():
            self._transfer(state, "uploads", job.number, 0, job.upload)
            for index, task in enumerate(job.tasks):
                self._transfer(state, "downloads", job.number, index, task.download)

    def _transfer(self, state: State, of: str, number: int, index: int, transfer: Any) -> None:
        self._states[id(state)] = state
        key = (id(state), of, number, index)
        before, after = self._transfers.get(key), None if transfer is None else transfer.status
        self._transfers[key] = after
        if self._causes:
            self._add(of, before, after)

    def _add(self, of: str, before: str | None, after: str | None) -> None:
        if before != after:
            self.seen.add(Transition(of, _text(before), _text(after), self._causes[-1]))


def _text(status: str | None) -> str | None:
    return OF_TASKS if status == Phase.READY else None if status is None else str(status)
