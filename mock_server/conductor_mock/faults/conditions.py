"""The conditions of a rule, whatever its kind: which requests fit it, and which of those get the fault.

`Match` says what fits. Of what fits, `Turns` says whose turn it is: the first `skip` are served, then each `every`-th
is chosen, with a `probability` that is drawn anew for each, until `times` of them had the fault.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from conductor_mock.faults.paths import PathPattern


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request as rules see it.

    `operation` is None where there is none. `wall_s` and `simulated_s` are the time in seconds since the epoch, of the
    machine and of the account; `body_bytes` is what Content-Length says, None for a body in chunks; `has_token` and
    `has_signature` say how it was let in. `body` is the JSON that it carries, in a tuple, once `read_body` was
    asked for it; None where it carries none.
    """

    operation: str | None
    method: str
    path: str
    wall_s: float
    simulated_s: float
    body_bytes: int | None
    has_token: bool
    has_signature: bool
    body: tuple[Any] | None = None
    read_body: Callable[[], tuple[Any] | None] = lambda: None


@dataclass(frozen=True, slots=True)
class BodyMatch:
    """A place in a body, as a JSON pointer (RFC 6901), and the value that must be there."""

    pointer: str
    value: Any

    def fits(self, body: Any) -> bool:
        """Whether the value is there. To JSON, and so here, 3.0 is 3 and true is not 1."""
        for step in self.pointer.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(body, dict) and name in body:
                body = body[name]
            elif isinstance(body, list) and _is_index(name) and int(name) < len(body):
                body = body[int(name)]
            else:
                return False
        return _is_same(body, self.value)


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests fit: all that is said here must be so. `until` is a time of the account's clock."""

    operation: str | None = None
    method: str | None = None
    path: PathPattern | None = None
    body: BodyMatch | None = None
    until: str | None = None
    least_body: int = 0
    """Bytes that a request's body must have, where its length is known."""

    def fits_head(self, asked: RequestInfo) -> bool:
        """Whether a request fits as far as its head tells."""
        if self.operation is not None and self.operation != asked.operation:
            return False
        if self.method is not None and self.method != asked.method:
            return False
        if self.until is not None and asked.simulated_s >= seconds_of(self.until):
            return False
        if asked.body_bytes is not None and asked.body_bytes < self.least_body:
            return False
        return self.path is None or self.path.fits(asked.path)

    def fits(self, asked: RequestInfo) -> bool:
        """Whether a request fits."""
        if not self.fits_head(asked):
            return False
        return self.body is None or (asked.body is not None and self.body.fits(asked.body[0]))

    def to_json(self) -> dict[str, Any]:
        body = self.body and {"pointer": self.body.pointer, "value": self.body.value}
        match = {
            "operation": self.operation,
            "method": self.method,
            "path": self.path and self.path.text,
            "body": body,
        }
        return {name: value for name, value in match.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Turns:
    """Which of the requests that fit are chosen."""

    times: int | None = None
    skip: int = 0
    every: int = 1
    probability: float = 1.0
    seed: int = 1

    def chooses(self, seen: int, consumed: int) -> bool:
        """Whether the `seen`-th request that fits (the first is 1) is chosen, after `consumed` had the fault.

        What is drawn hangs on the seed and on that number alone, so the same requests meet the same faults again.
        """
        if seen <= self.skip or (self.times is not None and consumed >= self.times):
            return False
        if (seen - self.skip) % self.every:
            return False
        return random.Random(f"{self.seed} {seen}").random() < self.probability  # noqa: S311 - no secret

    def to_json(self) -> dict[str, Any]:
        return {
            "times": self.times,
            "skip": self.skip,
            "every": self.every,
            "probability": self.probability,
            "seed": self.seed,
        }


def seconds_of(time: str) -> float:
    """A time such as `2026-11-22T14:05:00Z` in seconds since the epoch. Raises ValueError for what is none."""
    return datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()


def _is_index(text: str) -> bool:
    """Whether a step of a pointer is a place in a list: digits, no leading zero, and no more than any list has."""
    return text.isascii() and text.isdigit() and len(text) < 10 and (text == "0" or text[0] != "0")


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same to JSON. Neither is nested deeper than what is read here can be."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    return bool(one == other)
