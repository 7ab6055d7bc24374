"""YAML as it is written: what a text means is decided by the argument or setting that it is given to.

YAML 1.1, which PyYAML reads, makes 8 of ``0010``, 90 of ``1:30``, True of ``on`` and 1.1 of ``1.10``; YAML 1.2 dropped
most of that. Here nothing is made of text but the null of YAML 1.2's core schema; a kind of value
(``values.kinds``) that wants a number or a truth value reads the text itself, or refuses it by its place. Of the tags
only ``!!str``, ``!!null``, ``!!map``, ``!!seq`` mean something, and ``!!int`` for a decimal number.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from conductor.lib.files.written import Written

if TYPE_CHECKING:
    from yaml import SafeLoader, ScalarNode
    from yaml.nodes import MappingNode, SequenceNode

_TAG = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")


class NotYamlError(ValueError):
    """A text is not YAML. ``line`` and ``column`` count from 1, 0 where that is not known.

    ``reason`` may quote the text, unless ``quotes`` is False.
    """

    def __init__(self, reason: str, line: int = 0, column: int = 0, *, quotes: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.line, self.column, self.quotes = reason, line, column, quotes


def parse_yaml(text: str, source: str) -> Any:
    """Return what a YAML text holds: objects, lists, ``Written`` texts and None. ``source`` names it in their places.

    Quoted texts are plain ``str``. Raises NotYamlError, also for a name that an object has twice and for an object
    that holds itself, and ModuleNotFoundError where PyYAML is not installed.
    """
    import yaml  # only needed by people who write YAML

    try:
        return yaml.load(text, Loader=_loader(source))  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is nested too deep"
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    raise NotYamlError(str(reason), line, column)


def _loader(source: str) -> type[SafeLoader]:
    import yaml

    class AsWritten(yaml.SafeLoader):
        """Makes nothing of a plain scalar but its text."""

        yaml_implicit_resolvers: Any = {}
        # No other tag: those of YAML 1.1 fail in their own ways on what is no number, no date.
        yaml_constructors: ClassVar[Any] = {
            tag: yaml.SafeLoader.yaml_constructors[tag] for tag in (None, f"{_TAG}null")
        }

        def construct_mapping(self, node: MappingNode, deep: bool = False) -> Any:
            """Make a dictionary. Raises NotYamlError for one that has a name twice, of which YAML keeps the last."""
            seen: set[tuple[str, str]] = set()
            for key, _ in [] if isinstance(node.value, str) else node.value:  # `!!map x`
                name = (key.tag, str(key.value))
                if name in seen and isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge":
                    mark = key.start_mark
                    raise NotYamlError("a name is there twice", mark.line + 1, mark.column + 1, quotes=False)
                seen.add(name)
            return super().construct_mapping(node, deep)

    def text_of(loader: SafeLoader, node: ScalarNode) -> str:
        text = str(loader.construct_scalar(node))  # refuses an object that is called one
        return text if node.style is not None else Written(text, f"{source}, line {node.start_mark.line + 1}")

    def number_of(loader: SafeLoader, node: ScalarNode) -> int:
        text = str(loader.construct_scalar(node))
        if not _WHOLE.fullmatch(text):
            mark = node.start_mark
            raise NotYamlError(
                "!!int is not of a decimal number", mark.line + 1, mark.column + 1, quotes=False
            )
        return int(text)

    def mapping_of(loader: SafeLoader, node: MappingNode) -> Any:
        return loader.construct_mapping(node, deep=True)

    def list_of(loader: SafeLoader, node: SequenceNode) -> Any:
        return loader.construct_sequence(node, deep=True)

    AsWritten.add_implicit_resolver(f"{_TAG}null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
    AsWritten.add_implicit_resolver(f"{_TAG}merge", re.compile(r"<<$"), ["<"])
    AsWritten.add_constructor(f"{_TAG}str", text_of)
    AsWritten.add_constructor(f"{_TAG}int", number_of)
    # Deep: what holds itself is refused by its place, where PyYAML would make a circle.
    AsWritten.add_constructor(f"{_TAG}map", mapping_of)
    AsWritten.add_constructor(f"{_TAG}seq", list_of)
    return AsWritten
