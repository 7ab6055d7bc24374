"""The rules of servers that run together, in the database that they share.

A rule never changes, so each server keeps those that it has read, until a number in the database says that some rule
was added or deleted: that number is all that a request without rules costs. What counts is read and written in a
transaction, by the requests that fit a rule.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from conductor_mock.faults.keeping import Turn, text_of
from conductor_mock.faults.reading import read_rule
from conductor_mock.faults.rule import Rule

log = logging.getLogger(__name__)

Row = tuple[int, str, int, int, str]
"""A rule as it is stored: number, rule, seen, consumed, memory; the rule and the memory of its fault are JSON."""


class Rows(Protocol):
    """The rules as they are stored, for all servers together (`store/fault_rows.py`)."""

    def version(self) -> int:
        """A number that is another one whenever a rule was added or deleted."""

    def accounts(self) -> Collection[str]:
        """The accounts that have rules."""

    def read(self, account_id: str) -> Sequence[Row]:
        """The rules of an account, in order."""

    def is_there(self, account_id: str, number: int) -> bool:
        """Whether a rule was not deleted."""

    def changes(self, accounts: Sequence[str]) -> Mapping[str, tuple[int, int, int]]:
        """Of the rules of each account: the highest number, how many there are, and what they have seen in all."""

    def add(self, account_id: str, rule: str, *, most: int) -> int | None:
        """Store a rule; its number, or None where the account has `most`."""

    def turn(
        self, account_id: str, numbers: Collection[int]
    ) -> AbstractContextManager[tuple[list[Row], Mapping[str, int]]]:
        """Rules and what was handed out, while no other server counts; what the list holds in the end is stored."""

    def hand_out(self, account_id: str, what: str) -> None:
        """Count a token or a URL."""

    def clear(self, account_id: str) -> None:
        """Delete the rules and counters of an account."""


class Known(Protocol):
    """Texts as they were a moment ago, which somebody else asks for (`store/lately.py`)."""

    @property
    def now_s(self) -> Callable[[], float]:
        """When it is."""

    def of(self, name: str, /) -> str:
        """What is known under a name, without waiting."""

    def note(self, name: str, began_s: float, text: str, /) -> None:
        """What somebody was answered who asked at `began_s`."""


def name_of(account_id: str) -> str:
    """Under which the text of an account's rules is known."""
    return f"faults/{account_id}"


def changes_of(rows: Rows, names: Sequence[str]) -> dict[str, str]:
    """The texts that are known under some names, in one question; other names have none here."""
    accounts = [name.partition("/")[2] for name in names if name.startswith(name_of(""))]
    if not accounts:
        return {}
    return {name_of(account): text_of(*numbers) for account, numbers in rows.changes(accounts).items()}


class Deleted:
    """Whether a rule was deleted, by whichever server."""

    def __init__(self, rows: Rows, account_id: str, number: int) -> None:
        self._rows = rows
        self._rule = account_id, number
        self._is_so = False

    def is_set(self) -> bool:
        """Look. A database that cannot be asked says nothing: the wait goes on, and asks again."""
        if not self._is_so:
            try:
                self._is_so = not self._rows.is_there(*self._rule)
            except Exception:  # whatever a database raises: a request that waits is not to fail of it
                log.debug("whether fault %d was deleted cannot be said", self._rule[1], exc_info=True)
        return self._is_so


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read when the rows had a version; the rules of an account once they are asked for."""

    version: int
    accounts: frozenset[str]
    rules: dict[str, tuple[Rule, ...]] = field(default_factory=dict)


class SharedKeeper:
    """The keeper of one of several servers; each has its own, on the same rows."""

    def __init__(self, rows: Rows, operations: Collection[str], lately: Known | None = None) -> None:
        """`lately` is None where the rows are never far away, and so are asked themselves."""
        self._rows = rows
        self._operations = operations
        self._lately = lately
        self._known = _Read(-1, frozenset())

    def add(self, account_id: str, rule: Rule, *, most: int) -> Rule | None:
        number = self._rows.add(account_id, json.dumps(rule.asked_for()), most=most)
        return None if number is None else replace(rule, number=number)

    def has_any(self, account_id: str) -> bool:
        return account_id in self._read().accounts

    def rules(self, account_id: str) -> Sequence[Rule]:
        known = self._read()
        if account_id in known.accounts and account_id not in known.rules:
            known.rules[account_id] = self._made(account_id, self._rows.read(account_id))
        return known.rules.get(account_id, ())

    def counted(self, account_id: str) -> Sequence[Rule]:
        return self._made(account_id, self._rows.read(account_id))

    def changes(self, account_id: str) -> str:
        name = name_of(account_id)
        return changes_of(self._rows, [name])[name] if self._lately is None else self._lately.of(name)

    def meet(self, account_id: str) -> None:
        name, lately = name_of(account_id), self._lately
        if lately is not None:
            lately.of(name)  # it is wanted from now on
            began_s = lately.now_s()
            lately.note(name, began_s, changes_of(self._rows, [name])[name])

    @contextmanager
    def turn(self, account_id: str, numbers: Collection[int]) -> Iterator[Turn]:
        with self._rows.turn(account_id, numbers) as (rows, handed_out):
            rules = self._made(account_id, rows)
            seen = {rule.number: rule.seen for rule in rules}
            yield rules, Counter(handed_out)
            rows[:] = [
                (rule.number, "", rule.seen, rule.consumed, json.dumps(rule.memory))
                for rule in rules
                if rule.seen != seen[rule.number]
            ]

    def hand_out(self, account_id: str, what: str) -> None:
        if self.has_any(account_id):
            self._rows.hand_out(account_id, what)

    def clear(self, account_id: str) -> None:
        if self.has_any(account_id):
            self._rows.clear(account_id)

    def _read(self) -> _Read:
        """What is known of the rules as they are now."""
        version, known = self._rows.version(), self._known
        if version != known.version:
            # Read behind the version: what is newer than it is read again.
            known = self._known = _Read(version, frozenset(self._rows.accounts()))
        return known

    def _made(self, account_id: str, rows: Sequence[Row]) -> tuple[Rule, ...]:
        known = {rule.number: rule for rule in self._known.rules.get(account_id, ())}
        made = []
        for number, text, seen, consumed, memory in rows:
            rule = known.get(number)
            if rule is None:
                try:
                    rule = read_rule(json.loads(text), self._operations)
                except ValueError as error:  # FaultError is one
                    log.warning("fault %d, which another server took, means nothing here: %s", number, error)
                    continue
            made.append(
                replace(
                    rule,
                    number=number,
                    seen=seen,
                    consumed=consumed,
                    memory=json.loads(memory),
                    freed=Deleted(self._rows, account_id, number),
                )
            )
        return tuple(made)
