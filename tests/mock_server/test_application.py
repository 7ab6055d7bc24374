"""What the app remembers of a request means the same for the next one."""

from __future__ import annotations

from flask import Flask, Request
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from conductor_mock.serving.application import Application

HOSTS = st.sampled_from(
    [
        "a.example",
        "A.example:80",
        "a.example:443",
        "127.0.0.1:8089",
        "[::1]:80",
        "a_b:1",
        "b\xfccher",
        "",
        "x" * 300,
    ]
) | st.text("aA.:-_[]1 \xe9", max_size=8)
PATHS = st.lists(st.sampled_from(["/", "//", "a", "%", "\xc3\xa9", "\xe9", " "]), max_size=4).map("".join)
SCHEMES = st.sampled_from(["http", "https"])


def found(adapter: MapAdapter | None) -> dict[str, object]:
    assert adapter is not None
    return {name: value for name, value in vars(adapter).items() if name != "map"}


def read(make: Flask, environ: dict[str, str], *, by_flask: bool) -> object:
    """The adapter of a request and the name that it has for the server, or how it is refused."""
    request = Request(dict(environ))
    try:
        adapter = (Flask if by_flask else type(make)).create_url_adapter(make, request)
        return found(adapter), request.host
    except HTTPException as error:
        return type(error)


@given(st.lists(st.tuples(HOSTS, SCHEMES), min_size=1, max_size=3), PATHS, PATHS, st.booleans())
@example([("a.example:80", "http"), ("a.example:80", "https")], "/", "", False)
def test_a_host_that_was_seen_before_leads_to_the_same_route(
    hosts: list[tuple[str, str]], path: str, query: str, upgrades: bool
) -> None:
    app = Application("app", static_folder=None)
    for host, scheme in hosts * 2:
        environ = {"wsgi.url_scheme": scheme, "HTTP_HOST": host, "PATH_INFO": path, "QUERY_STRING": query}
        environ |= {"REQUEST_METHOD": "PUT", "SCRIPT_NAME": "/before", "SERVER_NAME": "s", "SERVER_PORT": "1"}
        if upgrades:
            environ |= {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "upgrade"}
        assert read(app, environ, by_flask=False) == read(app, environ, by_flask=True)


def test_names_of_the_server_are_remembered_up_to_a_limit() -> None:
    app = Application("app", static_folder=None)
    for number in range(1000):
        environ = {"wsgi.url_scheme": "http", "HTTP_HOST": f"a{number}", "PATH_INFO": "/"}
        app.create_url_adapter(
            Request({**environ, "REQUEST_METHOD": "GET", "SERVER_NAME": "s", "SERVER_PORT": "1"})
        )
    assert 0 < len(app._hosts) <= 64
