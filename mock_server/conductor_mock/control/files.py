"""The files of an account."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from flask import Blueprint, Response, request

from conductor_contracts.problems import Problem
from conductor_mock.api.objects import HARMLESS, UNNAMED_TYPE
from conductor_mock.context import service
from conductor_mock.control.selection import account_meant, existing_accounts
from conductor_mock.errors import not_found
from conductor_mock.store.content_store import blocks_of
from conductor_mock.store.objects import DamagedContentError, last_held_back
from conductor_mock.wire.md5 import from_base64

files = Blueprint("files", __name__)


@files.get("/files", endpoint="list")
def list_() -> dict[str, Any]:
    """Every path that was declared for upload and whose content is held, with its base64 md5 and size."""
    contents = service().contents
    return {
        "files": [
            {"path": file.path, "md5": file.md5, "size": file.size}
            for account_id in existing_accounts()
            for file in contents.files(account_id)
        ]
    }


@files.get("/files/content")
def read() -> Response:
    """The bytes of a declared path whose content is held. Refuses (404) any other."""
    path = request.args["path"]
    md5 = service().contents.held_md5(account_meant(), path)
    with ExitStack() as held:
        try:
            file = None if md5 is None else held.enter_context(service().objects.open(from_base64(md5)))
            blocks = None if file is None else last_held_back(blocks_of(file))
        except DamagedContentError as error:
            message = f"{error}; send it again, or render it again"
            raise not_found(message, Problem("path", message)) from None
        except FileNotFoundError:  # the account was reset in the meantime
            blocks = None
        closing = held.pop_all()
    if blocks is None:
        message = f"no content is held for the path {path[:200]!r}; /_mock/files lists those that are"
        raise not_found(message, Problem("path", message))
    response = Response(blocks, mimetype=UNNAMED_TYPE, headers=HARMLESS)
    response.call_on_close(closing.close)
    return response
