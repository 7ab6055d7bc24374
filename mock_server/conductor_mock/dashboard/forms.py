"""What the forms of the pages send, read as the control API reads its calls: by the same contract."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, redirect, request

from conductor_contracts.contract import load_control
from conductor_mock.dashboard.shown import link
from conductor_mock.errors import invalid

_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}", re.ASCII)


def filled_in(*names: str) -> dict[str, str]:
    """The fields of the form that somebody filled in."""
    return {name: value for name in names if (value := request.form.get(name, "").strip())}


def number(text: str) -> int | float | str:
    """The number that a field holds, or its text, which the contract refuses in words."""
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def checked(operation: str, body: Any) -> Any:
    """A body that the call of the control API takes. Refuses (400) any other, as the call does."""
    problems = load_control().operations[operation].check_request(body)
    if problems:
        raise invalid(operation, problems)
    return body


def back_to(path: str, **query: object) -> Response:
    """Where a form leads when it was done: a page that is looked at, so that loading it again sends nothing twice."""
    answer = redirect(link(path, **query), 303)
    assert isinstance(answer, Response)  # noqa: S101 - Flask's own
    return answer
