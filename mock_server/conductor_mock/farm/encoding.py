"""Values as JSON and back, derived from the fields and types that are stated with them: nothing is listed twice.

A dataclass is an object of its fields, or a row: a list of their values. An enumeration is its text; tuples, lists and
sets are lists; what is JSON already is left as it is. A field that is not known is refused, a field that is missing has
its default, so what was written before a field was added stays readable.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, Union, get_args, get_origin, get_type_hints

_KEY = "key"


class EncodingError(ValueError):
    """JSON that is not the form of what it should be: a field too many or too few, a word that is not known."""


@dataclass(frozen=True, slots=True)
class Codec:
    """Both directions of one type. `decode` trusts plain values: nobody asks here whether an `int` is one."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Forms:
    """How dataclasses are written, where that is not an object of all fields."""

    rows: frozenset[type] = frozenset()
    """Written as lists of their fields' values; trailing ones that have their defaults are left out."""
    kept: Mapping[type, frozenset[str]] | None = None
    """The fields that are written even when they have their defaults; None is all. Rows: such, and what is before."""
    omitted: Callable[[type, Field[Any]], bool] = lambda cls, field_: False
    """Fields that are not written at all, and have their defaults when they are read."""
    wrapped: Mapping[type, Callable[[Codec], Codec]] = field(default_factory=dict)
    """What is done to the codec of a type."""
    is_trusted: bool = False
    """Whether only this program can have written what is read, so that every enumeration has a text."""


def stored_as(key: str) -> Mapping[str, Any]:
    """The metadata of a field whose key in a JSON object is not its name."""
    return {_KEY: key}


def key_of(field_: Field[Any]) -> str:
    """The key of a field in a JSON object."""
    return str(field_.metadata.get(_KEY, field_.name))


def codec_of(hint: Any, forms: Forms) -> Codec:
    """The codec of a type. Raises TypeError for one that has no form."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return _SAME
    if origin in (Union, types.UnionType):
        if _without_none(hint) == hint:
            raise TypeError(f"{hint}: of several types nobody can tell which was written")
        return _optional(codec_of(_without_none(hint), forms))
    if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
        return _pair([codec_of(part, forms) for part in arguments])
    if origin in _LISTS:
        return _several(origin, codec_of(arguments[0], forms))
    if origin in (dict, Mapping):
        return _table(*(codec_of(part, forms) for part in arguments))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Codec(_same, _Members(hint).__getitem__ if forms.is_trusted else _Members(hint).named)
    if isinstance(hint, type) and is_dataclass(hint):
        made = _row(hint, forms) if hint in forms.rows else _object(hint, forms)
        return forms.wrapped[hint](made) if hint in forms.wrapped else made
    raise TypeError(f"{hint} has no form in JSON; give it one in farm/encoding.py")


def _same(value: Any) -> Any:
    return value


_SAME = Codec(_same, _same)
_PLAIN = (Any, str, int, bool, float)
_LISTS = (tuple, list, frozenset)


class _Members(dict[str, Enum]):
    """The members of an enumeration by their texts."""

    def __init__(self, cls: type[Enum]) -> None:
        super().__init__({member.value: member for member in cls})

    def named(self, text: object) -> Enum:
        """The member of a text that may be anything."""
        return self[text] if isinstance(text, str) else self.__missing__(text)

    def __missing__(self, text: object) -> Enum:
        raise EncodingError(f"{str(text)[:40]!r} is not known; known are {', '.join(map(repr, self))}")


def _optional(codec: Codec) -> Codec:
    encode, decode = codec.encode, codec.decode
    return Codec(
        _same if encode is _same else lambda value: None if value is None else encode(value),
        _same if decode is _same else lambda data: None if data is None else decode(data),
    )


def _pair(codecs: list[Codec]) -> Codec:
    """A tuple of so many values, each of a type of its own."""

    def encode(value: Any) -> list[Any]:
        return [codec.encode(part) for codec, part in zip(codecs, value, strict=True)]

    def decode(data: Any) -> tuple[Any, ...]:
        return tuple(codec.decode(part) for codec, part in zip(codecs, data, strict=True))

    return Codec(encode, decode)


def _several(make: Any, codec: Codec) -> Codec:
    encode, decode = codec.encode, codec.decode
    ordered = sorted if make is frozenset else list

    def encode_all(value: Any) -> list[Any]:
        return ordered(value) if encode is _same else [encode(part) for part in ordered(value)]

    def decode_all(data: Any) -> Any:
        if not isinstance(data, list):
            return data  # what does not fit is told by whom it matters
        return make(data) if decode is _same else make([decode(part) for part in data])

    return Codec(encode_all, decode_all)


def _table(keys: Codec, values: Codec) -> Codec:
    if keys.decode is _same and values.decode is _same:
        return _SAME
    return Codec(
        lambda value: {keys.encode(key): values.encode(part) for key, part in value.items()},
        lambda data: {keys.decode(key): values.decode(part) for key, part in data.items()},
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A field that is written."""

    name: str
    key: str
    codec: Codec
    default: Any
    """What a missing one is; MISSING where none may be."""
    make_default: Callable[[], Any] | None
    is_kept: bool
    """Whether it is written even when it has its default."""

    def has_default(self, value: Any) -> bool:
        return bool(value == (self.default if self.make_default is None else self.make_default()))

    def missing(self, cls: type) -> Any:
        if self.make_default is not None:
            return self.make_default()
        if self.default is MISSING:
            raise EncodingError(f"{cls.__name__} lacks {self.key!r}")
        return self.default


def _parts(cls: Any, forms: Forms) -> list[_Part]:
    hints = get_type_hints(cls)
    return [
        _Part(
            name=part.name,
            key=key_of(part),
            codec=codec_of(hints[part.name], forms),
            default=part.default,
            make_default=None if part.default_factory is MISSING else part.default_factory,
            is_kept=(part.default is MISSING and part.default_factory is MISSING)
            or forms.kept is None
            or part.name in forms.kept.get(cls, ()),
        )
        for part in fields(cls)
        if not forms.omitted(cls, part)
    ]


def _object(cls: type, forms: Forms) -> Codec:
    parts = _parts(cls, forms)
    known = {part.key for part in parts}

    def encode(value: Any) -> dict[str, Any]:
        written = ((part, getattr(value, part.name)) for part in parts)
        return {
            part.key: part.codec.encode(current)
            for part, current in written
            if part.is_kept or not part.has_default(current)
        }

    def decode(data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise EncodingError(f"{cls.__name__} must be an object, got {str(data)[:40]!r}")
        if not data.keys() <= known:
            unknown = ", ".join(map(repr, sorted(data.keys() - known)))
            raise EncodingError(f"{cls.__name__} has {unknown}, which this version does not know")
        return cls(
            **{
                part.name: part.codec.decode(data[part.key]) if part.key in data else part.missing(cls)
                for part in parts
            }
        )

    return Codec(encode, decode)


def _row(cls: type, forms: Forms) -> Codec:
    """The form of what there are millions of: nothing is looked up by name, few values are touched one by one.

    An empty tuple that is the default is written as null.
    """
    parts = _parts(cls, forms)
    first = [each.name for each in fields(cls)][: len(parts)]
    if [part.name for part in parts] != first or any(part.make_default is not None for part in parts):
        raise TypeError(f"{cls.__name__} is a row: only last fields are not written, and defaults are values")
    hints = get_type_hints(cls)
    codecs = [codec_of(_without_none(hints[part.name]), forms) for part in parts]
    blanks = [
        None if part.default is MISSING or part.default in (None, ()) else codec.encode(part.default)
        for part, codec in zip(parts, codecs, strict=True)
    ]
    empties = [() if part.default == () else None for part in parts]
    encoders = [
        (index, codec.encode, empties[index])
        for index, codec in enumerate(codecs)
        if codec.encode is not _same
    ]
    decoders = [
        (index, codec.decode, empties[index])
        for index, codec in enumerate(codecs)
        if codec.decode is not _same
    ]
    values_of = attrgetter(*(part.name for part in parts))
    count, required = len(parts), sum(part.default is MISSING for part in parts)
    least = max(index for index, part in enumerate(parts) if part.is_kept) + 1

    def encode(value: Any) -> list[Any]:
        row = list(values_of(value))
        for index, of_part, empty in encoders:
            part = row[index]
            row[index] = None if part is None or part == empty else of_part(part)
        last = count - 1
        while last >= least and row[last] == blanks[last]:
            last -= 1
        del row[last + 1 :]
        return row

    def decode(row: Any) -> Any:
        if not required <= len(row) <= count:
            raise EncodingError(
                f"{cls.__name__} has {len(row)} values, this version knows {required} to {count}"
            )
        values = row + blanks[len(row) :]
        for index, of_part, empty in decoders:
            part = values[index]
            values[index] = empty if part is None else of_part(part)
        return cls(*values)

    return Codec(encode, decode)


def _without_none(hint: Any) -> Any:
    """A type that may be None, without that."""
    others = [part for part in get_args(hint) if part is not types.NoneType]
    return others[0] if get_origin(hint) in (Union, types.UnionType) and len(others) == 1 else hint
