"""What a dataclass states is what is written of it: a field that is added needs no second place, and none is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any

import pytest

from conductor_mock.farm import snapshot
from conductor_mock.farm.encoding import EncodingError, Forms, codec_of, stored_as
from conductor_mock.farm.state import DERIVED, Attempt, Job, State, Task
from support.golden import FOLDER, replayed
from support.states import image

RICH = replayed(FOLDER / "rich.jsonl")


@dataclass(slots=True)
class LaterTask(Task):
    """A task of a version to come, which knows one thing more."""

    colour: str = ""
    marked: tuple[int, ...] = ()


@dataclass(slots=True)
class LaterJob(Job):
    """A job of a version to come."""

    colour: str = "none"
    dates: list[int] = field(default_factory=list)


@dataclass(slots=True)
class LaterState(State):
    """A state of a version to come, with an index that nobody makes again."""

    by_owner: dict[str, list[int]] = field(default_factory=dict, metadata=DERIVED)


FORMS = replace(
    snapshot.FORMS,
    rows=snapshot.FORMS.rows | {LaterTask},
    kept={**(snapshot.FORMS.kept or {}), LaterTask: frozenset(), LaterJob: (snapshot.FORMS.kept or {})[Job]},
)


def text(value: Any) -> Any:
    return json.loads(json.dumps(value))


def grown(cls: Any, value: Any, **more: Any) -> Any:
    """The value as one of a later class."""
    return cls(**{one.name: getattr(value, one.name) for one in fields(value)}, **more)


def test_a_field_that_is_added_to_a_task_comes_back_and_is_missing_in_what_was_written_before() -> None:
    then, later = codec_of(Task, snapshot.FORMS), codec_of(LaterTask, FORMS)
    for task in (task for job in RICH.jobs.values() for task in job.tasks):
        red = grown(LaterTask, task, colour="red", marked=(1, 2))
        assert later.decode(text(later.encode(red))) == red
        assert later.decode(text(then.encode(task))) == grown(LaterTask, task)
        assert later.encode(grown(LaterTask, task)) == then.encode(task), "bundles have the hash of it"
        with pytest.raises(EncodingError, match="Task has 12 values, this version knows 3 to 10"):
            then.decode(text(later.encode(red)))


def test_a_field_that_is_added_to_a_job_comes_back_and_is_missing_in_what_was_written_before() -> None:
    forms = replace(FORMS, omitted=lambda cls, one: one.name == "tasks" or snapshot.FORMS.omitted(cls, one))
    then, later = codec_of(Job, snapshot.FORMS), codec_of(LaterJob, forms)
    for job in RICH.jobs.values():
        bare = replace(job, tasks=[], **{one.name: _default(one) for one in fields(job) if one.metadata})
        red = grown(LaterJob, bare, colour="red", dates=[1])
        assert later.decode(text(later.encode(red))) == red
        assert later.decode(text(then.encode(job))) == grown(LaterJob, bare)
        assert later.encode(grown(LaterJob, bare)) == then.encode(job), "bundles have the hash of it"
        with pytest.raises(
            EncodingError, match="Job has 'colour', 'dates', which this version does not know"
        ):
            then.decode(text(later.encode(red)))


def _default(one: Any) -> Any:
    return one.default_factory() if callable(one.default_factory) else one.default


def test_an_index_that_is_added_is_compared_or_the_comparison_says_what_it_lacks() -> None:
    with pytest.raises(AssertionError, match=r"does not say how the index LaterState\.by_owner is compared"):
        image(grown(LaterState, RICH))


class Colour(str, Enum):
    RED = "red"
    GREEN = "green"


@dataclass(frozen=True)
class Inner:
    colour: Colour
    amount: int = field(default=0, metadata=stored_as("n"))


@dataclass(frozen=True)
class Outer:
    inner: Inner
    several: tuple[Inner, ...]
    pairs: list[tuple[int, Colour]]
    table: dict[str, tuple[str, int]]
    by_colour: Mapping[Colour, int]
    maybe: Colour | None = None
    numbers: frozenset[int] = frozenset()


OUTER = Outer(
    Inner(Colour.RED, 3),
    (Inner(Colour.GREEN), Inner(Colour.RED)),
    [(1, Colour.RED)],
    {"a": ("b", 1)},
    {Colour.GREEN: 2},
    Colour.RED,
    frozenset({3, 1}),
)
JSON = {
    "inner": {"colour": "red", "n": 3},
    "several": [{"colour": "green", "n": 0}, {"colour": "red", "n": 0}],
    "pairs": [[1, "red"]],
    "table": {"a": ["b", 1]},
    "by_colour": {"green": 2},
    "maybe": "red",
    "numbers": [1, 3],
}


def test_a_value_comes_back_from_its_json_by_its_types() -> None:
    codec = codec_of(Outer, Forms())

    assert text(codec.encode(OUTER)) == JSON
    assert codec.decode(text(codec.encode(OUTER))) == OUTER


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"inner": {"colour": "blue"}}, "'blue' is not known; known are 'red', 'green'"),
        ({"maybe": ["red"]}, "is not known; known are 'red', 'green'"),
        ({"inner": {}}, "Inner lacks 'colour'"),
        ({"inner": "red"}, "Inner must be an object, got 'red'"),
        ({"inner": {"colour": "red", "amount": 3}}, "Inner has 'amount', which this version does not know"),
        ({"other": 1}, "Outer has 'other', which this version does not know"),
    ],
)
def test_json_of_another_form_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(EncodingError, match=words):
        codec_of(Outer, Forms()).decode({**JSON, **change})


@pytest.mark.parametrize("hint", [bytes, int | str, dict[str, bytes], list[object]])
def test_a_type_that_has_no_form_is_refused_before_anything_is_written(hint: Any) -> None:
    with pytest.raises(TypeError):
        codec_of(hint, Forms())


def test_a_row_has_all_its_fields_and_plain_defaults() -> None:
    @dataclass
    class Listed:
        number: int
        several: list[int] = field(default_factory=list)

    with pytest.raises(TypeError, match="Listed is a row"):
        codec_of(Listed, Forms(rows=frozenset({Listed})))


def test_a_snapshot_of_a_newer_version_is_refused_by_the_field_that_it_has_more() -> None:
    written = text(snapshot.write(RICH))
    written["jobs"][0]["colour"] = "red"

    with pytest.raises(snapshot.SnapshotError, match="newer conductor-mock: Job has 'colour'"):
        snapshot.read(written)


def test_every_default_that_is_written_all_the_same_is_a_field() -> None:
    for cls, names in (snapshot.FORMS.kept or {}).items():
        assert names <= {one.name for one in fields(cls)}, cls
    assert Attempt in (snapshot.FORMS.kept or {})
