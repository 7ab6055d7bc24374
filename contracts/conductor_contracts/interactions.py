"""The interactions: requests with the answers that are expected, read from ``interactions/*.yaml``.

The files are data for any language; ``interactions/README.md`` describes their form, and a JSON Schema (`file_formats`)
says it to programs. Reading them checks that form strictly: a misspelt expectation would expect nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from conductor_contracts.file_formats import problems_of

TOKENS = ("valid", "none", "forged", "malformed")
CONTROL = "control"
"""In place of an operation: a call of a fake's control API under ``/_mock/``, which is outside the contract."""
CAPTURED = "a capture"
"""The source of interactions that say what a service was asked, and answered."""
KEYS = "keys"
LENIENCE = "lenience"
REQUIREMENTS: Mapping[str, str] = {
    CONTROL: "the server has no control API under /_mock/",
    KEYS: "the server does not say that it honours Idempotency-Key",
    LENIENCE: "the server says that it refuses what the contract does not know",
}
"""What an interaction may require, each with what is said where it is missing."""


class InteractionError(ValueError):
    """An interaction file is not written as ``interactions/README.md`` says."""


@dataclass(frozen=True)
class Request:
    """What a step sends. Texts may have blanks (see ``templates``).

    ``url`` is a captured absolute URL and goes instead of method and path of the operation. At most one
    of ``body`` (JSON), ``form`` (form-encoded), ``text``, ``hex``, ``content`` (the name of a file of the
    interaction) and ``repeat`` (a text and a number of times) is given. ``chunked`` sends it without a length.
    ``token`` is one of TOKENS; without it a valid token goes along wherever one is of use.
    """

    method: str | None = None
    path: str | None = None
    url: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    body: Any = None
    form: Mapping[str, str] | None = None
    text: str | None = None
    hex: str | None = None
    content: str | None = None
    repeat: Mapping[str, Any] | None = None
    chunked: bool = False


@dataclass(frozen=True)
class Expectation:
    """What must come back: a status (or one of several), and matchers for body, headers and token claims.

    ``md5`` is that of the body's bytes, as base64.
    """

    status: tuple[int, ...]
    body: Any = None
    empty: bool = False
    headers: Mapping[str, Any] = field(default_factory=dict)
    claims: Any = None
    md5: str | None = None


@dataclass(frozen=True)
class Step:
    """One request with its expected answer; ``operation`` None stands for a route that does not exist.

    ``capture`` names values of the answer, by JSON pointer or as ``header NAME``, for the blanks of later
    steps; it may have blanks itself. An answer of status ``ends_on`` ends the interaction well: what the later
    steps would try is not there to try.
    """

    operation: str | None
    request: Request
    expect: Expectation
    capture: Mapping[str, str] = field(default_factory=dict)
    ends_on: int | None = None


@dataclass(frozen=True)
class Interaction:
    """A named story of one or more steps.

    ``safe`` says that nothing costs money or is left behind, even if the service takes what it ought to
    refuse. ``source`` names the section of the wire reference; ``traps`` its traps. ``files`` maps names
    to texts, whose md5 and size the steps can use. ``given`` says in words what must be the case.
    ``requires`` is CONTROL where only a fake with a control API can be brought there, KEYS where the server must have
    said that it honours Idempotency-Key, LENIENCE where it must not be strict. ``cleanup`` holds steps
    that are taken at the end, whatever went wrong before.
    """

    operation: str | None
    name: str
    source: str
    safe: bool
    steps: tuple[Step, ...]
    given: str = ""
    traps: tuple[int, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    requires: str | None = None
    cleanup: tuple[Step, ...] = ()

    @property
    def id(self) -> str:
        """The operation and the name, unique among all interactions."""
        return f"{self.operation or 'routes'}: {self.name}"


@cache
def load_interactions() -> tuple[Interaction, ...]:
    """All interactions that ship with the package, in the order of their files. Raises InteractionError."""
    folder = files("conductor_contracts").joinpath("interactions")
    texts = [(entry.name, entry.read_text(encoding="utf-8")) for entry in folder.iterdir()]
    return tuple(
        interaction
        for name, text in sorted(texts)
        if name.endswith(".yaml")
        for interaction in parse_interactions(text, name)
    )


def parse_interactions(text: str, where: str) -> list[Interaction]:
    """Read the interactions of one file; ``where`` names it in errors. Raises InteractionError."""
    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        raise InteractionError(f"{where}: {error}") from error
    return interactions_of(document, where)


def interactions_of(document: Any, where: str) -> list[Interaction]:
    """The interactions of one file that was read; ``where`` names it in errors. Raises InteractionError."""
    problems = problems_of("interactions", document)
    if problems:
        raise InteractionError(f"{where}: {'; '.join(map(str, problems))}")
    operation = document["operation"]
    return [
        _interaction(operation, one, f"{where}, interaction {number}")
        for number, one in enumerate(document["interactions"], start=1)
    ]


def _interaction(operation: str | None, document: Any, where: str) -> Interaction:
    requires = document.get("requires")
    steps, cleanup = (
        tuple(_step(operation, step) for step in document.get(part, ())) for part in ("steps", "cleanup")
    )
    if requires != CONTROL and CONTROL in {step.operation for step in (*steps, *cleanup)}:
        raise InteractionError(
            f"{where} ({document['name']}): has a step of {CONTROL}, but does not say that it requires {CONTROL}"
        )
    return Interaction(
        operation=operation,
        name=document["name"],
        source=document["source"],
        safe=document["safe"],
        given=document.get("given", ""),
        traps=tuple(document.get("traps", ())),
        files=document.get("files", {}),
        requires=requires,
        steps=steps,
        cleanup=cleanup,
    )


def _step(operation: str | None, document: Any) -> Step:
    request, expect = document.get("request", {}), document["expect"]
    status = expect["status"]
    return Step(
        operation=document.get("operation", operation),
        request=Request(**request),
        expect=Expectation(**{**expect, "status": (status,) if isinstance(status, int) else tuple(status)}),
        capture=document.get("capture", {}),
        ends_on=document.get("ends_on"),
    )
