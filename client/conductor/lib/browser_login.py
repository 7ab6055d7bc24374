"""Logging in with a web browser instead of an API key (wire reference 1.2).

The browser is sent to the service's page, which sends it back with a token to a web server that waits here, on the
loopback interface, for exactly that: at a path that was made for this one question, so that no other page can send a
token of its own, and once.
"""

from __future__ import annotations

import queue
import secrets
import socketserver
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from conductor.lib.config import Config
from conductor.lib.exceptions import ConfigError, LoginError
from conductor.lib.login.credentials import (
    BROWSER_FILE,
    Token,
    TokenStore,
    account_of,
    claims,
    credentials_folder,
    same_domain,
    speakable,
)
from conductor.lib.wire.operations import AUTH_TOKEN

CALLBACK = "index.html"
_IDLE_SECONDS = 5.0  # a browser opens connections that it does not use
_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>conductor</title>'
    "<p>You are logged in. You can close this window."
)


@dataclass(frozen=True)
class Login:
    """A login that was kept: the account, until when it lasts (epoch seconds), and the file that holds it."""

    account_id: str
    expiration: int
    path: Path


def login_with_browser(
    config: Config | None = None,
    *,
    open_browser: Callable[[str], bool] = webbrowser.open,
    timeout: float = 120.0,
    folder: Path | None = None,
    now: Callable[[], float] = time.time,
) -> Login:
    """Send a person to the service's login page, wait for the token and keep it in a file of mode 0600.

    The port is the setting ``auth_port``. ``open_browser`` gets the page's URL and says whether a browser was started;
    ``timeout`` is in seconds. Raises LoginError if no token came in time, or one that is not for this service;
    ConfigError for a port that is taken or a folder that cannot be written.
    """
    config = config or Config.load()
    answers: queue.Queue[Mapping[str, str]] = queue.Queue(maxsize=1)
    path = f"/{secrets.token_urlsafe(24)}/{CALLBACK}"
    with _waiting(int(config["auth_port"]), path, answers) as port:
        page = login_page(config.url, port, path)
        if not open_browser(page):
            raise LoginError(
                f"{AUTH_TOKEN.id}: no web browser could be started; run 'conductor login --no-browser' "
                "and open the address that it prints"
            )
        try:
            answer = answers.get(timeout=timeout)
        except queue.Empty:
            answer = {}
    if not answer:
        raise LoginError(
            f"{AUTH_TOKEN.id}: nobody logged in at {page} within {timeout:g} s; "
            "run 'conductor login' again, perhaps with a longer --timeout"
        )
    token = _token(answer, config.api_url, now())
    store = TokenStore((folder or credentials_folder()) / BROWSER_FILE)
    store.write_browser_login(token, answer.get("scope", "").split())
    return Login(account_of(token.access_token), token.expiration, store.path)


def login_page(url: str, port: int, path: str) -> str:
    """Return the page to send a person to, who comes back to ``path``.

    The host is ``localhost`` as the vendor's clients write it.
    """
    query = {
        "redirect_uri": f"http://localhost:{port}{path}",
        "scope": "user",
        "response_type": "client_token",
    }
    return f"{url}{AUTH_TOKEN.path}?{urlencode(query)}"


def _token(answer: Mapping[str, str], api_url: str, now: float) -> Token:
    text, lifetime = answer["access_token"], answer.get("expires_in", "")
    problem = ""
    if not speakable(text):
        problem = "a token that does not fit into a header"
    elif not (lifetime.isascii() and lifetime.isdigit() and len(lifetime) < 12):
        problem = "a token without a lifetime in seconds"
    elif not same_domain(claims(text).get("aud"), api_url):
        # Any page could send a browser here; what it can send is then at least a token of this service.
        problem = f"a token that is not for {api_url}"
    if problem:
        raise LoginError(
            f"{AUTH_TOKEN.id}: the browser came back with {problem}; check CONDUCTOR_URL and log in again"
        )
    return Token(text, int(now) + int(lifetime))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking for the machine's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", int(self.server_address[1])


@contextmanager
def _waiting(port: int, path: str, answers: queue.Queue[Mapping[str, str]]) -> Iterator[int]:
    """Serve the callback at ``path`` in a thread for the length of the block, and give the port."""

    class Callback(BaseHTTPRequestHandler):
        timeout = _IDLE_SECONDS

        def do_GET(self) -> None:
            target = urlsplit(self.path)
            answer = dict(parse_qsl(target.query))
            status, body = 404, b""
            if secrets.compare_digest(target.path.encode(), path.encode()):
                status = self._take(answer) if answer.get("access_token") else 200
                body = _PAGE.encode() if status == 200 and answer.get("access_token") else b""
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def _take(self, answer: Mapping[str, str]) -> int:
            """Take the first answer, and the status that says whether this was it."""
            try:
                answers.put_nowait(answer)
            except queue.Full:
                return 410
            return 200

        def log_message(self, *_: object) -> None:
            """Say nothing: what is asked for holds the token."""

    try:
        server = _Server(("127.0.0.1", port), Callback)
    except OSError as error:
        reason = error.strerror
    else:
        thread = threading.Thread(
            target=server.serve_forever, args=(0.05,), name="conductor-login", daemon=True
        )
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        return
    raise ConfigError(
        f"auth_port: the browser cannot come back to port {port}: {reason}; "
        "set CONDUCTOR_AUTH_PORT to another one, or to 0 for any"
    )
