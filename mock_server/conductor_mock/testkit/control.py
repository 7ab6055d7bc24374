"""The control API as the kit asks it, for one account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import BaseAdapter

from conductor_mock.testkit.values import Account

PATIENCE_S = 60
"""How long an answer may take."""


class ControlError(Exception):
    """The fake refused what was asked of it; the text is its reason."""


@dataclass(frozen=True)
class Control:
    """Asks the fake at `url` about `account`, past every mock and proxy there is."""

    url: str
    account: Account
    adapter: BaseAdapter = field(repr=False)

    def sign_in(self) -> None:
        """Make the account, if it was not used yet. Raises ControlError."""
        query = {
            "grant_type": "client_credentials",
            "scope": "owner admin user",
            "client_id": self.account.client_id,
            "client_secret": self.account.private_key,
        }
        self._send("GET", "/api/oauth_jwt", query, None)
        self.ask("DELETE", "requests")  # that was no request of the test's

    def ask(self, method: str, path: str, body: Any = None, **query: str | None) -> Any:
        """The JSON answer of a call under `/_mock/`, None where there is none. Raises ControlError."""
        answer = self._send(method, f"/_mock/{path}", {"account": self.account.client_id, **query}, body)
        return answer.json() if answer.content else None

    def _send(self, method: str, path: str, query: dict[str, Any], body: Any) -> requests.Response:
        request = requests.Request(method, f"{self.url}{path}", params=query, json=body)
        if method == "DELETE":
            request.headers["Content-Type"] = "application/json"
        answer = self.adapter.send(request.prepare(), timeout=PATIENCE_S)
        if answer.status_code >= 400:
            raise ControlError(answer.json().get("message", f"{method} {path}: {answer.status_code}"))
        return answer
