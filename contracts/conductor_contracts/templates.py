"""Filling the blanks of an interaction: ``${name}`` in texts, and lists that repeat one item.

    ${scene.md5}        the value of a name; dots are part of the name
    ${jid|next}         through a filter: next and previous count a zero-padded number on and back,
                        unpadded takes its zeros away, unquoted the double quotes around a text
    {$repeat: 21, of: {path: "/x/${index}"}}      a list of 21 items, ${index} counting from 0

A text that is nothing but one blank takes the value as it is, so that a size stays a number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_BLANK = re.compile(r"\$\{([\w.]+)(?:\|(\w+))?\}")
_STEPS = {"next": 1, "previous": -1, "unpadded": 0}


class TemplateError(ValueError):
    """A blank names something that is not known, or a filter that does not fit."""


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """A copy of a template, objects and lists included, with its blanks filled. Raises TemplateError."""
    if isinstance(template, str):
        return _fill_text(template, values)
    if isinstance(template, dict):
        if "$repeat" in template:
            times = range(template["$repeat"])
            return [fill(template["of"], {**values, "index": number}) for number in times]
        return {fill(name, values): fill(item, values) for name, item in template.items()}
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    return template


def _fill_text(text: str, values: Mapping[str, Any]) -> Any:
    whole = _BLANK.fullmatch(text)
    if whole:
        return _value(whole, values)
    return _BLANK.sub(lambda blank: str(_value(blank, values)), text)


def _value(blank: re.Match[str], values: Mapping[str, Any]) -> Any:
    name, function = blank.groups()
    if name not in values:
        raise TemplateError(f"{blank[0]} is not known here; known are {', '.join(sorted(values))}")
    value = values[name]
    if function is None:
        return value
    if function == "unquoted":
        return str(value).strip('"')
    if function not in _STEPS or not str(value).isdecimal():
        raise TemplateError(
            f"{blank[0]}: the filters are unquoted, and {', '.join(_STEPS)} of a text of digits; got {value!r}"
        )
    number = int(value) + _STEPS[function]
    return str(number) if function == "unpadded" else str(number).zfill(len(str(value)))
