"""Outputs when they are first asked for: made outside any lock, stored, then noted in the log (design, rule 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from conductor_mock.farm.commands import OutputsListed
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.statuses import DELIVERED
from conductor_mock.farm.values import OutputFile
from conductor_mock.outputs.drawing import Drawing, draw_output, drawing_of, names_of
from conductor_mock.store.account import Account
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.accounts import Accounts

Chosen = Sequence[tuple[Job, int]]
"""Tasks, each as its job and its index there."""


@contextmanager
def with_outputs(
    accounts: Accounts, contents: AccountContents, account_id: str, choose: Callable[[State], Chosen]
) -> Iterator[tuple[Account, Chosen]]:
    """The account, open, and the tasks that `choose` names in it, the outputs of each of which are listed.

    What was chosen is still true in the block: `choose` ran under the same hold of the account's lock.
    """
    while True:
        with accounts.open(account_id) as account:
            chosen = choose(account.state)
            drawings = [
                drawing_of(account.state, job, index)
                for job, index in chosen
                if job.tasks[index].outputs is None
            ]
            if not drawings:
                yield account, chosen
                return
            now_us = account.state.now_us
        made = _store(contents, account_id, drawings, now_us)
        with accounts.open(account_id) as account:
            account.append_all(
                [
                    OutputsListed(drawing.job, drawing.task, files)
                    for drawing, files in made
                    if _is_wanted(account.state, drawing)
                ]
            )


def _store(
    contents: AccountContents, account_id: str, drawings: Sequence[Drawing], t_us: int
) -> list[tuple[Drawing, tuple[OutputFile, ...]]]:
    """Draw and store the outputs of tasks, many at a time: the disk takes as long for one as for some."""
    named = [(drawing, name) for drawing in drawings for name in names_of(drawing)]
    stored = iter(
        contents.add_outputs(account_id, (draw_output(drawing, name) for drawing, name in named), t_us=t_us)
    )
    files: dict[Drawing, list[OutputFile]] = {}
    for (drawing, name), content in zip(named, stored, strict=True):
        files.setdefault(drawing, []).append(OutputFile(name.path, content.md5, content.size))
    return [(drawing, tuple(some)) for drawing, some in files.items()]


def _is_wanted(state: State, drawing: Drawing) -> bool:
    """Whether the outputs still are those of the task's last attempt, and nobody listed them meanwhile."""
    job = state.jobs.get(drawing.job)
    if job is None:
        return False
    task = job.tasks[drawing.task]
    return task.status in DELIVERED and task.outputs is None and len(task.attempts) == drawing.attempt
