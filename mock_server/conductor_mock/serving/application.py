"""Flask, without what it does for each request of apps that are not this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface

from conductor_mock.serving.routes import LazyRule


class _NoSessions(SessionInterface):
    """No cookie is read or written: whoever asks shows a token."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._none

    def is_null_session(self, obj: object) -> bool:
        return obj is self._none


class Application(Flask):
    """The app of this server: all of its functions are synchronous, which Flask would ask of each for each request."""

    url_rule_class = LazyRule
    session_interface = _NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func
