"""The files of an account."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from conductor_mock.context import service
from conductor_mock.control.selection import existing_accounts

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
