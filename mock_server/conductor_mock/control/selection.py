"""Which account a control call is about: `?account=CLIENT_ID`, else the token's, else the server's own.

The server's own account begins when it is first used. Until then it can be looked at, and looking does not make it:
what is shown is an account as it would begin now.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request

from conductor_contracts.problems import Problem
from conductor_mock.context import service, speaker
from conductor_mock.errors import not_found
from conductor_mock.farm import ids
from conductor_mock.farm.state import State

ALL = "*"


def account_meant() -> str:
    """The id of the account that is meant; the server's own may never have been used. Refuses (404) any other."""
    name = request.args.get("account")
    own = ids.account_id(service().keys.client_id)
    if name is not None:
        account_id = ids.account_id(name)
        if account_id != own and not service().accounts.knows(account_id):
            message = f"there is no account of client_id {name[:80]!r}; it appears with its first token"
            raise not_found(message, Problem("account", message))
        return account_id
    header = request.headers.get("Authorization")
    if header is not None and not service().settings.admin_token:
        identity = speaker(header)
        if not service().accounts.knows(identity.account_id):
            raise not_found("the token's account does not exist on this server")
        return identity.account_id
    return own


def existing_account() -> str:
    """The id of the account that is meant. Refuses (404) one that was never used."""
    account_id = account_meant()
    if not service().accounts.knows(account_id):
        message = f"the account {service().keys.client_id!r} was never used; it begins with its first token"
        raise not_found(message, Problem("account", message))
    return account_id


def existing_accounts() -> list[str]:
    """The ids of the accounts that are meant, those that were used: with `account=*` all. Refuses (404)."""
    if request.args.get("account") == ALL:
        return service().accounts.ids()
    account_id = account_meant()
    return [account_id] if service().accounts.knows(account_id) else []


def account_to_change() -> str:
    """The id of the account that is meant; the server's own is made if it was never used. Refuses (404)."""
    account_id = account_meant()
    if not service().accounts.knows(account_id):
        keys = service().keys
        service().accounts.sign_in(keys.client_id, keys.private_key)
    return account_id


@contextmanager
def state_to_show() -> Iterator[State]:
    """The state of the account that is meant, under its lock, or that with which it would begin. Refuses (404)."""
    current, account_id = service(), account_meant()
    if not current.accounts.knows(account_id):
        yield current.accounts.unused(current.keys.client_id, current.keys.private_key)
        return
    with current.accounts.open(account_id) as account:
        yield account.state
