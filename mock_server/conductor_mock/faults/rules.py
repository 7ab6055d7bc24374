"""Faults that were asked for: requests that fit a rule are refused, or their answers broken.

    {"match": {"operation": "jobs.create"}, "fault": {"kind": "status", "status": 503}, "times": 2, "skip": 1}

Which requests get it is said by `conditions`, what each kind does in `kinds`, a module for each. Rules belong to an
account, and to the servers that run: they decide nothing that a replay would have to repeat, and are gone when the last
server has ended. Where they are until then is said by a keeper (`keeping.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conductor_contracts.problems import Problem
from conductor_contracts.text_files import TextFileError, parse_yaml, read_text
from conductor_mock.faults.conditions import RequestInfo
from conductor_mock.faults.keeping import Keeper, MemoryKeeper
from conductor_mock.faults.reading import FaultError, read_rule
from conductor_mock.faults.rule import Hit, Rule

MAX_RULES = 1000


@dataclass(frozen=True, slots=True)
class Faults:
    """The rules of every account of one server, or of several that share a keeper's."""

    operations: Collection[str]
    keeper: Keeper = field(default_factory=MemoryKeeper)

    def add(self, account_id: str, data: Any) -> Rule:
        """A new rule, behind those that are there. Raises FaultError."""
        rule = self.keeper.add(account_id, read_rule(data, self.operations), most=MAX_RULES)
        if rule is None:
            raise FaultError(
                Problem("", f"is one rule more than the {MAX_RULES} of an account; delete them first")
            )
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
        return self.keeper.has_any(account_id)

    def take(self, account_id: str, asked: RequestInfo) -> Hit | None:
        """What a request gets by the first rule that wants it; the rule is consumed by one.

        Reads the request's body if that takes it, before others are kept waiting.
        """
        rules = self.keeper.rules(account_id)
        if any(rule.wants_body(asked) for rule in rules):
            asked = replace(asked, body=asked.read_body())
        fitting = {rule.number for rule in rules if rule.match.fits(asked)}
        if not fitting:
            return None
        with self.keeper.turn(account_id, fitting) as (current, handed_out):
            hits = (rule.take(asked, handed_out) for rule in current)
            return next((hit for hit in hits if hit is not None), None)

    def handed_out(self, account_id: str, what: str) -> None:
        """An account with rules was given another token or URL."""
        self.keeper.hand_out(account_id, what)

    def of(self, account_id: str) -> list[dict[str, Any]]:
        """The rules of an account, with how often each was consumed."""
        return [rule.to_json() for rule in self.keeper.counted(account_id)]

    def changes(self, account_id: str) -> str:
        """A text that is another one after a rule was added, met or deleted; see `meet`."""
        return self.keeper.changes(account_id)

    def meet(self, account_id: str) -> None:
        """Have `changes` be of now, or later, though rules lie far away: it waits for nothing then."""
        self.keeper.meet(account_id)

    def clear(self, account_id: str) -> None:
        """No rules any more; what they hold back is let go, whichever server does."""
        self.keeper.clear(account_id)
