"""A log that does not fit together is refused as such, whatever is wrong with it; nothing of ours falls over."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm.commands import AttemptEnded, Command, DownloadOffered, TasksActed, UploadClaimed
from conductor_mock.farm.fold import replay
from conductor_mock.farm.recorded import BrokenLogError
from conductor_mock.farm.records import Record
from conductor_mock.farm.statuses import Action, Outcome
from support.golden import FOLDER, LOGS, read_log

STORED = [read_log(path) for path in LOGS]
NAMES = ("job", "task", "attempt", "file")
"""Fields of commands that name things by number."""


@st.composite
def broken_logs(draw: st.DrawFn) -> list[Record]:
    """A stored log of which commands are left out, come twice, change places or speak of other things."""
    log = list(draw(st.sampled_from(STORED)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(1, len(log) - 1))
        match draw(st.sampled_from(["drop", "twice", "swap", "name"])):
            case "drop" if len(log) > 2:
                del log[at]
            case "twice":
                log.insert(at, log[at])
            case "swap" if at > 1:
                log[at - 1], log[at] = log[at], log[at - 1]
            case _:
                log[at] = replace(log[at], command=renamed(draw, log[at].command))
    begin = log[0].t_us
    return [
        Record(number, max(begin, record.t_us), record.command) for number, record in enumerate(log, start=1)
    ]


def renamed(draw: st.DrawFn, command: Command) -> Command:
    """The command about things of other numbers."""
    numbers = st.integers(-2, 15)
    changes: dict[str, Any] = {
        field.name: draw(numbers)
        for field in fields(command)
        if field.name in NAMES and isinstance(getattr(command, field.name), int)
    }
    if hasattr(command, "jobs"):
        changes["jobs"] = tuple(draw(st.lists(numbers, max_size=3)))
    if hasattr(command, "tasks"):
        changes["tasks"] = tuple(draw(st.lists(numbers, max_size=3)))
    return replace(command, **changes)


@given(broken_logs())
def test_a_log_that_was_tampered_with_comes_to_a_state_or_is_refused_as_broken(log: list[Record]) -> None:
    try:
        state = replay(log)
    except BrokenLogError as error:
        assert str(error)  # noqa: PT017 - either is fine
    else:
        assert state is not None
        assert state.seq == len(log)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (UploadClaimed(99, 1), "job 99, and there are 12 jobs"),
        (UploadClaimed(1, 1), "an upload of job 1, which has none"),
        (TasksActed(Action.KILL, 1, (0, 6)), "task 6 of job 1, which has 6"),
        (TasksActed(Action.KILL, 1, (-1,)), "task -1 of job 1"),
        (DownloadOffered(4, 0, None, 1), "outputs of task 0 of job 4, which has none"),
        (AttemptEnded(1, 0, 1, "x", Outcome.LOST, None, "", None, ()), "job 1, which never ran for real"),
        (AttemptEnded(11, 0, 1, "x", Outcome.LOST, None, "", None, ()), "job 11, which has ended"),
    ],
)
def test_a_command_about_what_is_not_there_is_refused_by_name(command: Command, words: str) -> None:
    log = read_log(FOLDER / "rich.jsonl")

    with pytest.raises(BrokenLogError, match=words):
        replay([*log, Record(len(log) + 1, log[-1].t_us, command)])
