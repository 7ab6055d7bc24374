"""Refusals: one JSON shape on every route, one function per meaning.

    {"status": "error", "message": "...", "errors": [{"path": "/tasks_data/0/command", "message": "..."}]}

A refusal says what was received, what would have been accepted, and, where state decides, what made it so. 4xx means
that nothing was stored. The path of a problem is a JSON pointer into the body, or names a header, parameter or option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conductor_contracts.near_miss import told
from conductor_contracts.problems import Problem, step_of


@dataclass(eq=False)
class Refusal(Exception):
    """A request that is answered with an error status."""

    status: int
    message: str
    problems: Sequence[Problem] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks_contract: bool = False
    """Whether the problems are all that the contract has against the request."""

    def to_json(self) -> dict[str, object]:
        return {
            "status": "error",
            "message": self.message,
            "errors": [{"path": problem.path, "message": problem.message} for problem in self.problems],
        }


def bad_request(message: str, *problems: Problem) -> Refusal:
    """The request cannot be meant: malformed, or against the contract."""
    return Refusal(400, message, problems)


def invalid(where: str, problems: Sequence[Problem]) -> Refusal:
    """The request is against the contract; the first of its problems are told in the message."""
    return Refusal(400, f"{where}: {told(problems)}", problems, breaks_contract=True)


def parameters(problems: Sequence[Problem]) -> list[Problem]:
    """Problems of a query as a refusal tells them: by the names of the parameters, which are no pointers."""
    return [Problem(step_of(problem.path), problem.message) for problem in problems]


def wrong_value(name: str, message: str) -> Refusal:
    """A query parameter, form field or header that cannot be meant."""
    return bad_request(f"{name} {message}", Problem(name, message))


def unauthorized(message: str) -> Refusal:
    """No valid token."""
    return Refusal(401, message, (Problem("Authorization", message),), {"WWW-Authenticate": "Bearer"})


def forbidden(message: str, *problems: Problem) -> Refusal:
    """A valid caller that may not do this."""
    return Refusal(403, message, problems)


def not_found(message: str, *problems: Problem) -> Refusal:
    """There is no such thing."""
    return Refusal(404, message, problems)


def conflict(message: str, *problems: Problem) -> Refusal:
    """What is asked for is possible, but not in the present state, which the message tells."""
    return Refusal(409, message, problems)


def too_large(limit: int) -> Refusal:
    """A body over the limit."""
    message = f"the request body is larger than the limit of {limit} bytes"
    return Refusal(413, message, (Problem("", message),), {"Connection": "close"})


def unsupported_media_type(accepted: str, received: str | None) -> Refusal:
    """A body of another kind."""
    message = f"Content-Type must be {accepted}, got {received or 'none'}"
    return Refusal(415, message, (Problem("Content-Type", message),))


def unsupported_coding(received: str) -> Refusal:
    """A body that is compressed."""
    message = f"send the body as it is: Content-Encoding {received[:40]!r} is not unpacked here"
    return Refusal(415, message, (Problem("Content-Encoding", message),), {"Accept-Encoding": "identity"})


def unavailable(message: str) -> Refusal:
    """Try again later."""
    return Refusal(503, message, (), {"Retry-After": "1"})


def too_many_requests(message: str, wait_s: int) -> Refusal:
    """What is done too often; it may be done again after `wait_s` seconds."""
    return Refusal(429, message, (), {"Retry-After": str(wait_s)})


def disk_full() -> Refusal:
    """The server's disk took nothing more; nothing half-written was kept."""
    return Refusal(507, "the disk of the fake service is full; nothing of this request was kept")
