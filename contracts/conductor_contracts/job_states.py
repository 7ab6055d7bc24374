"""The life of jobs and tasks (``job-states.yaml``), as values: statuses, what moves them, and what people can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from conductor_contracts.parsed import parse

KINDS = ("tasks", "jobs", "uploads", "downloads")
OF_TASKS = "tasks"
"""Stands for the status that a job has because of its tasks, in transitions of jobs."""


@dataclass(frozen=True)
class Transition:
    """A thing of a kind goes from one status to another by a cause. None is before it is there, or after it is gone."""

    kind: str
    before: str | None
    after: str | None
    by: str


@dataclass(frozen=True)
class JobStates:
    """The whole table. ``statuses`` and ``ended`` are by kind, as is what is ``possible``."""

    statuses: Mapping[str, tuple[str, ...]]
    ended: Mapping[str, frozenset[str]]
    possible: frozenset[Transition]
    of_tasks: tuple[str, ...]
    attempts: tuple[str, ...]
    actions: Mapping[str, bool]
    """Each action, and whether single tasks take it too."""
    forced: tuple[str, ...]

    def moved_by(self, kind: str, cause: str) -> set[tuple[str | None, str | None]]:
        """From what to what a cause moves things of a kind."""
        return {(each.before, each.after) for each in self.possible if (each.kind, each.by) == (kind, cause)}


@cache
def load_job_states() -> JobStates:
    """The table; it is read once."""
    path = resources.files("conductor_contracts").joinpath("job-states.yaml")
    return job_states_of(parse(path.read_text(encoding="utf-8")))


def job_states_of(document: Mapping[str, Any]) -> JobStates:
    """A table in the form of the file. Raises ValueError for a transition of a status that is not listed."""
    return JobStates(
        statuses={kind: tuple(document[kind]["statuses"]) for kind in KINDS},
        ended={kind: frozenset(document[kind]["ended"]) for kind in KINDS},
        possible=frozenset(each for kind in KINDS for each in _transitions(kind, document[kind])),
        of_tasks=tuple(document["jobs"]["of_tasks"]),
        attempts=tuple(document["attempts"]),
        actions={name: action["single_tasks"] for name, action in document["actions"].items()},
        forced=tuple(document["forced"]),
    )


def _transitions(kind: str, life: Mapping[str, Any]) -> Iterator[Transition]:
    known = {None, *life["statuses"], *([OF_TASKS] if kind == "jobs" else [])}
    for row in life["transitions"]:
        unknown = {*row["from"], *row["to"]} - known
        if unknown:
            raise ValueError(f"{kind}, by {row['by']}: {', '.join(map(repr, unknown))} is no status")
        for before in row["from"]:
            yield from (Transition(kind, before, after, row["by"]) for after in row["to"] if after != before)
