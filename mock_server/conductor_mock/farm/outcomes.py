"""How an attempt goes: by a rule of the control API, by the job's metadata, else as the seed draws it.

A rule is a JSON object:

    {"match": {"frames": "57"}, "outcome": ["preempted", "preempted", "success"], "duration": 40, "exit_code": 1}

`OutcomeRule` of `control.yaml` says what it may hold. All that `match` names must fit (of `frames`, one in common is
enough), an empty one fits every task. The first rule that fits decides what it names. `outcome` is one outcome or a
list, one for each attempt, of which the last goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conductor_contracts.frames import FramesError, parse, parse_or_none
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.ids import draw, jid, tid
from conductor_mock.farm.refusals import InvalidRequestError
from conductor_mock.farm.state import Job, State, Task
from conductor_mock.farm.statuses import DRAWN, Outcome

DURATION_S = (30, 120)
"""A task without a rule takes so long on the reference machine, drawn evenly."""

PREEMPTION_PERCENT = 8
"""Attempts of a preemptible job that are preempted, at a moment drawn evenly over their duration."""

MAX_DURATION_S = 30 * 24 * 3600

METADATA_OUTCOME = "mock_outcome"
METADATA_DURATION = "mock_duration"
METADATA_FRAMES = "mock_frames"
"""Reserved keys of a job's `metadata`: outcomes separated by commas, seconds, and the frames they are meant for."""

_SCALE = 1 << 64

_NAMED = 3
"""Attempts that a warning names."""

_SUCCESS, _FAILED, _PREEMPTED = DRAWN  # a million attempts ask for them


@dataclass(frozen=True, slots=True)
class Plan:
    """How one attempt goes, from the moment that its instance has booted."""

    outcome: Outcome
    duration_us: int
    exit_code: int | None


def plan(state: State, job: Job, index: int, attempt: int) -> Plan:
    """How the `attempt`-th attempt (from 1) of a task goes: a function of state and seed."""
    task = job.tasks[index]
    rule: Mapping[str, Any] = next(
        (rule for rule in state.rules if fits(rule["match"], job, index, task)), {}
    )
    given, seconds = rule.get("outcome"), rule.get("duration")
    if job.metadata:
        given = given or _from_metadata(job, task)
        seconds = _metadata_duration(job, task) if seconds is None else seconds
    duration_us = _drawn_duration_us(state, job, index) if seconds is None else round(seconds * SECOND)
    if given:
        outcomes = [given] if isinstance(given, str) else given
        outcome = Outcome(outcomes[min(attempt, len(outcomes)) - 1])
    else:
        outcome = _drawn_outcome(state, job, index, attempt)
    if outcome == _PREEMPTED:
        duration_us = (
            duration_us * draw(state.options.seed, job.number, index, attempt, "preempted at") // _SCALE
        )
        return Plan(outcome, duration_us, None)
    return Plan(outcome, duration_us, rule.get("exit_code", 1) if outcome == _FAILED else 0)


def uses(state: State) -> list[tuple[int, int]]:
    """Of each rule how many tasks fit it, and how many attempts there are of those that it decides: the first does."""
    found = [[0, 0] for _ in state.rules]
    if found:
        for job in state.jobs.values():
            for index, task in enumerate(job.tasks):
                fitting = [at for at, rule in enumerate(state.rules) if fits(rule["match"], job, index, task)]
                for at in fitting:
                    found[at][0] += 1
                for at in fitting[:1]:
                    found[at][1] += len(task.attempts)
    return [(tasks, attempts) for tasks, attempts in found]


def fits(match: Mapping[str, Any], job: Job, index: int, task: Task) -> bool:
    """Whether everything that `match` names is true of a task."""
    return all(MATCHERS[key](job, index, task, value) for key, value in match.items())


def out_of_reach(rules: Sequence[Mapping[str, Any]], state: State) -> tuple[set[tuple[int, int]], list[str]]:
    """The tasks `(job, task)` that new rules fit, and what each of these rules does not do that was probably meant.

    What an attempt will come to is drawn when its instance is taken, and the first rule that fits decides.
    """
    every = [(job, index, task) for job in state.jobs.values() for index, task in enumerate(job.tasks)]
    taken: set[tuple[int, int]] = set()
    warnings = []
    for number, rule in enumerate(rules):
        fitting = [place for place in every if fits(rule["match"], *place)]
        places = {(job.number, index) for job, index, _ in fitting}
        drawn = [(job, index, task) for job, index, task in fitting if task.attempts]
        if not fitting:
            what = f"fits none of the {len(every)} tasks that there are; it stays for those to come"
            warnings.append(f"rule {number} {what}")
        elif places <= taken:
            warnings.append(
                f"rule {number} decides nothing: rules before it fit each of its tasks ({len(fitting)})"
            )
        elif drawn:
            named = ", ".join(map(_last_drawn, drawn[:_NAMED])) + (" ..." if len(drawn) > _NAMED else "")
            what = f"cannot change what is drawn already, in {len(drawn)} of the {len(fitting)} tasks that it fits"
            warnings.append(f"rule {number} {what}: {named}; it decides about later attempts")
        taken |= places
    return taken, warnings


def _last_drawn(place: tuple[Job, int, Task]) -> str:
    job, index, task = place
    return f"attempt {len(task.attempts)} of task {tid(index)} of job {jid(job.number)}"


def check_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule in its stored form, of one that is an `OutcomeRule` of `control.yaml`.

    Raises InvalidRequestError for what no schema can tell: frames that are none.
    """
    match = rule.get("match", {})
    if "frames" in match:
        try:
            parse(match["frames"])
        except FramesError as error:
            raise InvalidRequestError(str(error), "/match/frames") from None
    return {**rule, "match": match}


def read_outcomes(value: object) -> Sequence[str] | None:
    """The outcomes that a value of METADATA_OUTCOME names, one for each attempt; None where it says nothing."""
    outcomes = [part.strip() for part in value.split(",")] if isinstance(value, str) else []
    return outcomes if outcomes and all(outcome in DRAWN for outcome in outcomes) else None


def read_duration(value: object) -> float | None:
    """The simulated seconds that a value of METADATA_DURATION names; None where it says nothing."""
    try:
        seconds = float(str(value))
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_DURATION_S else None


def _match_frames(job: Job, index: int, task: Task, value: str) -> bool:
    frames, named = parse_or_none(task.frames), parse_or_none(value)
    return frames is not None and named is not None and frames.meets(named)


MATCHERS: Mapping[str, Callable[[Job, int, Task, Any], bool]] = {
    "jid": lambda job, index, task, value: jid(job.number) == value.zfill(5),
    "tid": lambda job, index, task, value: tid(index) == value.zfill(3),
    "frames": _match_frames,
    "title": lambda job, index, task, value: job.title == value,
    "project": lambda job, index, task, value: job.project == value,
    "owner": lambda job, index, task, value: job.owner == value,
    "metadata": lambda job, index, task, value: all(
        job.metadata.get(key) == expected for key, expected in value.items()
    ),
}


def _from_metadata(job: Job, task: Task) -> Sequence[str] | None:
    return read_outcomes(job.metadata.get(METADATA_OUTCOME)) if _metadata_is_for(job, task) else None


def _metadata_duration(job: Job, task: Task) -> float | None:
    return read_duration(job.metadata.get(METADATA_DURATION)) if _metadata_is_for(job, task) else None


def _metadata_is_for(job: Job, task: Task) -> bool:
    text = job.metadata.get(METADATA_FRAMES)
    if text is None:
        return True
    named, frames = parse_or_none(str(text)), parse_or_none(task.frames)
    return named is not None and frames is not None and named.meets(frames)


def _drawn_duration_us(state: State, job: Job, index: int) -> int:
    shortest, longest = (seconds * SECOND for seconds in DURATION_S)
    spread = (longest - shortest) * draw(state.options.seed, job.number, index, "duration") // _SCALE
    return (shortest + spread) * 100 // job.machine.speed


def _drawn_outcome(state: State, job: Job, index: int, attempt: int) -> Outcome:
    if not job.preemptible:
        return _SUCCESS
    drawn = draw(state.options.seed, job.number, index, attempt, "preempted")
    return _PREEMPTED if drawn * 100 < PREEMPTION_PERCENT * _SCALE else _SUCCESS
