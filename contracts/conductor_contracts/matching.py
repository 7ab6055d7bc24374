"""Comparing an answer with what an interaction expects, and saying where they differ.

Plain values must be equal, plain lists equal item by item; of a plain object every field named must
match, others may be there. An object whose fields all begin with ``$`` is a matcher, all of whose
conditions must hold:

    {$type: string}             a JSON type: string, integer, number, boolean, object, array, null
    {$regex: '[0-9]{5}'}        a text that matches from start to end
    {$any: true}                anything, as long as it is there
    {$absent: true}             the field must not be there
    {$length: 3}                a text or list of that length; also {$length: {min: 1, max: 20}}
    {$min: 8}                   a number, or its text, not below this
    {$each: MATCHER}            a list whose items all match
    {$contains: MATCHER}        a list with an item that matches
    {$distinct: /name}          a list whose items differ there (a JSON pointer into each; '' for the items)
    {$not: MATCHER}             anything that does not match
    {$one_of: [MATCHER, ...]}   what matches one of these
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from conductor_contracts.json_values import TYPES, types_of
from conductor_contracts.problems import Problem, pointer, show


class MatcherError(ValueError):
    """A matcher is not written as this module's documentation says, or an answer's value makes none of it."""


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[Problem]:
    """Every place where an actual JSON value is not what was expected. Raises MatcherError."""
    if isinstance(expected, dict) and expected and all(str(name).startswith("$") for name in expected):
        for name, argument in expected.items():
            if name not in _MATCHERS:
                raise MatcherError(f"{name} is no matcher; known are {', '.join(sorted(_MATCHERS))}")
            yield from _MATCHERS[name](argument, actual, path)
    elif isinstance(expected, dict):
        yield from _object(expected, actual, path)
    elif isinstance(expected, list):
        yield from _list(expected, actual, path)
    elif not _equal(expected, actual):
        yield _differs(path, show(expected), actual)


def _differs(path: str, expected: str, actual: Any) -> Problem:
    return Problem(path, f"expected {expected}, got {show(actual)}")


def _equal(expected: Any, actual: Any) -> bool:
    """Equality of JSON: 1 is 1.0, but neither is true."""
    return expected == actual and isinstance(expected, bool) == isinstance(actual, bool)


def _object(expected: dict[str, Any], actual: Any, path: str) -> Iterator[Problem]:
    if not isinstance(actual, dict):
        yield _differs(path, "an object", actual)
        return
    for name, wanted in expected.items():
        place = pointer(path, name)
        if wanted == {"$absent": True}:
            if name in actual:
                yield _differs(place, "nothing here", actual[name])
        elif name not in actual:
            yield Problem(place, "is missing")
        else:
            yield from differences(wanted, actual[name], place)


def _list(expected: list[Any], actual: Any, path: str) -> Iterator[Problem]:
    if not isinstance(actual, list) or len(actual) != len(expected):
        yield _differs(path, show(expected), actual)
        return
    for number, (wanted, item) in enumerate(zip(expected, actual, strict=True)):
        yield from differences(wanted, item, pointer(path, number))


def _type(argument: str, actual: Any, path: str) -> Iterator[Problem]:
    if argument not in TYPES:
        raise MatcherError(f"$type takes one of {', '.join(TYPES)}, got {argument!r}")
    if argument not in types_of(actual):
        yield _differs(path, f"a value of type {argument}", actual)


def _regex(argument: str, actual: Any, path: str) -> Iterator[Problem]:
    try:
        pattern = re.compile(argument, re.DOTALL)
    except re.error as error:
        raise MatcherError(f"$regex takes a regular expression, got {show(argument)}: {error}") from error
    if not isinstance(actual, str) or not pattern.fullmatch(actual):
        yield _differs(path, f"a text like {argument}", actual)


def _any(argument: bool, actual: Any, path: str) -> Iterator[Problem]:
    if argument is not True:
        raise MatcherError("$any takes true")
    yield from ()


def _absent(argument: bool, actual: Any, path: str) -> Iterator[Problem]:
    raise MatcherError("$absent stands alone, as the value of a field, and takes true")


def _length(argument: Any, actual: Any, path: str) -> Iterator[Problem]:
    limits = {"min": argument, "max": argument} if isinstance(argument, int) else argument
    if not limits or not isinstance(limits, dict) or not limits.keys() <= {"min", "max"}:
        raise MatcherError(f"$length takes a number, or min and max, got {show(argument)}")
    if not isinstance(actual, (str, list)):
        yield _differs(path, "a text or list", actual)
    elif not limits.get("min", 0) <= len(actual) <= limits.get("max", len(actual)):
        wanted = " and ".join(f"{name} {limit}" for name, limit in limits.items())
        yield Problem(path, f"expected a length of {wanted}, got {len(actual)}")


def _min(argument: float, actual: Any, path: str) -> Iterator[Problem]:
    try:
        enough = not isinstance(actual, bool) and float(actual) >= argument
    except (TypeError, ValueError):
        enough = False
    if not enough:
        yield _differs(path, f"{argument} or more", actual)


def _each(argument: Any, actual: Any, path: str) -> Iterator[Problem]:
    if not isinstance(actual, list):
        yield _differs(path, "a list", actual)
        return
    for number, item in enumerate(actual):
        yield from differences(argument, item, pointer(path, number))


def _contains(argument: Any, actual: Any, path: str) -> Iterator[Problem]:
    if not isinstance(actual, list):
        yield _differs(path, "a list", actual)
    elif not any(_matches(argument, item) for item in actual):
        yield Problem(path, f"has no item like {_brief(argument)} among {len(actual)}")


def _distinct(argument: str, actual: Any, path: str) -> Iterator[Problem]:
    if not isinstance(actual, list):
        yield _differs(path, "a list", actual)
        return
    first: dict[str, int] = {}
    for number, item in enumerate(actual):
        value = item
        for step in argument.split("/")[1:]:
            value = value.get(step) if isinstance(value, dict) else None
        earlier = first.setdefault(json.dumps(value, sort_keys=True), number)
        if earlier != number:
            place = pointer(path, number) + argument
            yield Problem(place, f"is the same as that of item {earlier}: {show(value)}")


def _not(argument: Any, actual: Any, path: str) -> Iterator[Problem]:
    if _matches(argument, actual):
        yield Problem(path, f"expected anything but {_brief(argument)}, got {show(actual)}")


def _one_of(argument: list[Any], actual: Any, path: str) -> Iterator[Problem]:
    if not any(_matches(option, actual) for option in argument):
        yield _differs(path, " or ".join(_brief(option) for option in argument), actual)


def _matches(expected: Any, actual: Any) -> bool:
    return next(differences(expected, actual), None) is None


def _brief(expected: Any) -> str:
    return repr(expected) if isinstance(expected, dict) and len(repr(expected)) < 200 else show(expected)


_MATCHERS: dict[str, Callable[[Any, Any, str], Iterator[Problem]]] = {
    "$type": _type,
    "$regex": _regex,
    "$any": _any,
    "$absent": _absent,
    "$length": _length,
    "$min": _min,
    "$each": _each,
    "$contains": _contains,
    "$distinct": _distinct,
    "$not": _not,
    "$one_of": _one_of,
}
MATCHERS = frozenset(_MATCHERS)
"""Names of all matchers."""
