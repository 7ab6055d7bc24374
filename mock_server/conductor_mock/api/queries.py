"""The query and the form of a request, held to the contract of the operation that it was routed to.

The service passes over what it does not know, so an unknown name is a contract warning, as it is in a JSON body, and
an error when the server is strict. A value is refused where it cannot be meant at all: a missing one, a count that is
no number, a date that is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from flask import request

from conductor_contracts.operation import Operation
from conductor_mock.api.bodies import notice
from conductor_mock.catalog.filters import FilterError
from conductor_mock.context import asked, service
from conductor_mock.errors import invalid, parameters, wrong_value

F = TypeVar("F")


def check_query() -> None:
    """Warn of parameters that the service does not know, and refuse (400) a query that cannot be meant."""
    request = asked()
    operation = service().contract.operations.get(request.endpoint or "")
    if operation is None or request.method == "OPTIONS" or not (request.args or operation.needs_query):
        return
    for problem in parameters(operation.unknown_parameters(request.args)):
        notice(problem.path, problem.message)
    if _is_signed(operation):
        return
    problems = operation.check_query(request.args.to_dict())
    if problems:
        problems = operation.wrong_in_query(request.args.to_dict())
        raise invalid(f"{operation.id}: the query is not valid", problems)


def contract_form() -> dict[str, str]:
    """The fields of the request's form, valid by the contract; none where it has no form. Refuses (400)."""
    operation = service().contract.operations[cast(str, request.endpoint)]
    form = request.form.to_dict()
    problems = operation.check_form(form)
    if problems:
        raise invalid(f"{operation.id}: the form is not valid", parameters(problems))
    for problem in parameters(operation.unknown_form_fields(form)):
        notice(problem.path, problem.message)
    return form


def _is_signed(operation: Operation) -> bool:
    """Whether the query is a signature with what was signed: it is right or wrong as a whole (`api.signed`)."""
    return any(parameter.name == "signature" for parameter in operation.parameters)


def filtered_by(parse: Callable[[str], F]) -> F:
    """The query's `filter` as `parse` reads it. Refuses (400)."""
    try:
        return parse(request.args.get("filter", ""))
    except FilterError as error:
        raise wrong_value("filter", str(error)) from None


def count(name: str, default: int, most: int) -> int:
    """A parameter that the contract says is a count; larger ones are cut to the most that is served at once."""
    return min(int(request.args.get(name) or default), most)
