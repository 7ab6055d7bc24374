"""`uploads.*`: what an uploader daemon asks and reports (wire reference 2.12, 2.13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from conductor.lib.api_client import ApiClient
from conductor.lib.wire.operations import (
    UPLOADS_FAIL,
    UPLOADS_FINISH,
    UPLOADS_NEXT,
    UPLOADS_UPDATE,
    Operation,
)
from conductor.lib.wire.transport import Sent


@dataclass(frozen=True)
class ClaimedUpload:
    """The files of one job, claimed by whoever got this. ``files`` are enforced md5s (base64) or None, by path."""

    id: str
    project: str | None
    files: Mapping[str, str | None]


class UploadsApi:
    """The calls of an uploader daemon. Raises the errors of ``exceptions``; safe to use from several threads."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def next(self, location: str | None = None) -> ClaimedUpload | None:
        """Claim the files of a job of this location; None if no job waits (wire reference 2.12).

        Not repeated when the answer is lost: then OutcomeUnknownError, and the claim runs out by itself.
        """
        sent = self._client.call(UPLOADS_NEXT, body={"location": location or None})
        return None if sent.answer.status == 204 else _claimed(sent)

    def update(self, upload_id: str, *, bytes_to_send: int, bytes_sent: int) -> None:
        """Say how far an upload is, which keeps the claim."""
        # The spelling of the last name is the protocol's.
        body = {"upload_id": upload_id, "transfer_size": bytes_to_send, "bytes_transfered": bytes_sent}
        self._client.call(UPLOADS_UPDATE, path=_path(UPLOADS_UPDATE, upload_id, "update"), body=body)

    def finish(self, upload_id: str, md5s: Mapping[str, str]) -> None:
        """Say that all files are there, with their md5s (base64) by path: the job goes on."""
        files = {path: {"source": path, "md5": md5} for path, md5 in md5s.items()}
        body = {"upload_id": upload_id, "status": "server_pending", "upload_files": files}
        self._client.call(UPLOADS_FINISH, path=_path(UPLOADS_FINISH, upload_id, "finish"), body=body)

    def fail(self, upload_id: str, reason: str) -> None:
        """Say that the files cannot be brought, and why: the job fails. The body is the text as it is."""
        content = reason.encode("utf-8", "replace")
        self._client.call(UPLOADS_FAIL, path=_path(UPLOADS_FAIL, upload_id, "fail"), body=content)


def _path(operation: Operation, upload_id: str, call: str) -> str:
    return f"{operation.path}{quote(upload_id, safe='')}/{call}"


def _claimed(sent: Sent) -> ClaimedUpload:
    body = sent.json()
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("id"), (str, int)):
        raise sent.unexpected("data must be an object with an id")
    project, files = data.get("project"), data.get("upload_files")
    if not isinstance(files, dict) or not all(_is_md5(md5) for md5 in files.values()):
        raise sent.unexpected("upload_files must be an object of md5s by path")
    return ClaimedUpload(str(data["id"]), project if isinstance(project, str) else None, files)


def _is_md5(value: Any) -> bool:
    return value is None or isinstance(value, str)
