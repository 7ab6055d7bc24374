"""`uploads.*`: what uploader daemons ask and report (wire reference 2.12, 2.13)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from conductor_mock.api.bodies import contract_body, md5_at, raw_body
from conductor_mock.context import caller, service
from conductor_mock.farm import lookup, views
from conductor_mock.farm import uploads as farm
from conductor_mock.farm.payload import upload_files

uploads = Blueprint("uploads", __name__)

MAX_REASON = 64 * 1024


@uploads.put("/uploads/client/next", endpoint="next")
def next_() -> tuple[dict[str, Any], int] | Response:
    """Hand the files of one job to this daemon and to no other: 201 with work, 204 without (traps 3 and 25)."""
    body = contract_body()
    with service().accounts.open(caller().account_id) as account:
        command = farm.claim(account.state, body.get("location"))
        if command is None:
            return Response(status=204)
        account.append(command)
        job = account.state.jobs[command.job]
        payload = account.payload(job)
    files = {file.path: file.md5 for file in upload_files(payload)}
    return {"data": views.upload_to_claim(job, files)}, 201


@uploads.post("/uploads/<upload_id>/update")
def update(upload_id: str) -> dict[str, str]:
    """How far a daemon is. The field is spelled `bytes_transfered` by the Python uploaders (trap 21)."""
    body = contract_body()
    sent = body.get("bytes_transfered", body.get("bytes_transferred"))
    with service().accounts.open(caller().account_id) as account:
        command = farm.progress(
            account.state, upload_id, bytes_to_send=body.get("transfer_size") or 0, bytes_sent=sent or 0
        )
        if command is not None:
            account.append(command)
    return {"status": "success"}


@uploads.post("/uploads/<upload_id>/finish")
def finish(upload_id: str) -> dict[str, str]:
    """The files of a job are there, or the job fails and says which is not: 200 either way (design, a refusal)."""
    body = contract_body()
    reported = {
        path: md5_at(f"/upload_files/{path}/md5", entry["md5"]) if entry.get("md5") else None
        for path, entry in (body.get("upload_files") or {}).items()
    }
    current, account_id = service(), caller().account_id

    def held_md5(path: str, md5: str | None) -> str | None:
        if md5 is None:
            return current.contents.held_md5(account_id, path)
        return md5 if current.contents.held(account_id, [md5]) else None

    with current.accounts.open(account_id) as account:
        job, _ = lookup.upload(account.state, upload_id)
        command = farm.finish(
            account.state, upload_id, reported=reported, payload=account.payload(job), held_md5=held_md5
        )
        if command is not None:
            account.append(command)
    return {"status": "success"}


@uploads.post("/uploads/<upload_id>/fail")
def fail(upload_id: str) -> dict[str, str]:
    """A daemon gave up: the body is plain text, whatever its Content-Type says (trap 19)."""
    message = raw_body()[:MAX_REASON].decode("utf-8", "replace").strip()
    with service().accounts.open(caller().account_id) as account:
        command = farm.fail(account.state, upload_id, message)
        if command is not None:
            account.append(command)
    return {"status": "success"}
