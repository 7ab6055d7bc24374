"""`files.get_upload_urls`: which files are wanted, and where to put them (wire reference 2.5)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from conductor_mock.api.bodies import contract_body, notice
from conductor_mock.api.context import caller, now_s, origin, service
from conductor_mock.errors import Detail, bad_request
from conductor_mock.md5 import canonical, from_base64
from conductor_mock.signing import Grant

files = Blueprint("files", __name__)


@files.post("/api/v2/files/get_upload_urls")
def get_upload_urls() -> dict[str, object] | Response:
    """A signed URL for each file whose content the account does not hold; 204 when it holds them all."""
    body = contract_body()
    wanted = _by_path(body["upload_files"])
    check_project(body.get("project"), "/project")
    current, account_id = service(), caller().account_id
    origin_ = origin()
    held = current.holdings.held(account_id, {entry["hash"] for entry in wanted.values()})
    current.holdings.declare(account_id, ((path, entry["hash"]) for path, entry in wanted.items()))
    expires = int(now_s()) + current.settings.url_ttl_s
    urls = [
        {
            "filePath": path,
            "fileSize": entry["size"],
            "preSignedURL": current.signer.url(
                origin_, Grant("PUT", account_id, from_base64(entry["hash"]), entry["size"], expires)
            ),
        }
        for path, entry in wanted.items()
        if entry["hash"] not in held
    ]
    if not urls:
        return Response(status=204)
    return {"singlePartURLs": urls, "multiPartURLs": []}


def check_project(name: object, path: str) -> None:
    """Warn about a project that the catalogue does not list; null is no project (`conductor upload` sends it)."""
    if name and service().catalog.project(str(name)) is None:
        notice(path, f"the catalogue has no project {str(name)[:80]!r}")


def _by_path(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The files by path: each path is answered once (trap 5). Refuses one path with two contents."""
    files_by_path: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(entries):
        entry = {
            "path": entry["path"],
            "hash": _md5(entry["hash"], f"/upload_files/{index}/hash"),
            "size": int(entry["size"]),  # JSON Schema takes 3.0 for a whole number
        }
        first = files_by_path.setdefault(entry["path"], entry)
        if (first["hash"], first["size"]) != (entry["hash"], entry["size"]):
            message = f"{entry['path']!r} is listed twice with different contents"
            raise bad_request(message, Detail(f"/upload_files/{index}/path", message))
    return files_by_path


def _md5(text: str, path: str) -> str:
    try:
        return canonical(text)
    except ValueError as error:
        raise bad_request(f"{path} is {error}", Detail(path, str(error))) from None
