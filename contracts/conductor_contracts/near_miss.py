"""What a request that fits no operation, or breaks the contract of one, was probably meant to be, and what differs.

A path is compared with the templates of the contract, and its words with theirs, with the ids of the operations and
with other names that people give them (``x-also-called``): ``GET /api/v1/machines`` is near ``instance_types.list``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from conductor_contracts.operation import Operation
from conductor_contracts.problems import MAX_PROBLEMS, Problem, clip, words_of

NEAR = 0.7
"""How alike, from 0 to 1, a path and an operation must be at least."""
MAX_TOLD = 5
"""Differences in a sentence; the rest is counted."""

_SAME_METHOD = 0.1
_LONGEST = 200
_LAST_WORD = 6
"""How much more the last word of a path says than each of the others: a path ends in what is asked for."""
_NOISE = re.compile(r"api|rest|v\d+|client", re.IGNORECASE)
"""Steps of a path that say nothing about what is asked for."""
_PARAMETER = re.compile(r"\{\w+\}")
_ID = re.compile(r"\{\w+\}|\d+|[0-9a-fA-F]{12,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class NearMiss:
    """An operation, and what a request has other than it wants.

    The path of a difference is ``method`` or ``path``, a JSON pointer into the body, or the name of a parameter.
    """

    operation: Operation
    differences: tuple[Problem, ...]

    @property
    def sentence(self) -> str:
        """What was meant and what differs, as the end of a sentence."""
        target = self.operation
        places = [problem.path for problem in self.differences if problem.path in _HEAD]
        others = [problem for problem in self.differences if problem.path not in _HEAD]
        name = f"the closest is {target.method} {target.path} ({target.id})"
        differs = f", which differs in {' and '.join(places)}" if places else ""
        wrong = f"; for it {told(others)}" if others else ""
        return f"{name}{differs}{wrong}"

    @property
    def difference(self) -> str:
        """The operation and what differs, as a line of a log."""
        return f"{self.operation.id}: {told(self.differences)}"

    def to_json(self) -> dict[str, Any]:
        """It as the journal keeps it."""
        return {
            "operation": self.operation.id,
            "method": self.operation.method,
            "path": self.operation.path,
            "differences": [
                {"path": problem.path, "message": problem.message} for problem in self.differences
            ],
        }


_HEAD = ("method", "path")


def told(problems: Collection[Problem]) -> str:
    """The first of some problems in a sentence, and how many there are beside them."""
    first = list(problems)[:MAX_TOLD]
    more = len(problems) - len(first)
    return "; ".join(map(str, first)) + (f"; and {more} more" if more else "")


def near_miss(
    operations: Iterable[Operation],
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: tuple[Any] | None = None,
    has_token: bool = True,
) -> NearMiss | None:
    """The operation that a request which fits none was probably meant for, and what differs; None if none is near.

    ``body`` is its decoded JSON in a tuple, None where it has none; ``has_token`` whether it carries a good token.
    """
    found = closest(operations, method, path)
    if found is None:
        return None
    differences = []
    if not _is_method(found, method):
        differences.append(Problem("method", f"must be {found.method}, got {clip(method)}"))
    if not found.matches(path):
        differences.append(Problem("path", f"must be {found.path}, got {clip(path)}"))
    if found.authentication == "required" and not has_token:
        differences.append(Problem("Authorization", "must be 'Bearer TOKEN' with one from /api/oauth_jwt"))
    if query is not None:
        differences += found.wrong_in_query(query)
    if found.request_schema is not None:
        differences += (
            [Problem("", "must be JSON, there is none")] if body is None else found.wrong_in_body(body[0])
        )
    return NearMiss(found, tuple(differences[:MAX_PROBLEMS]))


def closest(operations: Iterable[Operation], method: str, path: str) -> Operation | None:
    """The operation that a method and a path were probably meant for, or None.

    Of those that are equally near one with the same method is meant, else the first.
    """
    path = path[:_LONGEST]
    ranked = [
        (_nearness(path, operation), _is_method(operation, method), operation) for operation in operations
    ]
    near = [row for row in ranked if row[0] >= NEAR]
    if not near:
        return None
    return max(near, key=lambda row: row[0] + _SAME_METHOD * row[1])[2]


def _is_method(operation: Operation, method: str) -> bool:
    return operation.method == ("GET" if method.upper() == "HEAD" else method.upper())


def _nearness(path: str, operation: Operation) -> float:
    if operation.matches(path):
        return 1.0
    templates = (operation.path, *operation.also_paths)
    return max(*(_likeness(path, template) for template in templates), _named(path, operation))


@lru_cache(2048)
def _likeness(path: str, template: str) -> float:
    """How alike a path and a template are; slashes at the ends and doubled ones do not count, prefixes a little.

    Kept for some paths, since a client that asks for one that there is not asks for it again.
    """
    given, plain_given = _steps(path)
    known, plain_known = _steps(template)
    return max(_alike(given, known), 0.95 * _alike(plain_given, plain_known))


@lru_cache(512)
def _steps(path: str) -> tuple[list[str], list[str]]:
    """The steps of a path, and those of them that say something. The same templates are asked for each time."""
    steps = [step for step in path.split("/") if step]
    return steps, [step for step in steps if not _NOISE.fullmatch(step)]


def _alike(given: list[str], known: list[str]) -> float:
    if len(given) == len(known):
        # What stands in place of a parameter says nothing about which route was meant.
        pairs = [(a, b) for a, b in zip(given, known, strict=True) if not b.startswith("{")]
        given, known = [a for a, _ in pairs], [b for _, b in pairs]
    if not given:
        return 0.0
    one, other = "/".join(given), "/".join(known)
    # No two texts are more alike than their lengths and their letters are, which costs much less to know; what is not
    # near need not be known exactly.
    if 2 * min(len(one), len(other)) < NEAR * (len(one) + len(other)):
        return 0.0
    matcher = difflib.SequenceMatcher(None, one, other)
    if matcher.quick_ratio() < NEAR:
        return 0.0
    return matcher.ratio()


@lru_cache(512)
def _words(names: tuple[str, ...]) -> frozenset[str]:
    """The words of what an operation is called, but for those that say nothing."""
    return frozenset(word for name in names for word in words_of(name) if not _NOISE.fullmatch(word))


def _named(path: str, operation: Operation) -> float:
    """How many of a path's words an operation is called by, if its last one is among them."""
    steps = [step for step in path.split("/") if not _NOISE.fullmatch(step) and not _ID.fullmatch(step)]
    given = [word for step in steps for word in words_of(step)]
    names = _words((operation.id, _PARAMETER.sub("", operation.path), *operation.also_called))
    if not given or given[-1] not in names:
        return 0.0
    known = sum(word in names for word in given[:-1])
    return 0.95 * (known + _LAST_WORD) / (len(given) - 1 + _LAST_WORD)
