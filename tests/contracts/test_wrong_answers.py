"""The verifier notices wrong answers: of every operation, every status, and every field, one change at a time.

Right answers are recorded from the fake, and played back with the change; so a new operation is part of this as soon
as it has an interaction. What behaves wrongly from one request to the next is in `test_verify`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conductor_contracts.contract import load
from conductor_contracts.interactions import load_interactions
from contracts.mutations import OPERATIONS, how_many, must_be_noticed, status_changes, unnoticed
from contracts.services import Answer, Exchange, Recordings
from contracts.wrong_answers import LISTS, VALUE

UNNOTICED = Path(__file__).with_name("unnoticed.yaml")


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
    assert [step for step, noticed in status_changes(recordings, operation) if not noticed] == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_tried_with_twenty_wrong_answers_or_more(
    recordings: Recordings, operation: str
) -> None:
    assert how_many(recordings, operation) >= 20


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
