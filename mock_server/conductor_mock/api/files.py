"""`files.*`: which files are wanted, where to put them, and parts that become whole (wire reference 2.5, 2.7)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from conductor_contracts.problems import Problem
from conductor_mock.api import signed
from conductor_mock.api.bodies import contract_body, md5_at
from conductor_mock.api.objects import store_whole
from conductor_mock.api.offered import check_project
from conductor_mock.context import caller, catalog, service
from conductor_mock.errors import bad_request, not_found
from conductor_mock.farm.values import Options
from conductor_mock.store.objects import WrongContentError
from conductor_mock.store.parts import Multipart, PartsError, UnknownUploadError
from conductor_mock.wire.md5 import from_base64

files = Blueprint("files", __name__)

MAX_PARTS = 10_000
"""Parts of one upload; larger files get larger parts. Cloud stores have this limit (inferred for this service)."""


@files.post("/api/v2/files/get_upload_urls")
def get_upload_urls() -> dict[str, object] | Response:
    """Signed URLs for each file whose content the account does not hold; 204 when it holds them all."""
    body = contract_body()
    files = _by_path(body["upload_files"])
    account_id = caller().account_id
    with service().accounts.open(account_id) as account:
        options, offered = account.state.options, service().catalogs.of(account).catalog
    check_project(offered, body.get("project"), "/project")
    missing = _missing(account_id, [(path, entry["hash"]) for path, entry in files.items()])
    if not missing:
        return Response(status=204)
    contents = {files[path]["hash"]: files[path]["size"] for path in missing}
    service().contents.stored_bytes.room_for(account_id, sum(contents.values()))
    single: list[dict[str, object]] = []
    multi: list[dict[str, object]] = []
    for path in missing:
        md5, size = files[path]["hash"], files[path]["size"]
        if size > options.part_size:
            multi.append(_in_parts(account_id, path, md5, size, options))
        else:
            url = signed.upload_url(account_id, md5, size, s3=options.provider == "s3")
            single.append({"filePath": path, "fileSize": size, "preSignedURL": url})
    return {"singlePartURLs": single, "multiPartURLs": multi}


@files.post("/api/files/get_upload_urls")
def get_upload_urls_v1() -> dict[str, str] | Response:
    """The older form: an object of path and md5, answered with one of path and URL (wire reference 2.5.1)."""
    body = contract_body()
    check_project(catalog(), body.get("project"), "/project")
    account_id = caller().account_id
    md5s = {path: md5_at(f"/upload_files/{path}", md5) for path, md5 in body["upload_files"].items()}
    urls = {
        path: signed.upload_url(account_id, md5s[path], None, s3=False)
        for path in _missing(account_id, list(md5s.items()))
    }
    return urls or Response(status=204)


@files.post("/api/v2/files/multipart/complete")
def complete_multipart() -> dict[str, str]:
    """Make the whole of its parts, if it has the md5 and size that were declared. `project` says nothing (trap 8)."""
    body = contract_body()
    current, account_id = service(), caller().account_id
    try:
        upload = current.parts.get(account_id, body["uploadID"])
    except UnknownUploadError:
        message = f"there is no upload {body['uploadID'][:80]!r} in this account"
        raise not_found(message, Problem("/uploadID", message)) from None
    if md5_at("/hash", body["hash"]) != upload.md5:
        message = f"hash is {body['hash']}, the upload is of {upload.md5}"
        raise bad_request(message, Problem("/hash", message))
    etags = [(int(part["partNumber"]), part["etag"].strip('"')) for part in body["completedParts"]]
    with current.parts.turn_to_complete(upload):
        if not current.contents.held(account_id, [upload.md5]):  # else it repeats what it had no answer to
            _join(account_id, upload, sorted(etags))
    return {"status": "success", "uploadID": upload.upload_id}


def _join(account_id: str, upload: Multipart, etags: list[tuple[int, str]]) -> None:
    """Store the whole that parts make, and forget them. The caller has the upload's turn."""
    parts = service().parts
    try:
        whole = parts.joined(account_id, upload, etags)
        store_whole(account_id, whole, md5=from_base64(upload.md5), size=upload.size)
    except (PartsError, WrongContentError) as error:
        message = f"the parts do not make the file: {error}"
        raise bad_request(message, Problem("/completedParts", str(error))) from None
    parts.forget(account_id, upload.upload_id)
    service().contents.stored_bytes.forget(account_id)  # of parts and whole one is left


def _missing(account_id: str, files: list[tuple[str, str]]) -> list[str]:
    """The paths whose content the account does not hold: content decides, never the path (trap 35)."""
    current = service()
    held = current.contents.held(account_id, {md5 for _, md5 in files})
    current.contents.declare(account_id, files)
    return [path for path, md5 in files if md5 not in held]


def _in_parts(account_id: str, path: str, md5: str, size: int, options: Options) -> dict[str, object]:
    part_size = max(options.part_size, -(-size // MAX_PARTS))
    upload = service().parts.begin(account_id, md5=md5, size=size, part_size=part_size)
    return {
        "uploadID": upload.upload_id,
        "filePath": path,
        "fileSize": size,
        "md5": md5,
        "partSize": upload.part_size,
        "parts": [
            {
                "partNumber": number,
                "url": signed.part_url(
                    account_id, upload.upload_id, number, upload.size_of(number), s3=options.provider == "s3"
                ),
            }
            for number in range(1, upload.count + 1)
        ],
    }


def _by_path(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The files by path: each path is answered once (trap 5). Refuses one path with two contents."""
    files_by_path: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(entries):
        entry = {
            "path": entry["path"],
            "hash": md5_at(f"/upload_files/{index}/hash", entry["hash"]),
            "size": int(entry["size"]),  # JSON Schema takes 3.0 for a whole number
        }
        first = files_by_path.setdefault(entry["path"], entry)
        if (first["hash"], first["size"]) != (entry["hash"], entry["size"]):
            message = f"{entry['path']!r} is listed twice with different contents"
            raise bad_request(message, Problem(f"/upload_files/{index}/path", message))
    return files_by_path
