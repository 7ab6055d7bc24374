"""Options of faults: a field of a kind's dataclass that knows its JSON Schema, and so its command-line option and docs.

    seconds: float = wall_seconds(default=1.0, most=60, meaning="for how long")

A default of None needs words for what stands in its place (`otherwise`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field
from typing import Any, TypeVar

T = TypeVar("T")

_OPTION = "option"


def whole_number(*, default: T, least: int, most: int, meaning: str, otherwise: str = "") -> T:
    """A whole number. `otherwise` says what stands for a `default` of None."""
    expected = f"a whole number from {least} to {most}"
    return _option(default, "integer", expected, meaning, otherwise, minimum=least, maximum=most)


def wall_seconds(*, default: T, least: float = 0, most: float, meaning: str) -> T:
    """A time in wall seconds."""
    expected = f"seconds from {least:g} to {most:g}"
    return _option(default, "number", expected, meaning, minimum=least, maximum=most)


def flag(*, default: T, meaning: str) -> T:
    """True or false."""
    return _option(default, "boolean", "true or false", meaning)


def schema_of(option: Field[Any]) -> dict[str, Any]:
    """Its JSON Schema. Null is taken everywhere, and is the default. Raises TypeError for a field of another make."""
    if _OPTION not in option.metadata:
        raise TypeError(f"the option {option.name} of a fault must be made by a function of faults.options")
    schema: dict[str, Any] = option.metadata[_OPTION]
    return schema


def type_of(option: Field[Any]) -> str:
    """Its type in JSON Schema: integer, number or boolean."""
    return str(schema_of(option)["type"][0])


def meaning_of(option: Field[Any]) -> str:
    """What it does, as part of a sentence."""
    return str(schema_of(option)["description"])


def default_of(option: Field[Any]) -> str:
    """The default in words."""
    if option.default is None:
        return str(option.metadata["otherwise"])
    return f"{option.default:g}" if isinstance(option.default, float) else str(option.default).lower()


def value_of(option: Field[Any], data: Mapping[str, Any]) -> Any:
    """Its value in a valid rule: JSON Schema takes 5.0 for a whole number, and null here is the default."""
    value = data.get(option.name)
    if value is None:
        return option.default
    return int(value) if type_of(option) == "integer" else value


def _option(default: T, type_: str, expected: str, meaning: str, otherwise: str = "", **limits: float) -> T:
    schema = {"type": [type_, "null"], **limits, "x-expect": expected, "description": meaning}
    # What dataclasses make of a Field is a value of the field's type, as with dataclasses.field itself.
    option: T = field(default=default, metadata={_OPTION: schema, "otherwise": otherwise})
    return option
