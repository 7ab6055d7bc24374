"""One operation of an API: where it is, what it takes, what it answers, and what is wrong with either."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from conductor_contracts.problems import MAX_PROBLEMS, Problem, advice, show, step_of
from conductor_contracts.schemas import SchemaSet
from conductor_contracts.unknown import Shape, shape_of, unknown_parameters

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

ALSO_CALLED: Mapping[str, str] = {
    "upload": "objects.put",
    "uploads": "objects.put",
    "put": "objects.put",
    "objects.upload": "objects.put",
    "files.upload": "objects.put",
    "download": "objects.get",
    "downloads": "objects.get",
    "objects.download": "objects.get",
    "files.download": "objects.get",
    "submit": "jobs.create",
    "jobs.submit": "jobs.create",
    "jobs.post": "jobs.create",
    "login": "auth.token",
    "token": "auth.token",
    "oauth": "auth.token",
}
"""What people call an operation of the service who do not know its id."""


def advice_on_operation(name: str, known: Collection[str]) -> str:
    """What to say behind a name that no operation has."""
    also = {called: meant for called, meant in ALSO_CALLED.items() if meant in known}
    meant = advice(name.lower() if name.lower() in also else name, known, also)
    return meant or "; 'conductor-contracts list' shows all"


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation: ``place`` is path, query or header."""

    name: str
    place: str
    required: bool
    schema: Mapping[str, Any]
    description: str
    evidence: str = ""
    source: str = ""
    differs: str = ""


@dataclass(frozen=True)
class Operation:
    """One operation, by the name it has everywhere: ``jobs.create``, ``control.clock.move``.

    ``path`` is a template such as ``/objects/{account_id}/{md5}``; ``also_paths`` are other spellings
    of it. ``response_schemas`` maps a status to the name of its schema, or to None where the body does not matter;
    ``media_types`` to the kinds of body that it may have besides JSON. ``request_media_types`` are the kinds of body
    that a request may have, none where it has none; ``form_schema`` is that of a form-encoded one. ``authentication``
    says whether a bearer token is required, optional or never looked at.

    What is known of the service and how stands in ``evidence``, ``source``, ``retry`` (R, NR, direct or own, wire
    reference 0.5 and 2), ``clients``, ``traps`` and ``differs`` (what is known to differ from it). ``also_called`` are
    words that people use for it. The control API is no part of the service: there they are empty.
    """

    id: str
    method: str
    path: str
    also_paths: tuple[str, ...]
    tag: str
    summary: str
    description: str
    authentication: str
    parameters: tuple[Parameter, ...]
    request_schema: str | None
    form_schema: str | None
    request_media_types: frozenset[str]
    response_schemas: Mapping[int, str | None] = field(repr=False)
    media_types: Mapping[int, frozenset[str]] = field(repr=False)
    evidence: str
    source: str
    retry: str
    clients: tuple[str, ...]
    traps: tuple[int, ...]
    differs: str
    also_called: tuple[str, ...]
    hands_out: bool
    _schemas: SchemaSet = field(repr=False, compare=False)

    @property
    def statuses(self) -> tuple[int, ...]:
        """Every status that the operation may answer, in order."""
        return tuple(sorted(self.response_schemas))

    @property
    def success_status(self) -> int:
        """The lowest documented status below 300."""
        return self.statuses[0]

    def check_request(self, body: Any, *, was_read: bool = False) -> list[Problem]:
        """Say what is wrong with a decoded JSON request body; an empty list means nothing.

        Takes any value that a JSON parser returns and raises nothing; one that `was_read` by ``json_text.read`` is not
        searched for what JSON cannot hold. At most 20 problems are named. Operations without a JSON body find nothing
        wrong with any.
        """
        if self.request_schema is None:
            return []
        return self._schemas.check(self.request_schema, body, was_read=was_read)

    def request_document(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of a JSON request body, whole, for other programs. KeyError where there is none."""
        if self.request_schema is None:
            raise KeyError(self.id)
        return self._schemas.document(self.request_schema)

    def check_form(self, form: Mapping[str, str]) -> list[Problem]:
        """Say what is wrong with the fields of a form-encoded request body; unknown ones are not."""
        return self._schemas.check(self.form_schema, dict(form)) if self.form_schema else []

    def check_query(self, query: Mapping[str, str]) -> list[Problem]:
        """Say what is wrong with the parameters of a query string; unknown ones are not."""
        return self._schemas.check(query_schema_name(self.id), dict(query))

    def check_response(self, status: int, body: Any, media_type: str = JSON) -> list[Problem]:
        """Say where an answer departs from the contract. ``body`` is decoded JSON; None or empty for none.

        A body of another documented ``media_type``, such as a page, is not looked into; JSON must be labelled as JSON.
        """
        if status not in self.response_schemas:
            documented = ", ".join(map(str, self.statuses))
            return [Problem("", f"has status {status}, which {self.id} does not document ({documented})")]
        name = self.response_schemas[status]
        if media_type != JSON and media_type in self.media_types[status]:
            return []
        if name is not None:
            return [*wrong_label(media_type), *self._schemas.check(name, body)]
        if status == 204 and body not in (None, "", b""):
            return [Problem("", f"must be empty with status 204, got {show(body)}")]
        return []

    def wrong_in_body(self, body: Any) -> list[Problem]:
        """What is wrong with a JSON request body and the fields that the contract does not name, at most 20."""
        return list(dict.fromkeys([*self.check_request(body), *self.unknown_fields(body)]))[:MAX_PROBLEMS]

    def wrong_in_query(self, query: Mapping[str, str]) -> list[Problem]:
        """What is wrong with a query and the parameters that the contract does not name, by their names, at most 20."""
        found = [*self.check_query(query), *self.unknown_parameters(query)]
        return [Problem(step_of(problem.path), problem.message) for problem in found[:MAX_PROBLEMS]]

    @cached_property
    def needs_query(self) -> bool:
        """Whether there is something wrong with no query at all."""
        return bool(self.check_query({}))

    def unknown_fields(self, body: Any) -> list[Problem]:
        """Fields of a request body that the contract does not name, at most 20, each with a likely name."""
        return self._shape.unknown_in(body)

    def unknown_answer_fields(self, status: int, body: Any) -> list[Problem]:
        """Fields of an answer that the contract does not name, at most 20; none where the status is not documented."""
        shape = self._answer_shapes.get(status)
        return shape.unknown_in(body) if shape else []

    @cached_property
    def _shape(self) -> Shape:
        return shape_of(self._schemas, self.request_schema) if self.request_schema else Shape()

    @cached_property
    def _form_shape(self) -> Shape:
        return shape_of(self._schemas, self.form_schema) if self.form_schema else Shape()

    @cached_property
    def _answer_shapes(self) -> Mapping[int, Shape]:
        named = {status: name for status, name in self.response_schemas.items() if name}
        return {status: shape_of(self._schemas, name) for status, name in named.items()}

    def unknown_form_fields(self, form: Mapping[str, str]) -> list[Problem]:
        """Fields of a form-encoded request body that the contract does not name, each with a likely name."""
        return self._form_shape.unknown_in(dict(form))

    def unknown_parameters(self, query: Collection[str]) -> list[Problem]:
        """Parameters of a query that the contract does not name, at most 20, each with a likely name."""
        return unknown_parameters(
            query, [parameter.name for parameter in self.parameters if parameter.place == "query"]
        )

    def matches(self, path: str) -> bool:
        """Whether a path, without its query, is one of this operation."""
        return any(_pattern(template).fullmatch(path) for template in (self.path, *self.also_paths))


def wrong_label(media_type: str) -> list[Problem]:
    """What is wrong with the label of a JSON body."""
    if media_type == JSON:
        return []
    return [Problem("", f"must be labelled {JSON}, is labelled {media_type or 'nothing'}")]


def query_schema_name(operation: str) -> str:
    """The name under which the schema of an operation's query stands among the others."""
    return f"{operation} query"


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", template)
    return re.compile("[^/]+".join(map(re.escape, parts)))
