"""`downloads.*`: the outputs of tasks, listed, handed out, reported (wire reference 2.14 to 2.18)."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from conductor_mock.api import signed
from conductor_mock.api.bodies import contract_body, raw_body
from conductor_mock.api.queries import count
from conductor_mock.context import caller, service
from conductor_mock.farm import downloads as farm
from conductor_mock.farm import ids, lookup, views
from conductor_mock.farm.refusals import InvalidRequestError
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.statuses import DownloadStatus
from conductor_mock.outputs.listing import Chosen, with_outputs
from conductor_mock.store.account import Account

downloads = Blueprint("downloads", __name__)

Json = dict[str, Any]

DEFAULT_PAGE = 100
MAX_PAGE = 1000
_CURSOR = re.compile(r"after-(\d{1,12})", re.ASCII)


@downloads.post("/jobs/<jid>/downloads")
def page(jid: str) -> tuple[Json, int] | Response:
    """One page of a job's outputs: of every completed task, downloaded before or not. 201 always (trap 3), but for the
    first page of a job that has no output at all, which is 204 (wire reference 12.4).
    """
    tids = contract_body().get("tids")
    limit = count("limit", DEFAULT_PAGE, MAX_PAGE)
    first = _cursor(request.args.get("start_cursor"))

    def choose(state: State) -> Chosen:
        job = lookup.job(state, jid)
        asked = None if tids is None else {_padded(tid) for tid in tids}
        indexes = (index for index in farm.delivered(job) if index >= first)
        chosen = (index for index in indexes if asked is None or ids.tid(index) in asked)
        return [(job, index) for index in islice(chosen, limit + 1)]

    with _listed(choose) as (account, chosen):
        records = [_record(account, job, index) for job, index in chosen]
        if first == 0 and next(farm.delivered(lookup.job(account.state, jid)), None) is None:
            return Response(status=204)
    cursor = f"after-{int(records[limit - 1]['task_id'])}" if len(records) > limit else None
    return {"downloads": records[:limit], "next_cursor": cursor}, 201


@downloads.get("/downloads/next", endpoint="next")
def next_() -> tuple[Json, int] | Response:
    """Hand outputs that nobody fetched yet to this downloader: 201 with some, 204 without (traps 3, 22, 23, 25)."""
    most = count("count", 1, MAX_PAGE)
    location = request.args.get("location")

    def choose(state: State) -> Chosen:
        return list(islice(farm.waiting(state, location), most))

    with _listed(choose) as (account, chosen):
        for job, index in chosen:
            account.append(farm.offer(account.state, job, index))
        records = [_record(account, job, index) for job, index in chosen]
    return ({"data": records}, 201) if records else Response(status=204)


@downloads.get("/downloads/<jid>")
def get(jid: str) -> tuple[Json, int]:
    """The outputs of a job, or of one `tid` of it, for older downloaders; the id may be unpadded. Always 201."""
    if jid == "status":  # a call of its own, which only POST makes (trap 30)
        raise MethodNotAllowed(["POST"])
    tid = request.args.get("tid")

    def choose(state: State) -> Chosen:
        job = lookup.job(state, jid)
        chosen = [index for index in farm.delivered(job) if tid is None or ids.tid(index) == _padded(tid)]
        return [(job, index) for index in chosen]

    return {"downloads": _records(choose)}, 201


@downloads.post("/downloads/status")
def report() -> Json:
    """A downloader's report; `downloading` is a heartbeat, `pending` gives the outputs back."""
    body = contract_body()
    with service().accounts.open(caller().account_id) as account:
        command = farm.report(
            account.state,
            body["download_id"],
            status=DownloadStatus(body["status"]),
            bytes_downloaded=body.get("bytes_downloaded") or 0,
        )
        if command is not None:
            account.append(command)
    return {"status": "success"}


@downloads.post("/downloads/<download_id>/fail")
def fail(download_id: str) -> Json:
    """A downloader gave up, with plain text as the reason: the outputs are offered again."""
    raw_body()
    with service().accounts.open(caller().account_id) as account:
        command = farm.report(account.state, download_id, status=DownloadStatus.PENDING, bytes_downloaded=0)
        if command is not None:
            account.append(command)
    return {"status": "success"}


def _records(choose: Callable[[State], Chosen]) -> list[Json]:
    with _listed(choose) as (account, chosen):
        return [_record(account, job, index) for job, index in chosen]


def _listed(choose: Callable[[State], Chosen]) -> AbstractContextManager[tuple[Account, Chosen]]:
    current = service()
    return with_outputs(current.accounts, current.contents, caller().account_id, choose)


def _record(account: Account, job: Job, index: int) -> Json:
    outputs = job.tasks[index].outputs or ()
    urls = [signed.download_url(account.account_id, file.md5, file.relative_path) for file in outputs]
    return views.download_record(job, index, urls)


def _padded(tid: object) -> str:
    text = str(tid)
    return f"{int(text):03d}" if re.fullmatch(r"\d{1,12}", text, re.ASCII) else text


def _cursor(text: str | None) -> int:
    if not text:
        return 0
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise InvalidRequestError(f"start_cursor: {text[:40]!r} is not a cursor that this service handed out")
    return int(match[1]) + 1
