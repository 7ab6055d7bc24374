"""What a test hands to the kit, made into what the control API takes; what cannot be meant is said at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from conductor_contracts.contract import load as load_contract
from conductor_contracts.operation import advice_on_operation
from conductor_contracts.problems import advice
from conductor_mock.settings import Settings


def known_operation(name: str) -> str:
    """An operation id of the contract. Raises ValueError with the one probably meant, TypeError for what is no text."""
    known: Sequence[str] = list(load_contract().operations)
    if not isinstance(name, str):
        raise TypeError(f"an operation is a text such as 'jobs.create', one at a time, not {name!r}")
    if name in known:
        return name
    raise ValueError(f"the contract has no operation {name!r}{advice_on_operation(name, known)}")


def body_condition(body: object) -> dict[str, Any]:
    """What must be in a request's JSON, from a pair of a JSON pointer and the value there. Raises ValueError."""
    if isinstance(body, (tuple, list)) and len(body) == 2 and isinstance(body[0], str):
        return {"pointer": body[0], "value": body[1]}
    raise ValueError(f"body is a JSON pointer and a value, such as ('/project', 'default'), not {body!r}")


def text_of_numbers(value: Any) -> Any:
    """The same with whole numbers as text: jobs, tasks and frames are named by either, and so is metadata."""
    if isinstance(value, Mapping):
        return {name: text_of_numbers(one) for name, one in value.items()}
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


WORDS: Mapping[type, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
    tuple: "a tuple of texts",
    NoneType: "None",
    Mapping: "a document",
}
"""What a type of a setting is called."""


def settings_of(options: Mapping[str, Any], *more: str) -> Settings:
    """The settings of these names. Raises TypeError for another, with what was probably meant of them and `more`, and
    for a value of another type than the setting has.
    """
    types = _types()
    known = list(types)
    for name, value in options.items():
        if name not in known:
            raise TypeError(f"there is no option {name!r}{advice(name, [*known, *more])}")
        accepted = [get_origin(one) or one for one in get_args(types[name]) or [types[name]]]
        if get_origin(types[name]) is tuple:
            accepted = [tuple]
        if name == "catalog":  # here it may be a document too
            accepted.append(Mapping)
        if not any(_is(value, one) for one in accepted):
            words = " or ".join(WORDS.get(one, f"a {one.__name__}") for one in accepted)
            raise TypeError(f"{name} must be {words}, not {value!r}")
    return Settings(**options)


@cache
def _types() -> Mapping[str, Any]:
    """The settings, each with its type."""
    hints = get_type_hints(Settings)
    return {one.name: hints[one.name] for one in fields(Settings)}


def _is(value: Any, accepted: type) -> bool:
    """Whether a value is of a setting's type: a truth value is no number, a whole number is one."""
    if isinstance(value, bool):
        return accepted is bool
    return isinstance(value, (int, float) if accepted is float else accepted)
