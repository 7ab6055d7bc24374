"""The pages of the dashboard as one blueprint: who may see them, with what headers, and how an error looks."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter

from conductor_mock.api.doors import dashboard_guard, dashboard_headers
from conductor_mock.api.refusals import answered, refusal_of
from conductor_mock.context import service
from conductor_mock.errors import Refusal, bad_request, conflict, not_found
from conductor_mock.farm.refusals import InvalidRequestError, NotThereError, StateForbidsError
from conductor_mock.version import version


class Number(BaseConverter):
    """Digits of an address, so many that they can be an int: `/jobs/JID/downloads` is the service's, and no task."""

    regex = r"[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        """The number."""
        return int(value)


pages = Blueprint("pages", __name__)
pages.record_once(lambda setup: setup.app.url_map.converters.update(number=Number))
pages.before_request(dashboard_guard)
pages.after_request(dashboard_headers)


@pages.errorhandler(NotThereError)
def _not_there(error: NotThereError) -> ResponseReturnValue:
    return _refused(not_found(str(error)))


@pages.errorhandler(StateForbidsError)
def _forbidden_by_state(error: StateForbidsError) -> ResponseReturnValue:
    return _refused(conflict(str(error)))


@pages.errorhandler(InvalidRequestError)
def _invalid(error: InvalidRequestError) -> ResponseReturnValue:
    return _refused(bad_request(str(error)))


@pages.errorhandler(Refusal)
def _refused(error: Refusal) -> ResponseReturnValue:
    """A page where a browser asks, else JSON in the one shape of refusals."""
    if not _wants_page():
        response: Response = make_response(error.to_json())
        response.status_code = error.status
        response.headers.extend(dict(error.headers))
        return response
    return _page_of(error)


@pages.app_errorhandler(MethodNotAllowed)
@pages.app_errorhandler(NotFound)
def _no_route(error: HTTPException) -> ResponseReturnValue:
    """The same where the address fits no route. What an operation refuses is JSON, whoever asks."""
    refusal = refusal_of(error)
    if request.url_rule is not None or not _wants_page():
        return answered(refusal)
    return dashboard_headers(_page_of(refusal))


def _wants_page() -> bool:
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _page_of(error: Refusal) -> Response:
    text = render_template(
        "error.html",
        status=error.status,
        message=error.message,
        navigation=(),
        version=version(),
        executing=service().settings.execute,
        link=lambda path: f"{request.root_path}{path}",
    )
    response: Response = make_response(text)
    response.status_code = error.status
    response.headers.extend(dict(error.headers))
    return response
