"""Where rules and their counters are: in memory, or where every server of several sees them (`shared.py`)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from conductor_mock.faults.rule import Rule

Turn = tuple[Sequence[Rule], Mapping[str, int]]
"""Rules of an account, in order, and how many tokens and URLs it was handed out since it has rules."""


def text_of(last: int, count: int, seen: int) -> str:
    """Of rules: the highest number, how many there are, and how many requests they have met in all."""
    return f"{last}-{count}-{seen}"


class Keeper(Protocol):
    """Keeps the rules of every account. Safe in any thread."""

    def add(self, account_id: str, rule: Rule, *, most: int) -> Rule | None:
        """The rule with its number, behind those that are there; None, and nothing done, where there are `most`."""

    def has_any(self, account_id: str) -> bool:
        """Whether the account has a rule. Asked before each request, so it is cheap."""

    def rules(self, account_id: str) -> Sequence[Rule]:
        """The account's rules, in order, to compare a request with; their counters may be those of before."""

    def counted(self, account_id: str) -> Sequence[Rule]:
        """The account's rules, in order, with their counters as they are."""

    def changes(self, account_id: str) -> str:
        """A text that is another one after a rule was added, met or deleted; a moment old where they are far away."""

    def meet(self, account_id: str) -> None:
        """Have `changes` be of now, or later: for whoever may wait."""

    def turn(self, account_id: str, numbers: Collection[int]) -> AbstractContextManager[Turn]:
        """Those of the rules that are still there, while no other request counts: their changes are kept."""

    def hand_out(self, account_id: str, what: str) -> None:
        """Count a token or a URL, if the account has rules."""

    def clear(self, account_id: str) -> None:
        """Forget the account's rules and what was handed out, and free what they hold back."""


@dataclass(slots=True)
class _Account:
    rules: list[Rule] = field(default_factory=list)
    handed_out: Counter[str] = field(default_factory=Counter)


class MemoryKeeper:
    """The keeper of a server that is alone."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._made = 0
        self._lock = threading.Lock()

    def add(self, account_id: str, rule: Rule, *, most: int) -> Rule | None:
        with self._lock:
            account = self._accounts.setdefault(account_id, _Account())
            if len(account.rules) >= most:
                return None
            self._made += 1
            rule.number = self._made
            account.rules.append(rule)
        return rule

    def has_any(self, account_id: str) -> bool:
        return account_id in self._accounts

    def rules(self, account_id: str) -> Sequence[Rule]:
        with self._lock:
            account = self._accounts.get(account_id)
            return () if account is None else tuple(account.rules)

    counted = rules

    def changes(self, account_id: str) -> str:
        rules = self.rules(account_id)
        return text_of(
            max((rule.number for rule in rules), default=0), len(rules), sum(rule.seen for rule in rules)
        )

    def meet(self, account_id: str) -> None:
        """Nothing is far away."""

    @contextmanager
    def turn(self, account_id: str, numbers: Collection[int]) -> Iterator[Turn]:
        with self._lock:
            account = self._accounts.get(account_id, _Account())
            yield [rule for rule in account.rules if rule.number in numbers], account.handed_out

    def hand_out(self, account_id: str, what: str) -> None:
        with self._lock:
            if account_id in self._accounts:
                self._accounts[account_id].handed_out[what] += 1

    def clear(self, account_id: str) -> None:
        with self._lock:
            account = self._accounts.pop(account_id, _Account())
        for rule in account.rules:
            rule.free()
