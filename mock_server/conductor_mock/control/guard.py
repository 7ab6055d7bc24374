"""Who may use `/_mock/`: the control API can wipe an account.

So a browser's cross-site request must never get through, whatever its shape.
"""

from __future__ import annotations

from flask import request

from conductor_contracts.operation import JSON
from conductor_mock.api.doors import READING, administrator, known_host, same_site
from conductor_mock.control.validation import operation
from conductor_mock.errors import unsupported_media_type


def guard() -> None:
    """Refuse what must not reach the control API (403, 401, 415).

    What the contract opens to all is answered: balancers know no name of this machine, and no token.
    """
    if operation().authentication == "never":
        return
    known_host()
    same_site()
    _json_write()
    administrator(browser=False)


def _json_write() -> None:
    """A page can send forms and plain text across sites without asking; for JSON it must ask, and is not granted.

    The same is true of a zip archive, which is what a bundle comes as.
    """
    if request.method in READING:
        return
    accepted = operation().request_media_types or {JSON}
    if request.mimetype not in accepted:
        raise unsupported_media_type(" or ".join(sorted(accepted)), request.headers.get("Content-Type"))
