"""`fileio.*`: the file-by-file download daemon of 2019 (wire reference 2.21).

Bodies are form-encoded, every answer is JSON (trap 34), and the account comes from the token.
"""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, jsonify, request

from conductor_mock.api import signed
from conductor_mock.api.queries import contract_form
from conductor_mock.context import caller, service
from conductor_mock.errors import Refusal, not_found
from conductor_mock.farm import downloads as farm
from conductor_mock.farm import lookup
from conductor_mock.farm.clock import iso
from conductor_mock.farm.ids import jid, tid
from conductor_mock.farm.refusals import NotThereError
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.statuses import DownloadStatus
from conductor_mock.outputs.listing import Chosen, with_outputs
from conductor_mock.store.account import Account

fileio = Blueprint("fileio", __name__)

Json = dict[str, Any]

_ID = re.compile(r"(d[\d-]{5,60})\.(\d{1,6})", re.ASCII)


@fileio.get("/api/v1/fileio/downloader/next", endpoint="next")
def next_() -> Response:
    """One file that nobody fetched yet, as a list of one; an empty list when there is none."""
    location, project = request.args.get("location"), request.args.get("project")

    def of_project(job: Job) -> bool:
        return not project or job.project == project

    def choose(state: State) -> Chosen:
        file = farm.next_file(state, location, of_project)
        return [] if file is None else [file[:2]]

    current = service()
    with with_outputs(current.accounts, current.contents, caller().account_id, choose) as (account, _):
        file = farm.next_file(account.state, location, of_project)
        if file is None or file[2] is None:
            return jsonify([])
        job, index, number = file[0], file[1], file[2]
        account.append(farm.offer(account.state, job, index, number))
        return jsonify([_item(account, job, index, number)])


@fileio.put("/api/v1/fileio/downloader/touch/<file_id>")
def touch(file_id: str) -> Json:
    """A heartbeat."""
    return _report(file_id, DownloadStatus.DOWNLOADING, "bytes_transferred")


@fileio.put("/api/v1/fileio/downloader/finish/<file_id>")
def finish(file_id: str) -> Json:
    """The file is there; with its last file a task is downloaded."""
    return _report(file_id, DownloadStatus.DOWNLOADED, "bytes_downloaded")


@fileio.put("/api/v1/fileio/downloader/fail/<file_id>")
def fail(file_id: str) -> Json:
    """The daemon gave up on the file: it is offered again."""
    return _report(file_id, DownloadStatus.PENDING, "bytes_downloaded")


def _report(file_id: str, status: DownloadStatus, field: str) -> Json:
    form = contract_form()
    match = _ID.fullmatch(file_id)
    if match is None:
        raise not_found(f"there is no download {file_id[:60]!r}")
    with service().accounts.open(caller().account_id) as account:
        try:
            command = farm.report(
                account.state,
                match[1],
                status=status,
                bytes_downloaded=int(form.get(field) or 0),
                file=int(match[2]),
            )
        except NotThereError as error:
            raise Refusal(410, f"no longer active: {error}") from None
        if command is not None:
            account.append(command)
    return {"status": "success"}


def _item(account: Account, job: Job, index: int, number: int) -> Json:
    task = job.tasks[index]
    file = (task.outputs or ())[number]
    name = lookup.download_id(job, index)
    return {
        "id": f"{name}.{number}",
        "url": signed.download_url(account.account_id, file.md5, file.relative_path),
        "bytes_transferred": 0,
        "inserted_at": iso(task.attempts[-1].ended_us or account.state.now_us),
        "download_file": {
            "id": f"{name}.{number}",
            "dlid": name,
            "jid": jid(job.number),
            "tid": tid(index),
            "destination": f"{job.output_path.rstrip('/')}/{file.relative_path}",
            "file_size": file.size,
            "md5": file.md5,
        },
    }
