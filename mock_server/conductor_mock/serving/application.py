"""Flask, without what it does for each request of apps that are not this one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, cast

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter

from conductor_mock.serving.routes import LazyRule

_HOSTS, _LONGEST = 64, 200
"""Hosts that are remembered, and characters of one."""


class _NoSessions(SessionInterface):
    """No cookie is read or written: whoever asks shows a token."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._none

    def is_null_session(self, obj: object) -> bool:
        return obj is self._none


class _Asked(Request):
    """A request whose blueprints are looked up once: what is done before and after each request asks for them."""

    @cached_property
    def blueprints(self) -> list[str]:
        return cast(list[str], Request.blueprints.__get__(self))


class Application(Flask):
    """The app of this server: all of its functions are synchronous, which Flask would ask of each for each request."""

    request_class = _Asked
    url_rule_class = LazyRule
    session_interface = _NoSessions()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._hosts: dict[tuple[str, str], tuple[str, str]] = {}
        super().__init__(*arguments, **options)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the route of a request. A client calls the server by the same name each time, which is looked at
        once; a name that is none is refused as ever.
        """
        environ = {} if request is None else request.environ
        key = (environ.get("wsgi.url_scheme", ""), environ.get("HTTP_HOST", ""))
        is_usual = "PATH_INFO" in environ and "HTTP_UPGRADE" not in environ
        if request is None or not is_usual or not 0 < len(key[1]) <= _LONGEST:
            return super().create_url_adapter(request)
        known = self._hosts.get(key)
        if known is None:
            adapter = super().create_url_adapter(request)
            if adapter is not None:
                if len(self._hosts) >= _HOSTS:
                    self._hosts.clear()
                self._hosts[key] = (request.host, adapter.server_name)
            return adapter
        request.host, name = known
        # Of the bytes that WSGI hands on as Latin-1: the path as it came, where a request's own begins with one slash.
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        query = request.query_string.decode("utf-8", "replace")
        return MapAdapter(self.url_map, name, request.root_path, "", key[0], path, request.method, query)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func
