from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conductor_contracts.problems import Problem
from conductor_mock.errors import forbidden
from conductor_mock.faults.conditions import RequestInfo
from conductor_mock.faults.fault import URL, Fault, first_ones


@dataclass(frozen=True, slots=True)
class ExpiredUrl(Fault):
    """403, as for a signed URL that has expired, until the account is given a new one; from then on every URL is good.
    For requests to signed URLs.
    """

    kind = "expired_url"
    carried_out = 0

    def choose(
        self, memory: Any, asked: RequestInfo, handed_out: Mapping[str, int]
    ) -> tuple[Any, Fault | None]:
        """Refuse the URLs of before."""
        return first_ones(self, memory, handed_out[URL]) if asked.has_signature else (memory, None)

    def prepare(self, environ: dict[str, Any]) -> None:
        """Refuse."""
        message = "the signed URL has expired; ask for a new one"
        raise forbidden(message, Problem("signature", message))
