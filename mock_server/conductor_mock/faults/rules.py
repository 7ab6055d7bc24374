"""Faults that were asked for: requests that fit a rule are refused, or their answers broken.

    {"match": {"operation": "jobs.create"}, "fault": {"kind": "status", "status": 503}, "times": 2, "skip": 1}

`match` names an `operation` of the contract, or a `method` and a `path` (a regular expression that the whole path must
fit), or nothing. The first `skip` requests that fit are served, the next `times` (all, without it) get the fault. Rules
belong to an account and live in memory: they decide nothing that a replay would have to repeat. What each kind does to
an answer is in `breakage`.
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from conductor_mock.errors import InvalidError

MAX_RULES = 1000


class FaultError(InvalidError):
    """A rule that cannot be meant: `path` is a JSON pointer into it."""


@dataclass(frozen=True, slots=True)
class Whole:
    """An option that is a whole number."""

    least: int
    most: int
    default: int | None = None


@dataclass(frozen=True, slots=True)
class Seconds:
    """An option that is a time in wall seconds."""

    most: float
    default: float


@dataclass(frozen=True, slots=True)
class Flag:
    """An option that is true or false."""

    default: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of fault takes, and whether the request is carried out although its answer is not as it should be."""

    carried_out: bool
    options: Mapping[str, Whole | Seconds | Flag] = field(default_factory=dict)


KINDS: Mapping[str, Kind] = {
    "status": Kind(False, {"status": Whole(400, 599, 503), "retry_after": Whole(0, 86400)}),
    "delay": Kind(True, {"seconds": Seconds(60, 1.0)}),
    "stall": Kind(False, {"seconds": Seconds(600, 60.0)}),
    "reset": Kind(False, {"read_body": Flag(True)}),
    "lost_answer": Kind(True),
    "truncate": Kind(True, {"bytes": Whole(0, 1 << 40)}),
    "corrupt": Kind(True, {"bytes": Whole(1, 1 << 20, 1)}),
    "garble": Kind(True),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind with all of its options."""

    kind: str
    options: Mapping[str, Any]

    @property
    def carried_out(self) -> bool:
        return KINDS[self.kind].carried_out

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.options}


@dataclass(slots=True)
class Rule:
    """One fault. `seen` counts the requests that fitted, `consumed` those that got the fault."""

    number: int
    operation: str | None
    method: str | None
    path: re.Pattern[str] | None
    fault: Fault
    times: int | None
    skip: int
    seen: int = 0
    consumed: int = 0

    def takes(self, operation: str | None, method: str, path: str) -> bool:
        """Whether the request is one to get the fault; counts it if it fits."""
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
            "fault": self.fault.to_json(),
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

    def add_file(self, account_id: str, path: Path) -> None:
        """Add the rules of a YAML or JSON file, a list of them. Raises FaultError that names the file and the rule."""
        try:
            rules = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise FaultError(str(path), f"cannot be read: {getattr(error, 'strerror', error)}") from None
        except (yaml.YAMLError, RecursionError) as error:
            raise FaultError(str(path), f"is neither YAML nor JSON: {' '.join(str(error).split())}") from None
        if not isinstance(rules, list):
            raise FaultError(str(path), "must hold a list of rules")
        for number, data in enumerate(rules, start=1):
            try:
                self.add(account_id, data)
            except FaultError as error:
                raise FaultError(f"{path}: rule {number}:", f"{error}".strip()) from None

    def take(self, account_id: str, operation: str | None, method: str, path: str) -> Rule | None:
        """The first rule that wants this request to get a fault; it is consumed by one."""
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
    operation = _text(match, "/match", "operation")
    if operation is not None and operation not in operations:
        raise FaultError("/match/operation", f"is no operation of the contract: {operation[:80]!r}")
    method = _text(match, "/match", "method")
    return Rule(
        number=0,
        operation=operation,
        method=None if method is None else method.upper(),
        path=_pattern(_text(match, "/match", "path")),
        fault=_fault(fault),
        times=_whole(data, "", "times", 1, 1_000_000_000),
        skip=_whole(data, "", "skip", 0, 1_000_000_000) or 0,
    )


def _fault(data: Mapping[str, Any]) -> Fault:
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise FaultError("/fault/kind", f"must be one of {', '.join(KINDS)}, got {str(kind)[:40]!r}")
    options = KINDS[kind].options
    _known(data, "/fault", ("kind", *options))
    return Fault(kind, {name: _option(data, name, form) for name, form in options.items()})


def _option(data: Mapping[str, Any], name: str, form: Whole | Seconds | Flag) -> Any:
    value = data.get(name)
    if value is None:
        return form.default
    if isinstance(form, Whole):
        return _whole(data, "/fault", name, form.least, form.most)
    if isinstance(form, Flag):
        if not isinstance(value, bool):
            raise FaultError(f"/fault/{name}", f"must be true or false, got {str(value)[:40]}")
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= form.most:
        raise FaultError(f"/fault/{name}", f"must be seconds from 0 to {form.most:g}, got {str(value)[:40]}")
    return value


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
