"""What an error becomes on its way out: a refusal in the one shape, whoever raised it.

Only what nobody foresaw is answered 500. The log of the server gets its traceback, the caller a sentence.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable

import sqlalchemy as sa
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from conductor_contracts.problems import Problem
from conductor_mock.api.near_misses import against_contract, differences, methods_of_path, no_such_route
from conductor_mock.context import service, warn
from conductor_mock.errors import (
    Refusal,
    bad_request,
    conflict,
    disk_full,
    not_found,
    too_large,
    unavailable,
)
from conductor_mock.farm.encoding import EncodingError
from conductor_mock.farm.recorded import BrokenLogError
from conductor_mock.farm.records import UnknownCommandError
from conductor_mock.farm.refusals import InvalidRequestError, NotThereError, StateForbidsError
from conductor_mock.farm.snapshot import SnapshotError
from conductor_mock.store.accounts import UnknownAccountError
from conductor_mock.store.log import DamagedLogError
from conductor_mock.store.quotas import QuotaError
from conductor_mock.store.trouble import first_line, is_full, is_out_of_files, is_unknown, reason

log = logging.getLogger(__name__)

_NOT_KNOWN = "whether this was kept is not known: ask again, for a job with the same Idempotency-Key"


def handle_errors(app: Flask) -> None:
    """Let `app` answer every error in the one shape."""
    app.register_error_handler(Refusal, answered)
    app.register_error_handler(HTTPException, _http_error)
    for refused in (OSError, sa.exc.SQLAlchemyError, sqlite3.Error):
        app.register_error_handler(refused, _system_error)
    app.register_error_handler(UnknownAccountError, _unknown_account)
    for unreadable in (DamagedLogError, UnknownCommandError, BrokenLogError, EncodingError, SnapshotError):
        app.register_error_handler(unreadable, _unreadable_log)
    app.register_error_handler(NotThereError, lambda error: answered(not_found(str(error))))
    app.register_error_handler(StateForbidsError, lambda error: answered(conflict(str(error))))
    app.register_error_handler(InvalidRequestError, _invalid)
    app.register_error_handler(Exception, _defect)


def answered(error: Refusal) -> Response:
    """A refusal as JSON."""
    against_contract(error)
    response = jsonify(error.to_json())
    response.status_code = error.status
    response.headers.extend(dict(error.headers))
    return response


def _invalid(error: InvalidRequestError) -> Response:
    details = [] if error.path is None else [Problem(error.path, str(error))]
    return answered(bad_request(str(error), *details))


def _http_error(error: HTTPException) -> Response:
    return answered(refusal_of(error))


def refusal_of(error: HTTPException) -> Refusal:
    """What Flask itself refuses, as a refusal of ours; one that fits no route is kept for the journal."""
    if isinstance(error, NotFound):
        methods = methods_of_path()
        return _wrong_method(methods) if methods else _no_such_route()
    if isinstance(error, MethodNotAllowed):
        return _wrong_method(error.valid_methods or ())
    if isinstance(error, RequestEntityTooLarge):
        return too_large(service().settings.max_json_bytes)
    return Refusal(error.code or 500, error.description or error.name)


def _wrong_method(methods: Iterable[str]) -> Refusal:
    allowed, near = ", ".join(sorted(methods)), no_such_route()
    hint = f"; {near.sentence}" if near else ""
    message = f"{request.method} is not allowed on {request.path[:200]}; allowed: {allowed}{hint}"
    return Refusal(405, message, differences(near, message, "method"), {"Allow": allowed})


def _no_such_route() -> Refusal:
    near = no_such_route()
    hint = f"; {near.sentence}" if near else ""
    message = f"there is no {request.method} {request.path[:200]}{hint}"
    warn(message)
    return Refusal(404, message, differences(near, message, "path"))


def _system_error(error: Exception) -> Response:
    """What the system below refuses, with its reason. What it has no part in is a defect of ours."""
    if isinstance(error, QuotaError):
        return answered(Refusal(507, str(error)))
    if is_full(error):
        return answered(disk_full())
    why = reason(error)
    if why is None:
        return _defect(error)
    if not is_out_of_files(error):  # the socket's server says that in the log, now and then
        # In a line, not in a traceback: on a broken disk each request would write one.
        detail = "" if (said := first_line(error)) in why else f": {said}"
        log.error("%s %s was refused by the system: %s%s", request.method, request.path, why, detail)
    kept = _NOT_KNOWN if is_unknown(error) else "nothing of this was kept"
    return answered(unavailable(f"the fake service cannot do this now: {why}; {kept}"))


def _unknown_account(_: UnknownAccountError) -> Response:
    """A signed URL of an account that this server's log does not have, though the key is its own."""
    return answered(not_found("the account of this URL does not exist on this server"))


def _unreadable_log(error: Exception) -> Response:
    log.error("an account cannot be opened: %s", error)
    return answered(unavailable(f"the account cannot be opened: {error}"))


def _defect(error: Exception) -> Response:
    """What nobody foresaw: the log gets the traceback, the caller a sentence."""
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    message = (
        f"a defect of conductor-mock: {type(error).__name__}; the server's log tells more. Please report it"
    )
    return answered(Refusal(500, message))
