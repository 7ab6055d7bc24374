"""Faults that were asked for: requests that fit a rule are refused instead of served.

    {"match": {"operation": "jobs.create"}, "fault": {"kind": "status", "status": 503}, "times": 2, "skip": 1}

`match` names an `operation` of the contract, or a `method` and a `path` (a regular expression that the whole path must
fit), or nothing. The first `skip` requests that fit are served, the next `times` (all, without it) are refused. Rules
belong to an account and live in memory: they decide nothing that a replay would have to repeat.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

KINDS = ("status",)
LATER_KINDS = ("delay", "stall", "reset", "truncate", "corrupt", "lost_answer")
MAX_RULES = 1000


class FaultError(ValueError):
    """A rule that cannot be meant: `path` is a JSON pointer into it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path} {message}")
        self.path = path
        self.message = message


@dataclass(slots=True)
class Rule:
    """One fault. `seen` counts the requests that fitted, `consumed` those that were refused."""

    number: int
    operation: str | None
    method: str | None
    path: re.Pattern[str] | None
    status: int
    retry_after: int | None
    times: int | None
    skip: int
    seen: int = 0
    consumed: int = 0

    def takes(self, operation: str | None, method: str, path: str) -> bool:
        """Whether the request is one to refuse; counts it if it fits."""
        if self.operation is not None and self.operation != operation:
            return False
        if self.method is not None and self.method != method:
            return False
        if self.path is not None and not self.path.fullmatch(path):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.consumed >= self.times):
            return False
        self.consumed += 1
        return True

    def to_json(self) -> dict[str, Any]:
        match = {"operation": self.operation, "method": self.method, "path": self.path and self.path.pattern}
        return {
            "id": self.number,
            "match": {name: value for name, value in match.items() if value is not None},
            "fault": {"kind": "status", "status": self.status, "retry_after": self.retry_after},
            "times": self.times,
            "skip": self.skip,
            "seen": self.seen,
            "consumed": self.consumed,
        }


@dataclass
class Faults:
    """The rules of every account of one server."""

    operations: Collection[str]
    _rules: dict[str, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    _made: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, account_id: str, data: Any) -> Rule:
        """A new rule, behind those that are there. Raises FaultError."""
        rule = _read(data, self.operations)
        with self._lock:
            if len(self._rules[account_id]) >= MAX_RULES:
                raise FaultError("", f"there are {MAX_RULES} rules already; delete them first")
            self._made += 1
            rule.number = self._made
            self._rules[account_id].append(rule)
        return rule

    def take(self, account_id: str, operation: str | None, method: str, path: str) -> Rule | None:
        """The first rule that wants this request refused; it is consumed by one."""
        if account_id not in self._rules:
            return None
        with self._lock:
            return next(
                (rule for rule in self._rules[account_id] if rule.takes(operation, method, path)), None
            )

    def of(self, account_id: str) -> list[dict[str, Any]]:
        """The rules of an account, with how often each was consumed."""
        with self._lock:
            return [rule.to_json() for rule in self._rules.get(account_id, ())]

    def clear(self, account_id: str) -> None:
        """No rules any more."""
        with self._lock:
            self._rules.pop(account_id, None)


def _read(data: Any, operations: Collection[str]) -> Rule:
    if not isinstance(data, dict):
        raise FaultError("", "must be an object with match, fault, times, skip")
    _known(data, "", ("match", "fault", "times", "skip"))
    match, fault = data.get("match", {}), data.get("fault")
    if not isinstance(match, dict) or not isinstance(fault, dict):
        raise FaultError("/fault" if isinstance(match, dict) else "/match", "must be an object")
    _known(match, "/match", ("operation", "method", "path"))
    _known(fault, "/fault", ("kind", "status", "retry_after"))
    operation = _text(match, "/match", "operation")
    if operation is not None and operation not in operations:
        raise FaultError("/match/operation", f"is no operation of the contract: {operation[:80]!r}")
    kind = fault.get("kind")
    if kind in LATER_KINDS:
        raise FaultError("/fault/kind", f"{kind} is not part of this version; there is {', '.join(KINDS)}")
    if kind not in KINDS:
        raise FaultError("/fault/kind", f"must be one of {', '.join(KINDS)}, got {str(kind)[:40]!r}")
    method = _text(match, "/match", "method")
    return Rule(
        number=0,
        operation=operation,
        method=None if method is None else method.upper(),
        path=_pattern(_text(match, "/match", "path")),
        status=_whole(fault, "/fault", "status", 400, 599) or 503,
        retry_after=_whole(fault, "/fault", "retry_after", 0, 86400),
        times=_whole(data, "", "times", 1, 1_000_000_000),
        skip=_whole(data, "", "skip", 0, 1_000_000_000) or 0,
    )


def _known(data: Mapping[str, Any], place: str, names: tuple[str, ...]) -> None:
    for name in data:
        if name not in names:
            raise FaultError(f"{place}/{str(name)[:80]}", f"is not known; accepted are {', '.join(names)}")


def _text(data: Mapping[str, Any], place: str, name: str) -> str | None:
    value = data.get(name)
    if value is not None and not isinstance(value, str):
        raise FaultError(f"{place}/{name}", f"must be a text, got {str(value)[:40]}")
    return value


def _whole(data: Mapping[str, Any], place: str, name: str, least: int, most: int) -> int | None:
    value = data.get(name)
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most
    ):
        raise FaultError(
            f"{place}/{name}", f"must be a whole number from {least} to {most}, got {str(value)[:40]}"
        )
    return value


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return None if text is None else re.compile(text)
    except re.error as error:
        raise FaultError("/match/path", f"is not a regular expression: {error}") from None
