"""One request to be made, as a value: what it says, whose token it carries, and where its answer goes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from conductor.lib.exceptions import ConductorError
from conductor.lib.wire.operations import Operation
from conductor.lib.wire.outcomes import Answer
from conductor.lib.wire.refusals import Attempted, unexpected

OpenBody = Callable[[], io.RawIOBase]
"""Opens the bytes of a request anew for every attempt."""


class Tokens(Protocol):
    """Where bearer tokens come from."""

    def token(self) -> str:
        """Return a token that is believed to be valid."""
        ...

    def renew(self, refused: str) -> str:
        """Return another token than the one that the server refused."""
        ...


class Sink(Protocol):
    """Takes the body of a success block by block, where it is not to be held in memory."""

    def missing(self) -> Mapping[str, str]:
        """Return the headers that ask for what is still missing; called before every attempt."""
        ...

    def receive(self, status: int, headers: Mapping[str, str], blocks: Iterator[bytes]) -> None:
        """Take the blocks of one attempt. What it raises itself ends the call."""
        ...


class Call(NamedTuple):
    """One request to be made, as often as it takes. Made by ``calls`` alone.

    ``body`` is bytes, or a function that opens a new stream of ``length`` bytes for every attempt. ``into``
    takes the body of a success, whose answer then has no content. ``about`` and ``advice`` complete error
    messages (see ``refusals``). ``key`` makes one request of several: it is sent as Idempotency-Key, and lets the
    call be repeated where the service said that it honours keys. ``once``: it is not repeated after a wait.
    """

    operation: Operation
    url: str
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes | OpenBody | None = None
    length: int = 0
    into: Sink | None = None
    tokens: Tokens | None = None
    about: str = ""
    advice: str = ""
    key: str = ""
    once: bool = False

    def __repr__(self) -> str:
        return f"Call({self.operation.id}, about={self.about!r})"  # the URL may be a permission


class Sent(NamedTuple):
    """An answer together with the call that it answers, so that a reader can complain about it."""

    answer: Answer
    attempted: Attempted

    def json(self) -> Any:
        """Return the body as JSON. Raises UnexpectedAnswerError (OutcomeUnknownError for jobs.create)."""
        try:
            return self.answer.json()
        except ValueError as error:
            reason = f"its body is not JSON ({error}): {self.answer.message()!r}"
        raise self.unexpected(reason)

    def unexpected(self, reason: str) -> ConductorError:
        """Return the error for an answer that breaks the protocol in the way described."""
        return unexpected(reason, self.answer, self.attempted)
