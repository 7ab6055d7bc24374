"""Text and YAML files that people write: the one reader of server and contracts.

YAML 1.1, which PyYAML reads, makes 8 of `0010`, 90 of `1:30` and true of `on`. Here a plain scalar is null, a truth
value or a decimal number only where it looks like one in JSON, and else the text that it is: whoever wants something
else there refuses it by its place. A tag says no more than that: `!!int 0010` is refused, and so are the other types of
YAML 1.1 (`!!timestamp`, `!!set`).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")

# The longer mark first: that of UTF-32 begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_TAG = "tag:yaml.org,2002:"
_INTEGER = r"-?(?:0|[1-9][0-9]*)"
# Names of YAML, what they look like, and the letters that they may begin with.
_SCALARS = (
    ("null", r"(?:~|null|Null|NULL|)$", ("~", "n", "N", "")),
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", rf"{_INTEGER}$", "-0123456789"),
    ("float", rf"{_INTEGER}\.[0-9]+(?:[eE][-+]?[0-9]+)?$", "-0123456789"),
    ("merge", r"<<$", "<"),
)


class TextFileError(ValueError):
    """A file cannot be read as what it is to be; the message goes on after its name."""


def read_text(path: Path) -> str:
    """The text of a file: UTF-8, or what a byte order mark says, which is no part of it. Raises TextFileError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TextFileError(f"cannot be read: {error.strerror or error}") from None
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        shown = "UTF-8" if encoding.startswith("utf-8") else f"the {encoding.upper()} of its first bytes"
        raise TextFileError(f"is not {shown} (at byte {error.start}); save it as UTF-8") from None
    if "\0" in text:
        raise TextFileError(
            "holds NUL characters, as UTF-16 without a byte order mark does; save it as UTF-8"
        )
    return text


def parse_yaml(text: str) -> Any:
    """What a YAML text holds. Raises TextFileError with the place.

    Also for a name that an object has twice, and for an object that holds itself.
    """
    return _parsed(lambda: yaml.load(text, Loader=_loader()))  # noqa: S506 - a safe loader


def parse_yaml_documents(text: str) -> list[Any]:
    """What each document of a YAML text holds. Raises TextFileError as `parse_yaml` does."""
    return _parsed(lambda: list(yaml.load_all(text, Loader=_loader())))


def _parsed(parse: Callable[[], T]) -> T:
    try:
        return parse()
    except RecursionError:
        raise TextFileError("is nested too deeply") from None
    except TextFileError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise TextFileError(f"is not YAML: {' '.join(str(error).split())}") from None


def _loader() -> Any:
    """A safe loader, that of libyaml where there is one: it is about ten times as fast."""
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class JsonScalars(base):  # type: ignore[misc]  # of two classes, one of them
        yaml_implicit_resolvers: Any = {}
        yaml_constructors: Any = {None: base.yaml_constructors[None]}

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
            names: set[tuple[str, str]] = set()
            for key, _ in [] if isinstance(node.value, str) else node.value:  # `!!map x`
                name = (key.tag, str(key.value))
                if name in names and isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge":
                    line = key.start_mark.line + 1
                    raise TextFileError(f"has the name {key.value!r} twice in one object (line {line})")
                names.add(name)
            return super().construct_mapping(node, deep)

    for name, pattern, first in _SCALARS:
        JsonScalars.add_implicit_resolver(f"{_TAG}{name}", re.compile(pattern), list(first))
        if name != "merge":
            JsonScalars.add_constructor(f"{_TAG}{name}", _constructor(base, name, pattern))
    JsonScalars.add_constructor(f"{_TAG}str", base.yaml_constructors[f"{_TAG}str"])
    # Deep: what holds itself is refused by its place, where PyYAML would make a circle.
    JsonScalars.add_constructor(f"{_TAG}map", lambda loader, node: loader.construct_mapping(node, deep=True))
    JsonScalars.add_constructor(f"{_TAG}seq", lambda loader, node: loader.construct_sequence(node, deep=True))
    return JsonScalars


def _constructor(base: Any, name: str, pattern: str) -> Any:
    """What makes a value of a scalar, whether its look or its tag says what it is."""
    make = base.yaml_constructors[f"{_TAG}{name}"]

    def value_of(loader: Any, node: yaml.ScalarNode) -> Any:
        text = loader.construct_scalar(node)
        if re.match(pattern, text) is None:
            line = node.start_mark.line + 1
            raise TextFileError(f"calls {text[:40]!r} {name}, which it is not (line {line})")
        return make(loader, node)

    return value_of
