from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conductor_mock.errors import Refusal
from conductor_mock.faults.conditions import RequestInfo
from conductor_mock.faults.fault import Fault
from conductor_mock.faults.options import flag, wall_seconds, whole_number


@dataclass(frozen=True, slots=True)
class Quota(Fault):
    """429 with a `Retry-After` once so many requests that fit were served within so many seconds; those are not
    counted as `consumed`. The time begins with the first of them, and is the machine's, or with `simulated` the
    account's.
    """

    kind = "quota"
    carried_out = 0
    requests: int = whole_number(
        default=10, least=1, most=1_000_000, meaning="how many are served in that time"
    )
    seconds: float = wall_seconds(
        default=1.0, least=1, most=86400, meaning="the time, from the first of the requests"
    )

    simulated: bool = flag(default=False, meaning="seconds of the account's clock, `Retry-After` too")

    def choose(
        self, memory: Any, asked: RequestInfo, handed_out: Mapping[str, int]
    ) -> tuple[Any, Fault | None]:
        """Serve what is within the quota. Remembers when the time began, and how many were served since."""
        now_s = asked.simulated_s if self.simulated else asked.wall_s
        began_s, served = memory or (now_s, 0)
        if not 0 <= now_s - began_s < self.seconds:  # over, or a clock that stepped back
            began_s, served = now_s, 0
        if served < self.requests:
            return (began_s, served + 1), None
        return memory, _OverQuota(self, math.ceil(began_s + self.seconds - now_s))


@dataclass(frozen=True, slots=True)
class _OverQuota(Fault):
    """A request that comes too early by `wait` seconds."""

    carried_out = 0
    quota: Quota
    wait: int

    def prepare(self, environ: dict[str, Any]) -> None:
        """Refuse."""
        unit = "simulated seconds" if self.quota.simulated else "s"
        message = f"{self.quota.requests} requests in {self.quota.seconds:g} {unit} were served, no more are"
        raise Refusal(429, message, (), {"Retry-After": str(self.wait)})
