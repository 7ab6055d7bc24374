"""The account that a token speaks for, and the environment that it gives to all of its tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conductor.lib.api_client import ApiClient, client_or_own
from conductor.lib.exceptions import LoginError
from conductor.lib.wire.operations import ACCOUNTS_GET
from conductor.lib.wire.records import records_of, text


@dataclass(frozen=True)
class Account:
    """An account: its id, a long decimal number as text, and its name."""

    account_id: str
    name: str


@dataclass(frozen=True)
class Variable:
    """An environment variable. ``merge_policy`` is append, prepend or exclusive (wire reference 5)."""

    name: str
    value: str
    merge_policy: str

    def as_record(self) -> dict[str, str]:
        """Return it as packages and accounts have it."""
        return {"name": self.name, "value": self.value, "merge_policy": self.merge_policy}


def get_account(*, client: ApiClient | None = None) -> Account:
    """Return the account in use (wire reference 1.5, 1.6). Raises LoginError if the token names none."""
    with client_or_own(client) as api:
        return Account(_account_id(api), text(api.get_account(), "name"))


def list_account_environment(*, client: ApiClient | None = None) -> list[Variable]:
    """Return the variables that the account gives to its tasks, none if it has none (wire reference 2.4).

    A submission does not merge them by itself: ``PackageEnvironment.extend`` takes their ``as_record``.
    """
    with client_or_own(client) as api:
        return [
            Variable(text(entry, "name"), text(entry, "value"), text(entry, "merge_policy"))
            for entry in account_environment_records(api)
        ]


def account_environment_records(client: ApiClient) -> list[dict[str, Any]]:
    """Return the ``env`` list of the account in use, as the service has it."""
    sent = client.calls.env_vars_list()
    account_id = _account_id(client)
    for record in records_of(sent):
        if text(record, "account_id") == account_id:
            entries = record.get("env") or []
            if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                raise sent.unexpected("env must be a list of objects")
            return entries
    return []


def _account_id(client: ApiClient) -> str:
    if not client.account_id:
        raise LoginError(
            f"{ACCOUNTS_GET.id}: the token names no account; use another API key", operation=ACCOUNTS_GET.id
        )
    return client.account_id
