"""The browser login of 9.2.0: without an API key the vendor's client sends a person to the server's page."""

from __future__ import annotations

import json
import socket
from typing import Any

from vendor.scenarios import after, scenario
from vendor.workstation import DRIVERS, Workstation

Json = dict[str, Any]


def free_port() -> int:
    """A port for the client's own one-shot web server."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@scenario()
def logging_in_with_a_browser(desk: Workstation) -> Json:
    browser = f"{desk.client.python} {DRIVERS / 'browser.py'} %s &"
    port = str(free_port())
    said = desk.drive(
        "browser_login",
        CONDUCTOR_API_KEY="",
        CONDUCTOR_AUTH_PORT=port,
        BROWSER=browser,
        NO_PROXY="127.0.0.1,localhost",
    )
    return dict(said)


@after(logging_in_with_a_browser)
def test_a_person_who_agrees_is_logged_in(result: Json) -> None:
    assert result["kept"]["access_token"] == result["token"]
    assert result["kept"]["token_type"] == "Bearer"
    assert result["kept"]["scope"] == ["user"], "a list here, where the API key's file holds a text"
    assert result["account_id"].isdigit()


@after(logging_in_with_a_browser)
def test_the_token_of_a_browser_login_opens_the_service_and_is_kept(result: Json) -> None:
    text, code = result["projects"]
    assert code == 200
    assert json.loads(text)["data"]
    assert result["again"] == result["token"], "no second window"
    assert result["same_domain"] is True
