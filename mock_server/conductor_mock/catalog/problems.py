"""What can be wrong with a catalogue, as values: one problem, a collection of them, and the error they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from conductor_contracts.problems import Problem

SHOWN = 10
"""How many problems an error message spells out; more than that is one mistake, repeated."""


@dataclass(frozen=True)
class Finding(Problem):
    """One thing that is wrong with a document; the empty path is the whole of it.

    An error breaks at least one real client; with a warning clients work, though they drop or ignore something, or only
    some of them fail.
    """

    is_error: bool = True

    def __str__(self) -> str:
        return f"{self.path or 'the document'}: {self.message}"


@dataclass
class Findings:
    """Collects problems while the rules run; `strict` is that of the server."""

    strict: bool = False
    problems: list[Finding] = field(default_factory=list)

    def error(self, path: str, message: str) -> None:
        """Note something that breaks a client."""
        self.problems.append(Finding(path, message))

    def warn(self, path: str, message: str) -> None:
        """Note something that a client silently drops, or that is surely not meant."""
        self.problems.append(Finding(path, message, is_error=False))

    def odd(self, path: str, message: str) -> None:
        """Note something that no published record has: a warning, or an error when the server is strict."""
        self.problems.append(Finding(path, message, is_error=self.strict))

    @property
    def has_errors(self) -> bool:
        """Whether anything so far is an error."""
        return any(problem.is_error for problem in self.problems)


class CatalogError(ValueError):
    """A catalogue cannot be used. The message names the source, each place, and what is accepted there.

    `problems` holds the errors one by one; it is empty when the source could not be read at all.
    """

    def __init__(self, message: str, problems: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, source: str, problems: Sequence[Finding]) -> CatalogError:
        """The error for a document from `source` (a file name, say) that has these problems."""
        lines = [f"{source} is not a usable catalogue:"]
        lines += [f"  {problem}" for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            lines.append(f"  and {len(problems) - SHOWN} more")
        return cls("\n".join(lines), problems)
