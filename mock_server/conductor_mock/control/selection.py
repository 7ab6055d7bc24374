"""Which account a control call is about: `?account=CLIENT_ID`, else the token's, else the default one."""

from __future__ import annotations

from flask import request

from conductor_mock.context import service, speaker
from conductor_mock.errors import Detail, bad_request, not_found
from conductor_mock.farm.ids import account_id as account_id_of

ALL = "*"


def one_account() -> str:
    """The id of the one account that is meant. Refuses (400, 404)."""
    ids = selected_accounts()
    if request.args.get("account") == ALL:
        message = "account=* is not accepted here: name one account"
        raise bad_request(message, Detail("account", message))
    return ids[0]


def selected_accounts() -> list[str]:
    """The ids of the accounts that are meant; the default account is made if it was never used. Refuses (404)."""
    current = service()
    name = request.args.get("account")
    if name == ALL:
        return current.accounts.ids()
    if name is not None:
        account_id = account_id_of(name)
        if not current.accounts.knows(account_id):
            message = f"there is no account of client_id {name[:80]!r}; it appears with its first token"
            raise not_found(message, Detail("account", message))
        return [account_id]
    header = request.headers.get("Authorization")
    if header is not None and not current.settings.admin_token:
        identity = speaker(header)
        if not current.accounts.knows(identity.account_id):
            raise not_found("the token's account does not exist on this server")
        return [identity.account_id]
    default = account_id_of(current.keys.client_id)
    if not current.accounts.knows(default):
        current.accounts.sign_in(current.keys.client_id, current.keys.private_key)
    return [default]
