"""What is probably a mistake in a submission that can be carried out: scouts that are none, reserved metadata misspelt.

Each is silence where it costs money: nothing is held, or a task does not fail as a test wants it to.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

from conductor_contracts.frames import parse_or_none
from conductor_contracts.problems import MAX_SHOWN, clip, nearest, pointer, show
from conductor_contracts.submission import fits_a_task, frames_of_tasks, odd_scouts
from conductor_mock.farm import outcomes
from conductor_mock.farm.outcomes import METADATA_DURATION, METADATA_FRAMES, METADATA_OUTCOME
from conductor_mock.farm.payload import Submission
from conductor_mock.farm.statuses import DRAWN

RESERVED = (METADATA_OUTCOME, METADATA_DURATION, METADATA_FRAMES)
_ALIKE = 0.9
"""Labels such as `outcome` or `frames` are no misspelt keys."""

_BEGINS_LIKE_ONE = re.compile(r"mock[^a-z]", re.IGNORECASE)

Doubt = tuple[str, str]
"""A place (JSON pointer) and what is odd there."""


def doubts(submission: Submission) -> Iterator[Doubt]:
    """Everything in a submission that is taken, and probably means something else than it does."""
    for odd in odd_scouts(submission.scout_frames, submission.tasks):
        yield odd.path, odd.message
    for name, value in submission.metadata.items():
        if value is not None:
            yield from ((pointer("/metadata", name), what) for what in _of_label(submission, name, value))


def _of_label(submission: Submission, name: str, value: Any) -> Iterator[str]:
    """What is odd about one entry of the metadata, which is decided by who reads it (`outcomes`)."""
    if name == METADATA_OUTCOME:
        if outcomes.read_outcomes(value) is None:
            yield f"{show(value)} decides nothing: {_why_no_outcomes(value)}"
    elif name == METADATA_DURATION:
        if outcomes.read_duration(value) is None:
            yield f"{show(value)} decides nothing; it takes seconds from 0 to {outcomes.MAX_DURATION_S}"
    elif name == METADATA_FRAMES:
        yield from _of_frames(submission, value)
    elif near := _reserved_near(name):
        yield f"is a label that decides nothing; did you mean {near!r}?"
    elif _BEGINS_LIKE_ONE.match(name):
        yield f"is a label that decides nothing; reserved are {', '.join(RESERVED)}"


def _of_frames(submission: Submission, value: Any) -> Iterator[str]:
    frames = parse_or_none(str(value))
    if frames is None:
        yield f"{show(value)} is no frame specification, so the other reserved keys are meant for no task"
    elif submission.tasks and not fits_a_task(frames, submission.tasks):
        yield f"{show(value)} fits no task; {frames_of_tasks(submission.tasks)}"
    if not {METADATA_OUTCOME, METADATA_DURATION} & submission.metadata.keys():
        yield f"decides nothing without {METADATA_OUTCOME} or {METADATA_DURATION}"


def _reserved_near(name: str) -> str | None:
    if len(name) > MAX_SHOWN:
        return None
    plain = name.strip().lower()
    near = difflib.get_close_matches(plain, RESERVED, n=1, cutoff=_ALIKE)
    return near[0] if near else nearest(plain, RESERVED) if _BEGINS_LIKE_ONE.match(plain) else None


def _why_no_outcomes(value: Any) -> str:
    """The first word of a value that is no outcome, and the one that was probably meant."""
    if not isinstance(value, str):
        return "it takes a text such as 'preempted,success'"
    known = [outcome.value for outcome in DRAWN]
    wrong = next(word for part in value.split(",") if (word := part.strip()) not in known)
    near = nearest(wrong.lower(), known)
    meant = "" if near is None else f"; did you mean {near!r}?"
    return f"{clip(wrong)!r} is none of {', '.join(known)}{meant}"
