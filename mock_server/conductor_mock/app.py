"""The whole server as one WSGI application."""

from __future__ import annotations

import errno
import logging
import string
from collections.abc import Callable, Iterable
from typing import IO, Any
from urllib.parse import quote

import sqlalchemy as sa
from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.wsgi import FileWrapper

from conductor_mock.api import (
    accounts,
    auth,
    billing,
    catalog,
    companion,
    downloads,
    fileio,
    files,
    jobs,
    objects,
    tasks,
    uploads,
)
from conductor_mock.api.idempotency import announce
from conductor_mock.auth.authentication import authenticate, guarded_elsewhere
from conductor_mock.context import EXTENSION, service, warn
from conductor_mock.control.routes import control
from conductor_mock.dashboard.pages import pages
from conductor_mock.errors import (
    Detail,
    Refusal,
    bad_request,
    conflict,
    disk_full,
    not_found,
    too_large,
    unavailable,
)
from conductor_mock.farm.ids import account_id as account_id_of
from conductor_mock.farm.records import UnknownCommandError
from conductor_mock.farm.refusals import InvalidRequestError, NotThereError, StateForbidsError
from conductor_mock.farm.snapshot import SnapshotError
from conductor_mock.faults.breakage import FAULT, Breaking
from conductor_mock.service import Service, open_service
from conductor_mock.serving.recording import record_requests
from conductor_mock.settings import Settings
from conductor_mock.store.accounts import UnknownAccountError, WallClock, wall_us

log = logging.getLogger(__name__)

BLUEPRINTS = (
    auth.auth,
    companion.companion,
    accounts.accounts,
    catalog.packages,
    catalog.projects,
    catalog.instance_types,
    catalog.env_vars,
    files.files,
    objects.objects,
    jobs.jobs,
    tasks.tasks,
    tasks.task_logs,
    uploads.uploads,
    downloads.downloads,
    fileio.fileio,
    billing.billing,
    control,
    pages,
)


def create_app(settings: Settings | None = None, *, wall: WallClock = wall_us) -> Flask:
    """The server for `settings` (a throw-away one by default). Close it with `close_app`.

    `wall` gives wall time in microseconds since the epoch. Raises what `open_service` raises.
    """
    opened = open_service(settings or Settings(ephemeral=True), wall=wall)
    opened.start()
    return make_app(opened)


def make_app(opened: Service) -> Flask:
    """The application around an opened service."""
    app = Flask("conductor_mock", static_folder=None, template_folder="dashboard/templates")
    app.extensions[EXTENSION] = opened
    app.json.sort_keys = False  # type: ignore[attr-defined]  # set on Flask's default provider
    app.config["MAX_CONTENT_LENGTH"] = opened.settings.max_json_bytes
    app.url_map.strict_slashes = False  # a redirect of a chunked body cannot be replayed (trap 26)
    app.url_map.merge_slashes = False
    record_requests(app)
    app.before_request(_check_framing)
    app.before_request(authenticate)
    app.before_request(_asked_for_fault)
    app.after_request(_announce)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    _handle_errors(app)
    app.wsgi_app = Breaking(_OneSlash(app.wsgi_app))  # type: ignore[method-assign]  # the documented way to wrap
    return app


def close_app(app: Flask) -> None:
    """A clean stop of the server behind `app`."""
    service_of(app).close()


def service_of(app: Flask) -> Service:
    """The parts that an app was made of."""
    opened: Service = app.extensions[EXTENSION]
    return opened


class _OneSlash:
    """`//api/oauth_jwt` is `/api/oauth_jwt`: clients join URLs by concatenation (wire reference 0.3).

    The query is put right too, where its bytes would stop the parsing of it.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        while "//" in path:
            path = path.replace("//", "/")
        environ["PATH_INFO"] = path
        environ.setdefault("wsgi.file_wrapper", _file_wrapper)
        # Bytes that are no ASCII have no place in a query; percent-encoded they are like any other odd text.
        environ["QUERY_STRING"] = quote(
            environ.get("QUERY_STRING", "").encode("latin-1"), safe=string.printable
        )
        return self._app(environ, start_response)


def _file_wrapper(file: IO[bytes], _: int = 0) -> FileWrapper:
    """Files go out in blocks of 256 KiB; 8 KiB, the usual size, is several times slower."""
    return FileWrapper(file, 1 << 18)


def _check_framing() -> None:
    """A body framed in two ways is an attack or a bug, and what follows it cannot be trusted."""
    if request.headers.get("Transfer-Encoding") and request.headers.get("Content-Length"):
        message = "send either Content-Length or Transfer-Encoding, not both"
        raise Refusal(400, message, (Detail("Transfer-Encoding", message),), {"Connection": "close"})


def _asked_for_fault() -> None:
    """Mark a request that gets a fault, and refuse it where it is not to be carried out, before anything is done."""
    if guarded_elsewhere():
        return
    identity = g.get("identity")
    client_id = request.args.get("client_id")
    account = identity.account_id if identity else (request.view_args or {}).get("account_id")
    if account is None and client_id:
        account = account_id_of(client_id)  # the token endpoint: who it is for stands in the query
    rule = service().faults.take(account or "", request.endpoint, request.method, request.path)
    if rule is None:
        return
    g.fault = rule
    fault = request.environ[FAULT] = rule.fault
    if fault.kind == "status":
        status, wait = fault.options["status"], fault.options["retry_after"]
        headers = {} if wait is None else {"Retry-After": str(wait)}
        raise Refusal(status, f"fault {rule.number} was asked for: status {status}", (), headers)
    if not fault.carried_out:
        raise Refusal(503, f"fault {rule.number} was asked for: {fault.kind}")


def _announce(response: Response) -> Response:
    response.headers["X-Conductor-Mock"] = "1"  # so that nobody takes the fake for the service
    announce(response)
    return response


def _handle_errors(app: Flask) -> None:
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(OSError, _os_error)
    app.register_error_handler(sa.exc.OperationalError, _database_error)
    app.register_error_handler(UnknownAccountError, _unknown_account)
    app.register_error_handler(UnknownCommandError, _unreadable_log)
    app.register_error_handler(SnapshotError, _unreadable_log)
    app.register_error_handler(NotThereError, lambda error: _refusal(not_found(str(error))))
    app.register_error_handler(StateForbidsError, lambda error: _refusal(conflict(str(error))))
    app.register_error_handler(InvalidRequestError, _meaningless)
    app.register_error_handler(Exception, _defect)


def _refusal(error: Refusal) -> Response:
    response = jsonify(error.to_json())
    response.status_code = error.status
    response.headers.extend(dict(error.headers))
    return response


def _meaningless(error: InvalidRequestError) -> Response:
    details = [] if error.path is None else [Detail(error.path, str(error))]
    return _refusal(bad_request(str(error), *details))


def _http_error(error: HTTPException) -> Response:
    """Refusals of Flask itself, in our shape."""
    if isinstance(error, NotFound):
        methods = current_app.url_map.bind("").allowed_methods(f"{request.path.rstrip('/')}/")
        return _refusal(_wrong_method(methods) if methods else _no_such_route())
    if isinstance(error, MethodNotAllowed):
        return _refusal(_wrong_method(error.valid_methods or ()))
    if isinstance(error, RequestEntityTooLarge):
        return _refusal(too_large(service().settings.max_json_bytes))
    return _refusal(Refusal(error.code or 500, error.description or error.name))


def _wrong_method(methods: Iterable[str]) -> Refusal:
    allowed = ", ".join(sorted(methods))
    message = f"{request.method} is not allowed on {request.path[:200]}; allowed: {allowed}"
    return Refusal(405, message, (Detail("method", message),), {"Allow": allowed})


def _no_such_route() -> Refusal:
    nearest = service().contract.closest_operation(request.method, request.path)
    hint = f"; the closest is {nearest.method} {nearest.path} ({nearest.id})" if nearest else ""
    message = f"there is no {request.method} {request.path[:200]}{hint}"
    warn(message)
    return Refusal(404, message, (Detail("path", message),))


def _os_error(error: OSError) -> Response:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _refusal(disk_full())
    return _defect(error)


def _database_error(error: sa.exc.OperationalError) -> Response:
    if "full" in str(error.orig):
        return _refusal(disk_full())
    log.error("the database refused", exc_info=error)
    return _refusal(
        unavailable("the database of the fake service could not be written; nothing of this was kept")
    )


def _unknown_account(_: UnknownAccountError) -> Response:
    """A signed URL of an account that this server's log does not have, though the key is its own."""
    return _refusal(not_found("the account of this URL does not exist on this server"))


def _unreadable_log(error: UnknownCommandError | SnapshotError) -> Response:
    log.error("an account cannot be opened: %s", error)
    return _refusal(unavailable(f"the account cannot be opened: {error}"))


def _defect(error: Exception) -> Response:
    """What nobody foresaw: the log gets the traceback, the caller a sentence."""
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    message = (
        f"a defect of conductor-mock: {type(error).__name__}; the server's log tells more. Please report it"
    )
    return _refusal(Refusal(500, message))
