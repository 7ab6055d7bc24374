"""What can be wrong with a catalogue, as values: one problem, a collection of them, and the error they become."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from conductor_mock.errors import Detail

SHOWN = 10
"""How many problems an error message spells out; more than that is one mistake, repeated."""


@dataclass(frozen=True)
class Problem(Detail):
    """One thing that is wrong.

    `path` is a JSON pointer into the document, such as `/packages/3/platform`; the empty path is the whole
    document. An `error` breaks at least one real client; with a `warning` clients work, though they drop or
    ignore something, or only some of them fail.
    """

    severity: str = "error"

    @property
    def is_error(self) -> bool:
        """Whether a catalogue with this problem is refused."""
        return self.severity == "error"

    def __str__(self) -> str:
        return f"{self.path or 'the document'}: {self.message}"


@dataclass
class Findings:
    """Collects problems while the rules run."""

    problems: list[Problem] = field(default_factory=list)

    def error(self, path: str, message: str) -> None:
        """Note something that breaks a client."""
        self.problems.append(Problem(path, message))

    def warn(self, path: str, message: str) -> None:
        """Note something that a client silently drops, or that is surely not meant."""
        self.problems.append(Problem(path, message, "warning"))

    @property
    def has_errors(self) -> bool:
        """Whether anything so far is an error."""
        return any(problem.is_error for problem in self.problems)


class CatalogError(ValueError):
    """A catalogue cannot be used. The message names the source, each place, and what is accepted there.

    `problems` holds the errors one by one; it is empty when the source could not be read at all.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, source: str, problems: Sequence[Problem]) -> CatalogError:
        """The error for a document from `source` (a file name, say) that has these problems."""
        lines = [f"{source} is not a usable catalogue:"]
        lines += [f"  {problem}" for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            lines.append(f"  and {len(problems) - SHOWN} more")
        return cls("\n".join(lines), problems)


def step(path: str, key: object) -> str:
    """The JSON pointer one step further down, the key escaped as RFC 6901 wants it."""
    return f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"


def nearest(name: str, names: Iterable[str]) -> str:
    """Text to put behind `name` when it is unknown: the closest name, else everything that is accepted."""
    accepted = sorted(names)
    close = difflib.get_close_matches(name, accepted, n=1)
    return f"did you mean {close[0]!r}?" if close else f"accepted are {', '.join(accepted)}"
