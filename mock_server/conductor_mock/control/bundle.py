"""Bundles over the control API: an account as one file, and an empty account made of one."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import IO, Any

from flask import Blueprint, Response, request

from conductor_contracts.problems import Problem
from conductor_mock.bundles.errors import BundleError
from conductor_mock.context import service
from conductor_mock.control.selection import existing_account
from conductor_mock.errors import bad_request, unavailable
from conductor_mock.farm.clock import iso
from conductor_mock.store.log import ContentGoneError

bundle = Blueprint("bundle", __name__)

MEDIA_TYPE = "application/zip"
_BLOCK = 1 << 18


@bundle.get("/bundle")
def save() -> Response:
    """The account as a bundle; with `files=1` what was uploaded is in it, else only its hashes."""
    from conductor_mock.bundles import transfer  # only here: a server starts without it

    account_id = existing_account()
    with_files = request.args.get("files") == "1"
    file = service().objects.scratch()
    try:
        transfer.save(service(), account_id, file, with_files=with_files)
        size = file.seek(0, 2)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    response = Response(_blocks(file), mimetype=MEDIA_TYPE)
    response.call_on_close(file.close)
    response.content_length = size
    response.headers["Content-Disposition"] = f"attachment; filename={account_id}.bundle"
    return response


@bundle.post("/bundle")
def replay() -> tuple[dict[str, Any], int]:
    """Make an empty account what a bundle holds, its clock frozen at the last time recorded."""
    from conductor_mock.bundles import transfer  # only here: a server starts without it

    request.max_content_length = sys.maxsize  # it is streamed to disk, and checked before it is used
    with service().objects.scratch() as file:
        shutil.copyfileobj(request.stream, file, _BLOCK)
        try:
            replayed = transfer.load(service(), file, client_id=request.args.get("account"))
        except BundleError as error:
            message = f"the bundle was not replayed: {error}"
            raise bad_request(message, Problem("", str(error))) from None
        except ContentGoneError:
            raise unavailable("another account was reset meanwhile; nothing was replayed") from None
    state = replayed.state
    answer = {
        "status": "success",
        "account": state.client_id,
        "account_id": state.account_id,
        "now": iso(state.now_us),
        "jobs": len(state.jobs),
        "outputs": len(replayed.inventory.outputs),
        "files": len(replayed.inventory.uploads),
    }
    return answer, 201


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK):
            yield block
