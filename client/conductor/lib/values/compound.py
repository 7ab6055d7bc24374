"""Kinds of values that hold others: lists, dictionaries, records."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from conductor.lib.values.kinds import Kind, Spot, Text, shown


class ListOf(Kind):
    """A list of one kind. ``separator`` splits a text from the environment that is no JSON."""

    def __init__(self, item: Kind, at_least: int = 0, separator: str = ",") -> None:
        self.item, self.at_least, self.separator = item, at_least, separator

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        size = "a list with at least one" if self.at_least else "a list; each item"
        return f"{size}: {self.item.accepts}"

    def check(self, value: Any, spot: Spot) -> list[Any] | None:
        """Return a list of the checked items."""
        if not isinstance(value, (list, tuple)) or len(value) < self.at_least:
            spot.refuse(value, self.accepts)
            return None
        return [self.item.check(item, spot.inside(index)) for index, item in enumerate(value)]

    def from_text(self, text: str) -> Any:
        """Read JSON, or items between separators where they are plain texts."""
        if text.lstrip().startswith("[") or isinstance(self.item, Record):
            return _json(text)
        return [part.strip() for part in text.split(self.separator) if part.strip()]


class MapOf(Kind):
    """An object with any names and values of one kind."""

    def __init__(self, key: Kind, value: Kind) -> None:
        self.key, self.value = key, value

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return f"a dictionary from {self.key.accepts} to {self.value.accepts}"

    def check(self, value: Any, spot: Spot) -> dict[Any, Any] | None:
        """Return a new dictionary of the checked names and values."""
        if not isinstance(value, Mapping):
            spot.refuse(value, self.accepts)
            return None
        checked = {}
        for name, item in value.items():
            inner = Spot(f"{spot.argument}[{shown(name)}]", spot.problems, spot.source)
            checked[self.key.check(name, inner)] = self.value.check(item, inner)
        return checked

    def from_text(self, text: str) -> Any:
        """Read JSON."""
        return _json(text)


class Record(Kind):
    """An object with known fields."""

    def __init__(self, fields: Mapping[str, Kind], required: tuple[str, ...] = ()) -> None:
        self.fields, self.required = fields, required

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        names = [name + ("" if name in self.required else " (optional)") for name in self.fields]
        return f"a dictionary with {', '.join(names)}"

    def check(self, value: Any, spot: Spot) -> dict[str, Any] | None:
        """Return a new dictionary of the checked fields that are there."""
        if not isinstance(value, Mapping):
            spot.refuse(value, self.accepts)
            return None
        for name in value:
            if name not in self.fields:
                spot.inside(name).refuse(value[name], f"no such field; {self.accepts}")
        for name in self.required:
            if value.get(name) is None:
                spot.inside(name).refuse(None, self.fields[name].accepts)
        present = [name for name in self.fields if value.get(name) is not None]
        return {name: self.fields[name].check(value[name], spot.inside(name)) for name in present}

    def from_text(self, text: str) -> Any:
        """Read JSON."""
        return _json(text)


class Metadata(Kind):
    """Names and values as text; truth values and numbers are cast (wire reference 3.6)."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self.warn = warn

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return "a dictionary of texts (numbers and truth values become text), no two names alike"

    def check(self, value: Any, spot: Spot) -> dict[str, str] | None:
        """Return the dictionary with everything cast."""
        if not isinstance(value, Mapping):
            spot.refuse(value, self.accepts)
            return None
        cast: dict[str, str] = {}
        for key, item in value.items():
            inner = Spot(f"{spot.argument}[{shown(key)}]", spot.problems, spot.source)
            name, text = self._text(key, inner), self._text(item, inner)
            if name is None or text is None:
                continue
            if name in cast:
                inner.refuse(item, f"one value only for {name!r}: two names become equal as text")
            cast[name] = text
        return cast

    def _text(self, value: Any, spot: Spot) -> str | None:
        if isinstance(value, str):
            return Text().check(value, spot)
        if isinstance(value, (bool, int, float)):
            self.warn(f"{spot.argument}: {value!r} is sent as the text {str(value)!r}")
            return str(value)
        spot.refuse(value, "text, a number or a truth value")
        return None

    def from_text(self, text: str) -> Any:
        """Read JSON."""
        return _json(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
