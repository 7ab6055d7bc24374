"""What can be wrong with a body, in plain words and with its place.

A place is a JSON pointer (RFC 6901): ``/tasks_data/0/command``, empty for the whole body.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

MAX_PROBLEMS = 20
"""A check reports at most so many problems; whoever sends a million bad tasks needs no million answers."""

MAX_SHOWN = 80
"""Values and names are cut to so many characters in messages and pointers."""

MAX_LISTED = 12
"""Where a name is not known and none is near, as many known ones are listed, and more of them are not."""

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")


@dataclass(frozen=True)
class Problem:
    """One fault of a body: where it is (a JSON pointer) and what is wrong there."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or 'the body'} {self.message}"


def pointer(path: str, step: str | int) -> str:
    """Extend a JSON pointer by one step; long names are cut, since a sender chooses them."""
    text = clip(step) if isinstance(step, str) else str(step)
    return f"{path}/{text.replace('~', '~0').replace('/', '~1')}"


def step_of(path: str) -> str:
    """The name that a JSON pointer of one step leads to."""
    return path.removeprefix("/").replace("~1", "/").replace("~0", "~")


def clip(text: str) -> str:
    """Cut a text to MAX_SHOWN characters, the last of them an ellipsis; safe to encode afterwards."""
    short = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return short.encode("utf-8", "backslashreplace").decode("utf-8")


def show(value: Any) -> str:
    """Describe a JSON value in at most MAX_SHOWN characters, however large it is."""
    if isinstance(value, str):
        # A long text is cut before it is quoted, so that the work does not grow with it.
        return clip(json.dumps(value[: MAX_SHOWN + 1], ensure_ascii=False))
    if isinstance(value, dict):
        return f"an object of {count(len(value), 'field')}"
    if isinstance(value, (list, tuple)):
        return f"a list of {count(len(value), 'item')}"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"a number of {value.bit_length()} bits"
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return f"a Python {type(value).__name__}"


def advice(name: str, known: Collection[str], also_called: Mapping[str, str] | None = None) -> str:
    """What to say behind a name that is not known: the one that was meant, else all that are known if they are few.

    ``also_called`` maps other names that people use to the known ones.
    """
    near = (also_called or {}).get(name) or nearest(name, known)
    if near is not None:
        return f"; did you mean {near!r}?"
    return f"; accepted are {', '.join(known)}" if 0 < len(known) <= MAX_LISTED else ""


def no_such(what: str, names: Collection[str], known: Collection[str]) -> str:
    """What to say to somebody who asked for ``names`` that are not known, each with the one that was meant."""
    return f"there is no {what} {', '.join(f'{clip(name)!r}{advice(name, known)}' for name in names)}"


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that was probably meant by one that is not known, or None."""
    if len(name) > MAX_SHOWN:
        return None
    asked = sorted(words_of(name))
    same = [one for one in sorted(known) if asked and sorted(words_of(one)) == asked]
    near = same or difflib.get_close_matches(name, sorted(known), n=1)
    return near[0] if near else None


def words_of(name: str) -> list[str]:
    """The words of a name, whatever their case and number: those of ``createJob`` are in ``jobs.create`` too."""
    return [word.lower().removesuffix("s") for word in _WORD.findall(name)]


def count(number: int, noun: str) -> str:
    """A number of things, as in ``1 job``, ``2 jobs`` and ``1,000 jobs``."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"
