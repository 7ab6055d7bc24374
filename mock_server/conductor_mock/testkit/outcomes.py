"""How tasks go, and which of the rules for that were used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from conductor_mock.testkit.control import Control
from conductor_mock.testkit.given import text_of_numbers
from conductor_mock.testkit.values import OutcomeRule


@dataclass(eq=False)
class _Counted:
    """A rule, and what is known of its attempts: those `before` others came to decide, and the count `since` then."""

    rule: Mapping[str, Any]
    before: int = 0
    since: int = 0


class Outcomes:
    """How tasks go."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._counted: list[_Counted] = []
        """The newest first, as the server has them."""

    def add(
        self,
        outcome: str | Sequence[str] | None = None,
        *,
        duration: float | None = None,
        exit_code: int | None = None,
        **match: Any,
    ) -> AskedOutcome:
        """Let tasks that fit `match` (`jid`, `tid`, `frames`, `title`, ...) go so: one outcome, or one per attempt.

        Jobs, tasks and frames are text or whole numbers. `duration` is in simulated seconds.
        Rules added later come first. Raises ControlError for what cannot be meant.
        """
        given = outcome if outcome is None or isinstance(outcome, str) else list(outcome)
        more = {"outcome": given, "duration": duration, "exit_code": exit_code}
        rule = {
            "match": text_of_numbers(match),
            **{name: value for name, value in more.items() if value is not None},
        }
        for counted, counts in self._with_counts():
            counted.before += counts["attempts"] - counted.since
        self._control.ask("POST", "outcomes", rule)
        new = _Counted(rule)
        self._counted.insert(0, new)
        for counted, counts in self._with_counts():
            counted.since = counts["attempts"]
        return AskedOutcome(self, new)

    @property
    def all(self) -> list[OutcomeRule]:
        """The rules that were added here, the newest first, with what they have seen and done."""
        return [_rule(counted, counts) for counted, counts in self._with_counts()]

    def clear(self) -> None:
        """Tasks go as metadata and seed say."""
        self._control.ask("DELETE", "outcomes")
        self._counted.clear()

    def rule(self, counted: _Counted) -> OutcomeRule:
        """One of the rules as it is now. Raises LookupError when it was cleared."""
        for one, counts in self._with_counts():
            if one is counted:
                return _rule(one, counts)
        raise LookupError("the rule was cleared")

    def _with_counts(self) -> list[tuple[_Counted, Mapping[str, int]]]:
        """Each rule that is there still, and what the server counts of it; others may have
        added some, and a reset takes them.
        """
        listed = self._control.ask("GET", "outcomes")
        there = iter(zip(listed["rules"], listed["counts"], strict=True))
        found = [
            (known, next((counts for rule, counts in there if rule == known.rule), None))
            for known in self._counted
        ]
        known = [(counted, counts) for counted, counts in found if counts is not None]
        self._counted = [counted for counted, _ in known]
        return known


@dataclass(frozen=True)
class AskedOutcome:
    """A rule that was asked for, to be looked at later."""

    _outcomes: Outcomes = field(repr=False)
    _counted: _Counted = field(repr=False)

    @property
    def rule(self) -> OutcomeRule:
        """The rule as it is now. Raises LookupError when it was cleared."""
        return self._outcomes.rule(self._counted)

    @property
    def seen(self) -> int:
        """How many tasks fit."""
        return self.rule.seen

    @property
    def consumed(self) -> int:
        """How many attempts went by it."""
        return self.rule.consumed


def _rule(counted: _Counted, counts: Mapping[str, int]) -> OutcomeRule:
    return OutcomeRule(
        match=dict(counted.rule["match"]),
        outcome=_frozen(counted.rule.get("outcome")),
        seen=counts["tasks"],
        consumed=counted.before + counts["attempts"] - counted.since,
    )


def _frozen(outcome: Any) -> Any:
    return tuple(outcome) if isinstance(outcome, list) else outcome
