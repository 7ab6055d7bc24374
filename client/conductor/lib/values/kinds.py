"""Kinds of values that arguments and settings take: each says what it accepts, and checks.

A check returns the value in the form that the rest of the library uses. What is wrong is reported to the
``Spot`` where it was found, so that one pass over everything finds every fault.
"""

from __future__ import annotations

import os
import re
import reprlib
from collections.abc import Callable
from typing import Any, NamedTuple

from conductor.lib.exceptions import Problem
from conductor.lib.files.digests import is_md5
from conductor.lib.files.local_paths import home_expanded
from conductor.lib.files.written import Written, place_of
from conductor.lib.values.frames import ACCEPTED_FRAMES, parse_frames

_EMAIL = re.compile(r"[^\s@,;<>]+@[^\s@,;<>]+")
# A share of Windows is a server and a folder of it; one alone is no path.
_ABSOLUTE = re.compile(r"/|\\\\[^\\/]+[\\/]+[^\\/]|[A-Za-z]:[\\/]")
_SEPARATORS = re.compile(r"[/\\]")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def shown(value: object) -> str:
    """Return a short rendering of a value for a message."""
    renderer = reprlib.Repr()
    renderer.maxstring = renderer.maxother = 80
    return renderer.repr(value)


class Spot(NamedTuple):
    """A place in what was given: the argument with the way into it, and where its problems are collected."""

    argument: str
    problems: list[Problem]
    source: str = ""

    def inside(self, step: object) -> Spot:
        """Return the place of an item or key inside this one."""
        name = f"[{step}]" if isinstance(step, int) else f".{step}"
        return Spot(self.argument + name, self.problems, self.source)

    def refuse(self, value: object, accepted: str) -> None:
        """Report that the value here is wrong and what would be right."""
        self.problems.append(Problem(self.argument, shown(value), accepted, self.origin(value)))

    def origin(self, value: object) -> str:
        """Return where a value came from: its line, where it is written in a file."""
        return place_of(value) or self.source


class Kind:
    """A kind of value. ``accepts`` completes the phrase "accepted: ..."."""

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        raise NotImplementedError

    def check(self, value: Any, spot: Spot) -> Any:
        """Return the value in its final form, or report to the spot and return None."""
        raise NotImplementedError

    def from_text(self, text: str) -> Any:
        """Return the value that a text from an environment variable or an option means, not yet checked.

        Raises ValueError if the text cannot be read at all.
        """
        return text


class Text(Kind):
    """Text, which JSON and the service's paths can hold: no NUL, no lone surrogate."""

    def __init__(
        self, what: str = "text", blank: bool = True, fits: Callable[[str], bool] | None = None
    ) -> None:
        self.what, self.blank, self.fits = what, blank, fits

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return self.what

    def check(self, value: Any, spot: Spot) -> str | None:
        """Return the text."""
        if isinstance(value, str) and self._accepts(value):
            return str(value)
        spot.refuse(value, self.accepts)
        return None

    def _accepts(self, text: str) -> bool:
        if not _clean(text) or not (self.blank or text.strip()):
            return False
        return self.fits is None or self.fits(text)


class VariableValue(Text):
    """The value of an environment variable: text, or a whole number, which is sent as one (wire reference 12.1)."""

    def __init__(self, what: str = "text or a whole number", blank: bool = True) -> None:
        super().__init__(what, blank)

    def check(self, value: Any, spot: Spot) -> Any:
        """Return the value as it is."""
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return super().check(value, spot)


def _clean(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def email() -> Text:
    """Return the kind of an e-mail address: something, an @, something."""
    return Text("an e-mail address", blank=False, fits=lambda text: _EMAIL.fullmatch(text) is not None)


def absolute_path() -> Text:
    """Return the kind of an absolute path of any system, as text.

    None with ``..`` in it: downloads, which go where the farm says, refuse to climb (see ``download.safe_paths``).
    """

    def fits(text: str) -> bool:
        return _ABSOLUTE.match(text) is not None and ".." not in _SEPARATORS.split(text)

    return Text("an absolute path without ..", blank=False, fits=fits)


def choice(*options: str) -> Text:
    """Return the kind of one of these texts."""
    return Text("one of " + ", ".join(options), blank=False, fits=lambda text: text in options)


def md5() -> Text:
    """Return the kind of an md5 as the service writes it: base64 of the 16 raw bytes (wire reference 4)."""
    return Text("base64 of the 16 bytes of an md5, such as '1B2M2Y8AsgTpgAmY7PhCfg=='", False, is_md5)


class Flag(Kind):
    """True or False."""

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return "True or False"

    def check(self, value: Any, spot: Spot) -> bool | None:
        """Return the truth value; numbers and texts are refused, since 'false' would be true.

        What a file has without quotes is read as ``from_text`` does.
        """
        read = self.from_text(value) if isinstance(value, Written) else value
        if isinstance(read, bool):
            return read
        spot.refuse(value, self.accepts)
        return None

    def from_text(self, text: str) -> Any:
        """Read true, yes, on, 1 and false, no, off, 0 (wire reference 1.8)."""
        word = text.strip().lower()
        if word in _TRUE or word in _FALSE:
            return word in _TRUE
        return text


class Whole(Kind):
    """A whole number in a range, given as a number or as digits (the vendor's command line sends digits)."""

    def __init__(self, least: int = 0, most: int | None = None) -> None:
        self.least, self.most = least, most

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return f"a whole number from {self.least}" + (f" to {self.most}" if self.most is not None else "")

    def check(self, value: Any, spot: Spot) -> int | None:
        """Return the number."""
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
            number = int(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        else:
            spot.refuse(value, self.accepts)
            return None
        if number < self.least or (self.most is not None and number > self.most):
            spot.refuse(value, self.accepts)
            return None
        return number


class Frames(Kind):
    """A frame list (see ``frames``), or one frame as a number."""

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return ACCEPTED_FRAMES

    def check(self, value: Any, spot: Spot) -> str | None:
        """Return the text as it was given."""
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        try:
            if isinstance(value, str):
                parse_frames(value)
                return str(value)
        except ValueError:
            pass
        spot.refuse(value, self.accepts)
        return None


class PathText(Kind):
    """A path on this machine: text or an ``os.PathLike`` of text, ``~`` for a home. What is there is seen later."""

    @property
    def accepts(self) -> str:
        """What is accepted, in words."""
        return "a path"

    def check(self, value: Any, spot: Spot) -> str | None:
        """Return the path as text."""
        path = os.fspath(value) if isinstance(value, os.PathLike) else value
        if isinstance(path, str) and "\0" not in path:
            return home_expanded(str(path))
        spot.refuse(value, self.accepts)
        return None
