"""The whole server as one WSGI application."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g
from werkzeug.middleware.proxy_fix import ProxyFix

from conductor_mock.api import (
    accounts,
    auth,
    billing,
    browser_login,
    companion,
    downloads,
    env_vars,
    fileio,
    files,
    instance_types,
    jobs,
    logs,
    objects,
    packages,
    projects,
    tasks,
    uploads,
)
from conductor_mock.api.bodies import check_coding
from conductor_mock.api.idempotency import announcement
from conductor_mock.api.marking import mark_request
from conductor_mock.api.queries import check_query
from conductor_mock.api.refusals import handle_errors
from conductor_mock.auth.authentication import identify
from conductor_mock.context import (
    EXTENSION,
    asked,
    guarded_elsewhere,
    now_s,
    service_of,
    warnings_header,
)
from conductor_mock.control.routes import control
from conductor_mock.dashboard.pages import pages
from conductor_mock.errors import unauthorized
from conductor_mock.faults.middleware import FaultMiddleware
from conductor_mock.monitoring.metrics import metrics
from conductor_mock.service import Service, open_service
from conductor_mock.serving.application import Application
from conductor_mock.serving.measuring import measure_requests
from conductor_mock.serving.recording import record_requests
from conductor_mock.settings import Settings
from conductor_mock.store.turns import GiveWay, give_way
from conductor_mock.store.wall import WallClock, wall_us
from conductor_mock.wire.answer import App

BLUEPRINTS = (
    auth.auth,
    browser_login.consent,
    companion.companion,
    accounts.accounts,
    packages.packages,
    projects.projects,
    instance_types.instance_types,
    env_vars.env_vars,
    files.files,
    objects.objects,
    jobs.jobs,
    tasks.tasks,
    logs.logs,
    uploads.uploads,
    downloads.downloads,
    fileio.fileio,
    billing.billing,
    control,
    metrics,
    pages,
)


def create_app(
    settings: Settings | None = None, *, wall: WallClock = wall_us, give_way: GiveWay = give_way
) -> Flask:
    """The server for `settings` (a throw-away one by default). Close it with `close_app`.

    `wall` gives wall time in microseconds since the epoch; `give_way` is called between two slices of long work.
    Raises what `open_service` and `Service.start` raise.
    """
    opened = open_service(settings or Settings(ephemeral=True), wall=wall, give_way=give_way)
    try:
        opened.start()
        return make_app(opened)
    except BaseException:
        opened.close()
        raise


def make_app(opened: Service) -> Flask:
    """The application around an opened service."""
    app = Application("conductor_mock", static_folder=None, template_folder="dashboard/templates")
    app.extensions[EXTENSION] = opened
    app.json.sort_keys = False  # type: ignore[attr-defined]  # set on Flask's default provider
    app.config["MAX_CONTENT_LENGTH"] = opened.settings.max_json_bytes
    app.url_map.strict_slashes = False  # a redirect of a chunked body cannot be replayed (trap 26)
    app.url_map.merge_slashes = False
    # So that nobody takes the fake for the service, and a client knows what it may repeat.
    headers = {"X-Conductor-Mock": "1", **announcement(honoured=opened.settings.honour_keys)}
    if opened.settings.strict:
        headers["X-Conductor-Mock-Strict"] = "1"
    measure_requests(app)
    record_requests(app, opened)
    app.before_request(partial(_authenticate, opened))
    app.before_request(mark_request)
    app.before_request(check_query)
    app.before_request(check_coding)
    app.after_request(partial(_announce, headers))
    app.after_request(partial(_send_elsewhere, opened))
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    handle_errors(app)
    wrapped = _behind(opened.settings.trust_proxy, FaultMiddleware(_OneSlash(app.wsgi_app)))
    app.wsgi_app = wrapped  # type: ignore[method-assign, assignment]  # the documented way to wrap
    return app


def close_app(app: Flask) -> None:
    """A clean stop of the server behind `app`."""
    service_of(app).close()


def _behind(proxies: int, app: App) -> App:
    """The app, told by that many proxies what its clients asked for. Without any, their headers mean nothing.

    A header that nobody in front sets or removes is the client's own word, so only those are read that `serve
    --trust-proxy` asks a proxy for.
    """
    if not proxies:
        return app
    return ProxyFix(app, x_for=0, x_proto=proxies, x_host=proxies, x_prefix=proxies)


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
        query = environ.get("QUERY_STRING", "")
        if not (query.isascii() and query.isprintable()):
            # Bytes that are no ASCII have no place in a query; percent-encoded they are like any other odd text.
            environ["QUERY_STRING"] = quote(query.encode("latin-1"), safe=string.printable)
        return self._app(environ, start_response)


def _announce(headers: Mapping[str, str], response: Response) -> Response:
    response.headers.update(headers)
    warned = warnings_header()
    if warned:
        response.headers.update(warned)
    return response


def _send_elsewhere(opened: Service, response: Response) -> Response:
    """Close connections behind their answers before a stop, so that no client begins a request while it happens."""
    if opened.readiness.is_draining:
        response.headers["Connection"] = "close"
    return response


def _authenticate(opened: Service) -> None:
    """Set `g.identity` to whom the request speaks for, by the rule of its operation, or refuse (401)."""
    request = asked()
    if request.endpoint is None or guarded_elsewhere(request):
        return
    rule = opened.contract.operations[request.endpoint].authentication
    # Where none is needed none is looked at: one upload style sends it to signed URLs, the other does not (trap 10).
    if rule == "never":
        return
    header = request.headers.get("Authorization")
    if rule == "optional" and header is None:
        return
    identity = identify(header, opened.tokens, now_s=now_s())
    if not opened.accounts.knows(identity.account_id):
        raise unauthorized(
            "the token's account does not exist on this server; fetch a new token from /api/oauth_jwt"
        )
    g.identity = identity
