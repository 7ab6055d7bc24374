from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conductor_mock.errors import Refusal
from conductor_mock.faults.fault import Fault
from conductor_mock.faults.options import whole_number


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """That status, in the one shape of errors, with a `Retry-After` if asked for."""

    kind = "status"
    carried_out = 0
    status: int = whole_number(default=503, least=400, most=599, meaning="the status to answer with")
    retry_after: int | None = whole_number(
        default=None,
        least=0,
        most=86400,
        meaning="seconds for the `Retry-After` header",
        otherwise="no header",
    )

    def prepare(self, environ: dict[str, Any]) -> None:
        """Refuse."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        raise Refusal(self.status, f"status {self.status}", (), headers)
