"""Wrong answers to every operation, and whether the interactions notice them.

`python -m contracts.mutations` in `tests` writes the table of docs/figures.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from conductor_contracts.contract import load
from conductor_contracts.interactions import Interaction, load_interactions
from conductor_contracts.markdown import table
from contracts.services import Answer, Exchange, Recording, Recordings, fake_in_process
from contracts.wrong_answers import NO_HEADER, PAGE, WrongAnswer, wrong_answers

OPERATIONS = sorted({one.operation for one in load_interactions() if one.operation})
NEVER_READ = {"WWW-Authenticate", "ETag", "X-Conductor-Mock-Warnings"}
"""Headers that no client misses; that of a part is asked for by interactions, and warnings are the fake's own."""


@cache
def interactions_with(operation: str | None) -> list[Interaction]:
    """Those in which an operation is asked for, its own ones first."""
    found = [
        one
        for one in load_interactions()
        if operation in {step.operation for step in (*one.steps, *one.cleanup)}
    ]
    return sorted(found, key=lambda one: one.operation != operation)


def unnoticed(
    recordings: Recordings, operation: str, *, refusals: bool
) -> Iterator[tuple[WrongAnswer, Answer]]:
    """The changes to answers, or to refusals, of an operation that no interaction notices, each with an example."""
    played = [recordings.of(one) for one in interactions_with(operation)]

    def is_meant(exchange: Exchange) -> bool:
        return exchange.operation == operation and (exchange.answer.status >= 400) == refusals

    right = _answers(recordings, operation, refusals=refusals)
    for wrong in _wrong(recordings, operation, refusals=refusals):

        def changed(exchange: Exchange, wrong: WrongAnswer = wrong) -> Answer:
            return wrong.of(exchange.answer) if is_meant(exchange) else exchange.answer

        if not any(
            recording.faults(changed)
            for recording in played
            if any(changed(one) != one.answer for one in recording.exchanges if is_meant(one))
        ):
            yield wrong, next(wrong.of(answer) for answer in right if wrong.of(answer) != answer)


def keeps_the_contract(operation: str, answer: Answer) -> bool:
    media_type = answer.header("Content-Type").partition(";")[0]
    return not load().operations[operation].check_response(answer.status, answer.json(), media_type)


def must_be_noticed(operation: str, wrong: WrongAnswer, answer: Answer) -> bool:
    """Whether a changed answer departs from the contract; its label and its headers are looked at here."""
    if wrong.place == "Content-Type":
        spec = load().operations[operation]
        takes_pages = "text/html" in spec.media_types[answer.status] and wrong.kind == PAGE
        return spec.response_schemas[answer.status] is not None and not takes_pages
    if wrong.kind == NO_HEADER:
        return wrong.place not in NEVER_READ
    return not keeps_the_contract(operation, answer)


def status_changes(recordings: Recordings, operation: str | None) -> Iterator[tuple[str, bool]]:
    """Each step of an operation's interactions with another status, and whether that is noticed."""
    for interaction in load_interactions():
        if interaction.operation == operation:
            recording = recordings.of(interaction)
            for number, exchange in enumerate(recording.exchanges):
                if exchange.step is not None:
                    yield f"{interaction.id}, request {number}", noticed_status(recording, number)


def noticed_status(recording: Recording, number: int) -> bool:
    """Whether another status of one answer is a fault."""
    wrong = recording.exchanges[number]
    assert wrong.step is not None
    other = next(one for one in (200, 400, 500) if one not in wrong.step.expect.status)
    status = other if wrong.answer.status >= 400 else 400 if 400 not in wrong.step.expect.status else 500
    return bool(recording.faults(lambda one: one.answer.with_status(status) if one is wrong else one.answer))


@dataclass(frozen=True)
class Tally:
    """How many wrong answers an operation was tried with, how many were caught, and how many broke no promise."""

    tried: int
    caught: int
    free: int

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.tried + other.tried, self.caught + other.caught, self.free + other.free)

    @property
    def row(self) -> tuple[str, ...]:
        """As cells: tried, caught, free, and the share of what is not free that was caught."""
        bound = self.tried - self.free
        return str(self.tried), str(self.caught), str(self.free), f"{100 * self.caught / bound:.4g} %"


def how_many(recordings: Recordings, operation: str) -> int:
    """How many wrong answers there are to an operation."""
    steps = sum(one.operation == operation for one in load_interactions() for _ in one.steps)
    return steps + sum(len(_wrong(recordings, operation, refusals=refusals)) for refusals in (False, True))


def tally(recordings: Recordings, operation: str) -> Tally:
    """Try an operation with every wrong answer."""
    statuses = [noticed for _, noticed in status_changes(recordings, operation)]
    found = Tally(len(statuses), sum(statuses), 0)
    for refusals in (False, True):
        missed = [
            must_be_noticed(operation, wrong, answer)
            for wrong, answer in unnoticed(recordings, operation, refusals=refusals)
        ]
        tried = len(_wrong(recordings, operation, refusals=refusals))
        found += Tally(tried, tried - len(missed), len(missed) - sum(missed))
    return found


@cache
def _wrong(recordings: Recordings, operation: str, *, refusals: bool) -> list[WrongAnswer]:
    return wrong_answers(_answers(recordings, operation, refusals=refusals), operation, refusals=refusals)


def _answers(recordings: Recordings, operation: str, *, refusals: bool) -> list[Answer]:
    return [
        exchange.answer
        for one in interactions_with(operation)
        for exchange in recordings.of(one).exchanges
        if exchange.operation == operation and (exchange.answer.status >= 400) == refusals
    ]


def main() -> None:
    """Write the table."""
    with tempfile.TemporaryDirectory() as folder, fake_in_process(Path(folder)) as fake:
        recordings = Recordings(fake)
        found = {operation: tally(recordings, operation) for operation in OPERATIONS}
    whole = sum(found.values(), Tally(0, 0, 0))
    rows = [(f"`{operation}`", *one.row) for operation, one in found.items()]
    headings = ("operation", "wrong answers", "caught", "keep the contract", "caught of the others")
    print(table(headings, [*rows, ("all", *whole.row)]))


if __name__ == "__main__":
    main()
