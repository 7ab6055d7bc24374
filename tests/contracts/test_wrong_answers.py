"""The verifier notices wrong answers: of every operation, every status, and every field, one change at a time.

Right answers are recorded from the fake, and played back with the change; so a new operation is part of this as soon
as it has an interaction. What behaves wrongly from one request to the next is in `test_verify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from conductor_contracts.contract import load
from conductor_contracts.interactions import Interaction, load_interactions
from contracts.services import Answer, Exchange, Recording, Recordings
from contracts.wrong_answers import LISTS, NO_HEADER, PAGE, VALUE, WrongAnswer, wrong_answers

OPERATIONS = sorted({one.operation for one in load_interactions() if one.operation})
NEVER_READ = {"WWW-Authenticate", "ETag", "X-Conductor-Mock-Warnings"}
"""Headers that no client misses; that of a part is asked for by interactions, and warnings are the fake's own."""
UNNOTICED = Path(__file__).with_name("unnoticed.yaml")


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

    right = [one.answer for recording in played for one in recording.exchanges if is_meant(one)]
    for wrong in wrong_answers(right, operation, refusals=refusals):

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


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_the_contract_forbids_is_noticed_and_values_that_nobody_looks_at_are_listed(
    recordings: Recordings, operation: str
) -> None:
    passed = list(unnoticed(recordings, operation, refusals=False))

    assert [str(wrong) for wrong, answer in passed if must_be_noticed(operation, wrong, answer)] == []
    said = yaml.safe_load(UNNOTICED.read_text(encoding="utf-8"))
    for kind in (VALUE, *LISTS):
        found = sorted(wrong.place for wrong, _ in passed if wrong.kind == kind)
        assert found == sorted(said[kind].get(operation, [])), (
            f"let an interaction look at these, or say so in {UNNOTICED.name}: {kind}: {{{operation}: {found}}}"
        )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_refusals_are_held_to_the_one_error_shape(recordings: Recordings, operation: str) -> None:
    """Their texts are free, and where several places are wrong one is enough."""
    passed = list(unnoticed(recordings, operation, refusals=True))

    assert [str(wrong) for wrong, answer in passed if must_be_noticed(operation, wrong, answer)] == []


@pytest.mark.parametrize("operation", [*OPERATIONS, None], ids=str)
def test_every_status_is_looked_at(recordings: Recordings, operation: str | None) -> None:
    """Each step on its own: done where it should be refused, refused where it should be done."""
    passed = []
    for interaction in load_interactions():
        if interaction.operation == operation:
            recording = recordings.of(interaction)
            for number, step in enumerate(recording.exchanges):
                if step.step is not None and not noticed_status(recording, number):
                    passed.append(f"{interaction.id}, request {number}")
    assert passed == []


def noticed_status(recording: Recording, number: int) -> bool:
    """Whether another status of one answer is a fault."""
    wrong = recording.exchanges[number]
    assert wrong.step is not None
    other = next(one for one in (200, 400, 500) if one not in wrong.step.expect.status)
    status = other if wrong.answer.status >= 400 else 400 if 400 not in wrong.step.expect.status else 500
    return bool(recording.faults(lambda one: one.answer.with_status(status) if one is wrong else one.answer))


def test_the_list_of_what_nobody_looks_at_names_operations() -> None:
    said = yaml.safe_load(UNNOTICED.read_text(encoding="utf-8"))
    assert set(said) == {VALUE, *LISTS}
    assert {operation for kind in said.values() for operation in kind} <= set(OPERATIONS)


def test_right_answers_that_say_more_or_say_it_in_other_words_pass(recordings: Recordings) -> None:
    """The interactions ask for what the contract says, not for what the fake happens to answer."""
    told = {one.id: recordings.of(one).faults(in_other_words) for one in load_interactions()}

    assert {name: faults for name, faults in told.items() if faults} == {}


def in_other_words(exchange: Exchange) -> Answer:
    """The same answer with fields that nobody knows wherever the contract takes them, or a longer refusal."""
    answer, operation = exchange.answer, exchange.operation
    if operation in (None, "control") or not answer.is_json:
        return answer
    if answer.status >= 400:
        return answer.with_body({**answer.body, "message": f"{answer.body['message']} (in other words)"})
    more = with_more(answer.body)
    while refused := load().operations[str(operation)].check_response(answer.status, more):
        for problem in refused:
            without_more(more, problem.path)
    return answer.with_body(more)


def with_more(body: Any) -> Any:
    """A copy with one field more in every object."""
    if isinstance(body, dict):
        return {**{name: with_more(value) for name, value in body.items()}, "more": 1}
    return [with_more(item) for item in body] if isinstance(body, list) else body


def without_more(body: Any, place: str) -> None:
    """Take the field away again where the contract takes no other fields."""
    *steps, last = place.split("/")[1:]
    assert last == "more", place
    for step in steps:
        body = body[int(step)] if isinstance(body, list) else body[step.replace("~1", "/")]
    del body["more"]
