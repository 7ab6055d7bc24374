from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conductor_mock.errors import unauthorized
from conductor_mock.faults.conditions import RequestInfo
from conductor_mock.faults.fault import TOKEN, Fault, first_ones


@dataclass(frozen=True, slots=True)
class ExpiredToken(Fault):
    """401, as for a token that has expired, until the account is given a new one; from then on every token is good. For
    requests that carry one.
    """

    kind = "expired_token"
    carried_out = 0

    def choose(
        self, memory: Any, asked: RequestInfo, handed_out: Mapping[str, int]
    ) -> tuple[Any, Fault | None]:
        """Refuse the tokens of before."""
        return first_ones(self, memory, handed_out[TOKEN]) if asked.has_token else (memory, None)

    def prepare(self, environ: dict[str, Any]) -> None:
        """Refuse."""
        message = "the token has expired; fetch a new one from /api/oauth_jwt"
        raise unauthorized(message)
