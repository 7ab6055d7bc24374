"""The JSON Schemas of file formats: what ships is of their form, and what is not is told by its place."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.cli import main
from conductor_contracts.file_formats import FORMATS, problems_of, schema_text
from conductor_mock.bundles import manifest
from conductor_mock.bundles.errors import BundleError
from support.bundles import parts_of, save
from support.schema_keywords import EXPLAINED_KEYWORDS
from support.server import running

PACKAGE = files("conductor_contracts")


def shipped(name: str) -> list[Any]:
    """The documents of a format that come with the package."""
    folder = PACKAGE.joinpath(name)
    paths = list(folder.iterdir()) if folder.is_dir() else [PACKAGE.joinpath(f"{name}.yaml")]
    return [
        yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        for path in paths
        if path.name.endswith(".yaml")
    ]


WRITTEN = {name: shipped(name) for name in FORMATS if name != "bundle-manifest"}


def objects(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every object in a document."""
    if isinstance(value, dict):
        yield place
        for name, below in value.items():
            yield from objects(below, (*place, name))
    elif isinstance(value, list):
        for number, below in enumerate(value):
            yield from objects(below, (*place, number))


def at(value: Any, place: tuple[str | int, ...]) -> Any:
    for step in place:
        value = value[step]
    return value


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_a_schema_that_can_be_explained(name: str) -> None:
    schema = json.loads(schema_text(name))
    jsonschema_rs.meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    around = {"$schema", "$defs", "title", "description", "x-expect", "x-fault"}
    for place in objects(schema):
        within = place[-1] if place else None
        if within not in ("properties", "$defs", "x-fault"):
            assert set(at(schema, place)) <= EXPLAINED_KEYWORDS | around, place


def test_every_schema_that_ships_is_one_of_a_format() -> None:
    names = {path.name for path in PACKAGE.joinpath("file_schemas").iterdir()}
    assert names == {f"{name}.schema.json" for name in FORMATS}


@pytest.mark.parametrize("name", WRITTEN)
def test_what_ships_is_of_its_format(name: str) -> None:
    assert WRITTEN[name]
    for document in WRITTEN[name]:
        assert problems_of(name, document) == []


FREE = {"body", "claims", "headers", "query", "form", "files", "capture", "statuses", "attempts", "actions"}
FREE |= {"faults", "digests"}
"""Fields that hold names or values of somebody else."""


@given(st.data())
def test_a_field_that_the_format_does_not_know_is_told_by_its_place(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(WRITTEN)))
    document = copy.deepcopy(data.draw(st.sampled_from(WRITTEN[name])))
    closed = [place for place in objects(document) if FREE.isdisjoint(place)]
    place = data.draw(st.sampled_from(closed))
    at(document, place)["xyzzy"] = 1
    pointer = "".join(f"/{step}" for step in (*place, "xyzzy"))
    assert pointer in [problem.path for problem in problems_of(name, document)]


@given(st.data())
def test_a_field_that_is_of_another_kind_or_gone_is_told(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(WRITTEN)))
    document = copy.deepcopy(data.draw(st.sampled_from(WRITTEN[name])))
    definitions = json.loads(schema_text(name))
    required = {
        field for one in (definitions, *definitions["$defs"].values()) for field in one.get("required", ())
    }
    closed = [place for place in objects(document) if FREE.isdisjoint(place)]
    place = data.draw(st.sampled_from([one for one in closed if required & at(document, one).keys()]))
    found = at(document, place)
    field = data.draw(st.sampled_from(sorted(required & found.keys())))
    # Not {"not": "this"}: a mapping of texts to texts may hold that.
    changed = data.draw(st.sampled_from([..., {"not": 7.5}, 7.5]))
    if changed is ...:
        del found[field]
    else:
        found[field] = changed
    if field == "operation" and changed is ... and place:
        return  # a step may leave it out
    assert problems_of(name, document), (place, field)


def test_a_bundle_has_a_manifest_of_its_format() -> None:
    with running() as fake:
        caller = fake.caller()
        caller.upload("/proj/a.ma", b"scene")
        caller.submit()
        document = json.loads(parts_of(save(caller))["manifest.json"])
    assert problems_of("bundle-manifest", document) == []
    for field in document:
        wrong = {name: value for name, value in document.items() if name != field}
        assert [problem.path for problem in problems_of("bundle-manifest", wrong)] == [f"/{field}"]
        assert problems_of("bundle-manifest", {**document, field: [document[field]]})
        if field != "with_files":
            with pytest.raises(BundleError):
                manifest.read(json.dumps(wrong).encode())


def test_schema_lists_the_formats_and_writes_one() -> None:
    listed = CliRunner().invoke(main, ["schema"])
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.output.splitlines()] == list(FORMATS)
    written = CliRunner().invoke(main, ["schema", "retries"])
    assert written.output == schema_text("retries")
    assert CliRunner().invoke(main, ["schema", "retrys"]).exit_code == 2
    with pytest.raises(KeyError):
        schema_text("../openapi")
