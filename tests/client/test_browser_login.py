"""The browser login: a person at a page, played by a thread that asks as a browser does."""

from __future__ import annotations

import http.client
import json
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from conductor.lib.browser_login import Login, login_page, login_with_browser
from conductor.lib.config import Config
from conductor.lib.exceptions import ConfigError, LoginError
from conductor.lib.login.credentials import TokenSource
from support.client_world import NOW, URL, jwt

PATIENCE_S = 60
"""How long a test waits for the answer before it calls it lost; nothing is measured with it."""


class Browser:
    """Goes to the pages given, one after the other, as soon as it is opened; keeps what it saw."""

    def __init__(self, *targets: str) -> None:
        self.targets, self.pages = targets, list[str]()
        self.seen: list[tuple[int, str]] = []
        self._thread = threading.Thread(target=self._go)

    def __call__(self, page: str) -> bool:
        self.pages.append(page)
        self._thread.start()
        return True

    def _go(self) -> None:
        back = urlsplit(parse_qs(urlsplit(self.pages[0]).query)["redirect_uri"][0])
        for target in self.targets:
            connection = http.client.HTTPConnection("127.0.0.1", back.port or 0, timeout=PATIENCE_S)
            connection.request("GET", back.path + target if target.startswith("?") else target)
            answer = connection.getresponse()
            self.seen.append((answer.status, answer.read().decode()))
            connection.close()

    def close(self) -> None:
        self._thread.join(PATIENCE_S)


def config(tmp_path: Path, port: str = "0") -> Config:
    return Config.load(environ={"CONDUCTOR_URL": URL, "CONDUCTOR_AUTH_PORT": port}, home=tmp_path)


def back(**answer: Any) -> str:
    query = {"access_token": jwt(), "expires_in": 3600, "scope": "user", **answer}
    return f"?{urlencode({name: value for name, value in query.items() if value is not None})}"


def log_in(tmp_path: Path, browser: Callable[[str], bool], timeout: float = PATIENCE_S) -> Login:
    return login_with_browser(
        config(tmp_path), open_browser=browser, timeout=timeout, folder=tmp_path / "cred", now=lambda: NOW
    )


def test_the_page_is_asked_for_as_the_vendors_client_does() -> None:
    page = urlsplit(login_page(URL, 8085, "/once/index.html"))
    assert (page.path, parse_qs(page.query)) == (
        "/api/oauth_jwt",
        {
            "redirect_uri": ["http://localhost:8085/once/index.html"],
            "scope": ["user"],
            "response_type": ["client_token"],
        },
    )


def test_a_token_is_kept_for_its_owner_and_used_from_then_on(tmp_path: Path) -> None:
    browser = Browser("/favicon.ico", "?", back())
    login = log_in(tmp_path, browser)
    browser.close()
    assert [status for status, _ in browser.seen] == [404, 200, 200]
    assert "You are logged in" in browser.seen[-1][1]
    assert "You are logged in" not in browser.seen[1][1]
    assert (login.account_id, login.expiration) == ("5001", int(NOW) + 3600)
    assert stat.S_IMODE(login.path.stat().st_mode) == 0o600
    assert json.loads(login.path.read_text()) == {
        "access_token": jwt(),
        "token_type": "Bearer",
        "expiration": int(NOW) + 3600,
        "scope": ["user"],
    }
    source = TokenSource(
        None, api_url=URL, fetch=lambda _: ("", 0), folder=login.path.parent, now=lambda: NOW
    )
    assert source.token() == jwt()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"access_token": "a b"}, "does not fit into a header"),
        ({"expires_in": None}, "without a lifetime"),
        ({"expires_in": "soon"}, "without a lifetime"),
        ({"access_token": jwt(audience="http://elsewhere.test")}, f"not for {URL}"),
        ({"access_token": "opaque"}, f"not for {URL}"),
    ],
)
def test_a_token_that_cannot_be_used_is_not_kept(tmp_path: Path, answer: dict[str, Any], reason: str) -> None:
    browser = Browser(back(**answer))
    with pytest.raises(LoginError, match=reason):
        log_in(tmp_path, browser)
    browser.close()
    assert not (tmp_path / "cred").exists()


def test_nobody_who_logs_in_is_a_login_error_that_names_the_page(tmp_path: Path) -> None:
    with pytest.raises(
        LoginError, match=r"nobody logged in at http://conductor\.test/api/oauth_jwt.* within 0\.01 s"
    ):
        log_in(tmp_path, lambda _: True, timeout=0.01)


def test_a_machine_without_a_browser_says_what_to_open(tmp_path: Path) -> None:
    with pytest.raises(LoginError, match="conductor login --no-browser"):
        log_in(tmp_path, lambda _: False)


def test_a_port_that_is_taken_is_named_with_what_to_set(tmp_path: Path) -> None:
    def again(page: str) -> bool:
        port = str(urlsplit(parse_qs(urlsplit(page).query)["redirect_uri"][0]).port)
        with pytest.raises(ConfigError, match=f"come back to port {port}: .*set CONDUCTOR_AUTH_PORT"):
            login_with_browser(config(tmp_path, port), open_browser=lambda _: True)
        return False

    with pytest.raises(LoginError, match="no web browser"):
        log_in(tmp_path, again)


def test_a_folder_that_cannot_be_written_is_an_error_since_the_login_was_for_nothing(tmp_path: Path) -> None:
    (tmp_path / "cred").write_text("a file")
    browser = Browser(back())
    with pytest.raises(ConfigError, match="cannot be kept"):
        log_in(tmp_path, browser)
    browser.close()


def test_a_token_that_another_page_sends_is_not_taken(tmp_path: Path) -> None:
    """It cannot know the path that was made for this login; the person's own token is the one that is kept."""
    foreign = back(access_token=jwt(account="6666"))
    browser = Browser(f"/index.html{foreign}", f"/{foreign}", f"/guess/index.html{foreign}", back())
    login = log_in(tmp_path, browser)
    browser.close()
    assert [status for status, _ in browser.seen] == [404, 404, 404, 200]
    assert login.account_id == "5001"


def test_each_login_waits_at_a_path_of_its_own(tmp_path: Path) -> None:
    browsers = [Browser(), Browser()]
    for browser in browsers:
        with pytest.raises(LoginError):
            log_in(tmp_path, browser, timeout=0.01)

    pages = [page for browser in browsers for page in browser.pages]
    paths = [urlsplit(parse_qs(urlsplit(page).query)["redirect_uri"][0]).path for page in pages]
    assert len(set(paths)) == 2
    assert all(len(path) > 32 and path.endswith("/index.html") for path in paths)
