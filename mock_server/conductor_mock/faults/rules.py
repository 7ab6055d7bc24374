"""Faults that were asked for: requests that fit a rule are refused, or their answers broken.

    {"match": {"operation": "jobs.create"}, "fault": {"kind": "status", "status": 503}, "times": 2, "skip": 1}

Which requests get it is said by `conditions`, what each kind does in `kinds`, a module for each. Rules belong to an
account and live in memory: they decide nothing that a replay would have to repeat.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conductor_contracts.problems import Problem
from conductor_contracts.text_files import TextFileError, parse_yaml, read_text
from conductor_mock.faults.conditions import RequestInfo
from conductor_mock.faults.reading import FaultError, read_rule
from conductor_mock.faults.rule import Hit, Rule

MAX_RULES = 1000


@dataclass
class Faults:
    """The rules of every account of one server."""

    operations: Collection[str]
    _rules: dict[str, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    _handed_out: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _made: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, account_id: str, data: Any) -> Rule:
        """A new rule, behind those that are there. Raises FaultError."""
        rule = read_rule(data, self.operations)
        with self._lock:
            if len(self._rules[account_id]) >= MAX_RULES:
                raise FaultError(
                    Problem("", f"is one rule more than the {MAX_RULES} of an account; delete them first")
                )
            self._made += 1
            rule.number = self._made
            self._rules[account_id].append(rule)
        return rule

    def add_file(self, account_id: str, path: Path) -> None:
        """Add the rules of a YAML or JSON file, a list of them. Raises FaultError that names the file and the rule."""
        try:
            rules = parse_yaml(read_text(path))
        except TextFileError as error:
            raise FaultError(Problem(str(path), str(error))) from None
        if not isinstance(rules, list):
            raise FaultError(Problem(str(path), "must hold a list of rules"))
        for number, data in enumerate(rules, start=1):
            try:
                self.add(account_id, data)
            except FaultError as error:
                raise FaultError(Problem(f"{path}: rule {number}:", str(error))) from None

    def has_any(self, account_id: str) -> bool:
        """Whether the account has a rule at all."""
        return bool(self._rules.get(account_id))

    def take(self, account_id: str, asked: RequestInfo) -> Hit | None:
        """What a request gets by the first rule that wants it; the rule is consumed by one.

        Reads the request's body if that takes it, before others are kept waiting.
        """
        with self._lock:
            wants_body = any(rule.wants_body(asked) for rule in self._rules.get(account_id, ()))
        if wants_body:
            asked = replace(asked, body=asked.read_body())
        with self._lock:
            handed_out = self._handed_out.get(account_id, Counter())
            hits = (rule.take(asked, handed_out) for rule in self._rules.get(account_id, ()))
            return next((hit for hit in hits if hit is not None), None)

    def handed_out(self, account_id: str, what: str) -> None:
        """An account with rules was given another token or URL."""
        with self._lock:
            if account_id in self._rules:
                self._handed_out[account_id][what] += 1

    def of(self, account_id: str) -> list[dict[str, Any]]:
        """The rules of an account, with how often each was consumed."""
        with self._lock:
            return [rule.to_json() for rule in self._rules.get(account_id, ())]

    def clear(self, account_id: str) -> None:
        """No rules any more; what they hold back is let go."""
        with self._lock:
            self._handed_out.pop(account_id, None)
            for rule in self._rules.pop(account_id, ()):
                rule.freed.set()
