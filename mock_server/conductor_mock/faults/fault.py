"""What a kind of fault is: one class, which says everything of it.

    @dataclass(frozen=True, slots=True)
    class Delay(Fault):
        "The right answer, so many wall seconds late."     its row in docs/reference/server.md

        kind = "delay"                                      its name in rules
        seconds: float = wall_seconds(default=1.0, ...)     an option: its schema, command line, documentation

        def answer(self, first, exchange):                  what becomes of the answer
            exchange.wire.hold_back(self.seconds)
            return first

A request that fits a rule passes three methods, each of which has a default:

    choose    does it get the fault? Those that count, or remember, answer from what they remembered
    prepare   before it is carried out; a Refusal here is the answer, and that is all
    answer    on the answer's way out: change it, hold it back, lose it, or carry the request out again

Where nothing is to be carried out (yet) and `prepare` refused nothing, the request is refused with 503 in between: the
journal shows that, and so does an answer that cannot be broken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar, NoReturn, Protocol

from conductor_mock.faults.conditions import RequestInfo
from conductor_mock.wire.answer import Answer

TOKEN, URL = "token", "url"
"""What an account is handed out, which may be said to have expired."""


class Freed(Protocol):
    """Whether whoever waits because of a rule goes on, since the rule is deleted; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Look. Whoever waits asks again and again."""


class Wire(Protocol):
    """The way back to the client. What never returns raises an error that its server takes for a lost client.

    Each reads what is left of the request's body first, unless told not to: the client has then sent everything.
    """

    def free_with(self, freed: Freed) -> None:
        """Let the waits of this request be over once that is set."""

    def hold_back(self, seconds: float) -> bool:
        """Let wall time pass. True at once if the fault is deleted; False if the client leaves or the server stops."""

    def stall(self, seconds: float) -> NoReturn:
        """Say nothing for so long, or until the client goes away; then close."""

    def reset(self, *, read_body: bool) -> NoReturn:
        """Break the connection with a TCP reset."""

    def close(self) -> NoReturn:
        """Close the connection."""

    def garble(self, junk: bytes) -> NoReturn:
        """Send this in place of an answer, and close."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that was carried out, as a fault sees it: the way back, the environ, and how to carry it out again."""

    wire: Wire
    environ: dict[str, Any]
    again: Callable[[], Answer]
    from_byte: int = 0
    """The byte at which the fault is to begin."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault with all of its options, which are its fields (`options`)."""

    kind: ClassVar[str]
    carried_out: ClassVar[int] = 1
    """How often the request is carried out: 0, 1 or 2."""
    of_answer: ClassVar[bool] = False
    """Whether it is about the body of the right answer: `from_byte` counts in that one, else in the request's."""

    def choose(
        self, memory: Any, asked: RequestInfo, handed_out: Mapping[str, int]
    ) -> tuple[Any, Fault | None]:
        """What to remember, and what a request that fits gets: this fault, another one, or None to be served.

        `memory` is what the last call remembered, None at first; `handed_out` counts the tokens and URLs that the
        account was given. Decides, and changes nothing.
        """
        return memory, self

    @property
    def refused_first(self) -> bool:
        """Whether the request is refused before `answer` is called."""
        return not self.carried_out

    def prepare(self, environ: dict[str, Any]) -> None:
        """Look at a request before it is carried out. Raises Refusal, which is then the answer."""

    def answer(self, first: Answer, exchange: Exchange) -> Answer:
        """What to send instead of the app's answer; does not return where nothing is to be sent."""
        return first

    @classmethod
    def options(cls) -> tuple[Field[Any], ...]:
        """Its options, in order."""
        return fields(cls)

    @classmethod
    def effect(cls) -> str:
        """What the client gets, in a sentence: the class's docstring."""
        return " ".join((cls.__doc__ or "").split())

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **{option.name: getattr(self, option.name) for option in self.options()}}


def first_ones(fault: Fault, memory: Any, handed_out: int) -> tuple[Any, Fault | None]:
    """For `choose`: the fault until the account is handed out something new, which is told by the count of it."""
    began = handed_out if memory is None else memory
    return began, fault if handed_out == began else None
