"""The catalogue of an account."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_mock.catalog import CatalogError, from_document, validate
from conductor_mock.context import service
from conductor_mock.control.selection import account_to_change, existing_accounts
from conductor_mock.control.validation import body
from conductor_mock.errors import bad_request
from conductor_mock.farm.commands import CatalogReplaced

catalog = Blueprint("catalog", __name__)


@catalog.get("/catalog")
def get() -> dict[str, Any]:
    """The catalogue document of the account: packages, projects, instance types, environment, prices."""
    current = service()
    for account_id in existing_accounts():
        return current.served_for(account_id).catalog.to_document()
    return current.catalog.to_document()


@catalog.put("/catalog")
def replace() -> dict[str, Any]:
    """Give the account a catalogue of its own, checked before it is taken; `null` gives the server's back."""
    document = body()
    warnings: list[str] = []
    if document is not None:
        try:
            strict = service().settings.strict
            document = from_document(document, "the request", strict=strict).to_document()
        except CatalogError as error:
            raise bad_request(f"the catalogue was not taken: {error}", *error.problems) from None
        warnings = [
            f"{problem.path} {problem.message}" for problem in validate(document) if not problem.is_error
        ]
    account_id = account_to_change()
    with service().accounts.open(account_id) as account:
        account.append(CatalogReplaced(document))
    served = service().served_for(account_id).catalog
    return {"status": "success", "sha256": served.sha256, "warnings": warnings}
