"""Outputs when they are first asked for: made outside any lock, stored, then noted in the log (design, rule 8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from conductor_mock.farm.commands import OutputsListed
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.statuses import DELIVERED
from conductor_mock.farm.values import OutputFile
from conductor_mock.outputs.drawing import Sketch, draw_outputs, sketch
from conductor_mock.store.account import Account
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.accounts import Accounts

T = TypeVar("T")

Chosen = Sequence[tuple[Job, int]]


def with_outputs(
    accounts: Accounts,
    contents: AccountContents,
    account_id: str,
    choose: Callable[[State], Chosen],
    then: Callable[[Account, Chosen], T],
) -> T:
    """What `then` makes of the tasks that `choose` names, once the outputs of each of them are listed.

    Both run under the account's lock and in one go: what was chosen is still true when `then` acts on it.
    """
    while True:
        with accounts.open(account_id) as account:
            chosen = choose(account.state)
            unlisted = [
                sketch(account.state, job, index) for job, index in chosen if job.tasks[index].outputs is None
            ]
            if not unlisted:
                return then(account, chosen)
            now_us = account.state.now_us
        drawn = [(one, _store(contents, account_id, one, now_us)) for one in unlisted]
        with accounts.open(account_id) as account:
            for one, files in drawn:
                if _still_wanted(account.state, one):
                    account.append(OutputsListed(one.job, one.task, files))


def _store(contents: AccountContents, account_id: str, one: Sketch, now_us: int) -> tuple[OutputFile, ...]:
    return tuple(
        OutputFile(name, contents.put_output(account_id, data, now_us=now_us), len(data))
        for name, data in draw_outputs(one)
    )


def _still_wanted(state: State, one: Sketch) -> bool:
    job = state.jobs.get(one.job)
    if job is None:
        return False
    task = job.tasks[one.task]
    return task.status in DELIVERED and task.outputs is None and len(task.attempts) == one.attempt
