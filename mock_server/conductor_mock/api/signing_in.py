"""From a key to a token, for each way in."""

from __future__ import annotations

from conductor_mock.auth.tokens import Identity
from conductor_mock.context import base_url, now_s, service
from conductor_mock.errors import unauthorized
from conductor_mock.farm import ids
from conductor_mock.faults.fault import TOKEN
from conductor_mock.store.accounts import WrongKeyError


def sign_in(client_id: str, private_key: str, *, kind: str = "private_key") -> str:
    """The account id of a key, whose account is made on first use. Refuses (401) a key that is not the account's."""
    try:
        return service().accounts.sign_in(client_id, private_key)
    except WrongKeyError:
        raise unauthorized(f"client_id {client_id!r} is known here with another {kind}") from None


def token_of(client_id: str, scope: str) -> str:
    """A token of a key's account, for the origin that the caller used."""
    identity = Identity(ids.account_id(client_id), client_id)
    service().faults.handed_out(identity.account_id, TOKEN)
    return service().tokens.issue(identity, audience=base_url(), now_s=now_s(), scope=scope)
