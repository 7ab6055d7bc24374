"""The control API as the kit asks it, for one account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import BaseAdapter

from conductor_mock.testkit.values import Account

PATIENCE_S = 60
"""How long an answer may take."""
PAGE = 1000
"""So many entries of the journal are asked for at once."""


class ControlError(Exception):
    """The fake refused what was asked of it; the text is its reason."""


@dataclass(frozen=True)
class Journal:
    """Entries of the journal, oldest first, and how many of the account it has forgotten, whatever was asked for."""

    entries: list[dict[str, Any]]
    forgotten: int


@dataclass(frozen=True)
class Control:
    """Asks the fake at `url` about `account`, past every mock and proxy there is."""

    url: str
    account: Account
    adapter: BaseAdapter = field(repr=False)
    admin_token: str | None = field(default=None, repr=False)

    def sign_in(self) -> None:
        """Make the account by asking for a token, if it was not used yet. Raises ControlError."""
        query = {
            "grant_type": "client_credentials",
            "scope": "owner admin user",
            "client_id": self.account.client_id,
            "client_secret": self.account.private_key,
        }
        self._send("GET", "/api/oauth_jwt", query, None, None)
        self.ask("DELETE", "requests")  # that was no request of the test's

    def ask(self, method: str, path: str, body: Any = None, /, **query: str | None) -> Any:
        """The JSON answer of a call under `/_mock/`, None where there is none. Raises ControlError."""
        answer = self._call(method, path, body, query)
        try:
            return answer.json() if answer.content else None
        except (ValueError, RecursionError):
            raise ControlError(
                f"what answers at {self.url} is no fake: its answer to {method} {path} is no JSON"
            ) from None

    def journal(self, **query: str | None) -> Journal:
        """All that is kept of what fits a query. Raises ControlError."""
        entries: list[dict[str, Any]] = []
        while True:
            before = {"before": str(entries[0]["id"])} if entries else {}
            answer = self.ask("GET", "requests", limit=str(PAGE), **query, **before)
            entries = [*answer["requests"], *entries]
            if len(answer["requests"]) < PAGE:
                return Journal(entries, answer.get("forgotten", 0))  # of before there was such a number

    def read(self, path: str, /, **query: str | None) -> bytes:
        """The bytes that a call under `/_mock/` answers. Raises ControlError."""
        return self._call("GET", path, None, query).content

    def _call(self, method: str, path: str, body: Any, query: dict[str, str | None]) -> requests.Response:
        return self._send(
            method, f"/_mock/{path}", {"account": self.account.client_id, **query}, body, self.admin_token
        )

    def _send(
        self, method: str, path: str, query: dict[str, Any], body: Any, token: str | None
    ) -> requests.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if method in ("DELETE", "PUT"):  # `requests` sends no type with None, which is a catalogue too
            headers["Content-Type"] = "application/json"
        data = b"null" if method == "PUT" and body is None else None
        request = requests.Request(method, f"{self.url}{path}", headers, params=query, json=body, data=data)
        try:
            answer = self.adapter.send(request.prepare(), timeout=PATIENCE_S)
        except requests.RequestException as error:
            raise ControlError(f"the fake at {self.url} does not answer: {type(error).__name__}") from error
        if not 200 <= answer.status_code < 300:
            raise ControlError(
                _reason(answer) or f"{self.url} answered {method} {path} with {answer.status_code}"
            )
        return answer


def _reason(answer: requests.Response) -> str:
    try:
        return str(answer.json()["message"])
    except (ValueError, KeyError, TypeError):
        return ""
