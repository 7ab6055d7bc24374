"""Services that behave wrongly: the fake, which answers right, with a lie between it and whoever asks.

A lie sees a request of one operation, may ask the fake, and answers. What is wrong in a single answer needs no lie:
`wrong_answers` makes those for every operation.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from requests import PreparedRequest, Request

from conductor_contracts.contract import load
from conductor_mock.inprocess import URL
from contracts.services import Answer, Answering, Lie, refusal


@dataclass
class Memory:
    """What a lie remembers between two requests."""

    answers: dict[str, Answer] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    cursor: str = "0"


Liar = Callable[[PreparedRequest, Answering, Memory], Answer]


@dataclass(frozen=True)
class KnownLie:
    """A lie with its name, the operation that it is told at, and those whose interactions must notice it."""

    name: str
    at: str
    noticed_by: tuple[str, ...]
    liar: Liar

    def told(self) -> Lie:
        """The lie for one service, which remembers nothing yet."""
        memory = Memory()

        def answer(request: PreparedRequest, right: Answering) -> Answer:
            return self.liar(request, right, memory) if operation_of(request) == self.at else right(request)

        return answer


LIES: list[KnownLie] = []


def lie(at: str, *noticed_by: str) -> Callable[[Liar], Liar]:
    """Add a lie, under the name of its function."""

    def added(liar: Liar) -> Liar:
        LIES.append(KnownLie(liar.__name__.replace("_", " "), at, noticed_by or (at,), liar))
        return liar

    return added


def operation_of(request: PreparedRequest) -> str | None:
    """The operation that a request asks for; "control" for the control API, None for an unknown route."""
    path = urlsplit(request.url or "").path
    found = load().find(request.method or "", path)
    return found.id if found else "control" if path.startswith("/_mock/") else None


def _query(request: PreparedRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url or "").query, keep_blank_values=True))


def _asking(request: PreparedRequest, **query: str | None) -> PreparedRequest:
    """A copy with other parameters, or without those that are None."""
    changed = request.copy()
    wanted = {name: text for name, text in {**_query(request), **query}.items() if text is not None}
    changed.url = urlunsplit(urlsplit(request.url or "")._replace(query=urlencode(wanted)))
    return changed


def _sending(request: PreparedRequest, **fields: Any) -> PreparedRequest:
    """A copy with other fields in its JSON body."""
    changed = request.copy()
    changed.prepare_body(json.dumps({**_sent(request), **fields}), None)
    return changed


def _sent(request: PreparedRequest) -> Any:
    """The JSON body, or an empty object for none."""
    try:
        return json.loads(request.body or b"{}")
    except (ValueError, TypeError, RecursionError):
        return {}


def _with(answer: Answer, **fields: Any) -> Answer:
    """An answer with other fields in its JSON object, if it is a good one."""
    return answer.with_body({**answer.body, **fields}) if answer.status < 300 and answer.content else answer


# Jobs


@lie("jobs.create")
def job_ids_are_not_padded(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    jid = str((answer.body or {}).get("jobid")).lstrip("0")
    return _with(answer, jobid=jid, uri=f"/jobs/{jid}")


@lie("jobs.create")
def every_job_has_the_same_id(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return _with(right(request), jobid="00001", uri="/jobs/00001")


@lie("jobs.create")
def keys_are_ignored(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    changed = request.copy()
    changed.headers.pop("Idempotency-Key", None)
    return right(changed)


@lie("jobs.create")
def keys_answer_for_any_body(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return answer
    return memory.answers[key] if answer.status == 409 else memory.answers.setdefault(key, answer)


@lie("jobs.create")
def refusals_are_kept_by_key(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    key = request.headers.get("Idempotency-Key", "")
    if key in memory.answers:
        return memory.answers[key]
    answer = right(request)
    if key and answer.status == 400:
        memory.answers[key] = answer
    return answer


@lie("jobs.create")
def unknown_fields_are_refused(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    unknown = load().operations["jobs.create"].unknown_fields(_sent(request))
    return refusal(400, "unknown", *(field.path for field in unknown)) if unknown else right(request)


@lie("jobs.create")
def null_addresses_are_refused(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    body = _sent(request)
    notify = body.get("notify") if isinstance(body, dict) else None
    refused = (notify or {}).get("emails", []) is None
    return refusal(400, "no addresses", "/notify/emails") if refused else right(request)


@lie("jobs.create")
def numbers_as_texts_are_refused(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    body = _sent(request)
    refused = isinstance(body, dict) and str(body.get("priority")) == body.get("priority")
    return refusal(400, "no number", "/priority") if refused else right(request)


@lie("jobs.create", "logs.get", "jobs.act", "tasks.act", "tasks.list")
def scouts_are_ignored(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_sending(request, scout_frames="") if "scout_frames" in _sent(request) else request)


def _another_bound(request: PreparedRequest, operator: str, step: int) -> PreparedRequest:
    def moved(match: re.Match[str]) -> str:
        return f"{match[1]}{int(match[2]) + step:0{len(match[2])}}"

    filtered = re.sub(rf"(_{operator}_)(\d+)", moved, _query(request).get("filter", ""))
    return _asking(request, filter=filtered)


@lie("jobs.list")
def lower_bounds_are_inclusive(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_another_bound(request, "gt", -1))


@lie("jobs.list")
def upper_bounds_are_inclusive(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_another_bound(request, "lt", +1))


@lie("jobs.list")
def job_lists_ignore_the_filter(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_asking(request, filter=None))


@lie("jobs.list")
def job_lists_ignore_metadata(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    terms = [one for one in _query(request).get("filter", "").split(",") if not one.startswith("metadata.")]
    return right(_asking(request, filter=",".join(terms)))


@lie("jobs.list", "uploads.fail")
def reasons_are_lost(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    return _with(answer, data=[{**job, "status_description": ""} for job in answer.body["data"]])


def _unfailed(answer: Answer) -> Answer:
    jobs = answer.body["data"]
    return _with(answer, data=[{**job, "status": job["status"].replace("failed", "pending")} for job in jobs])


@lie("jobs.list", "uploads.finish")
def files_that_are_wrong_or_not_held_are_taken(
    request: PreparedRequest, right: Answering, memory: Memory
) -> Answer:
    return _unfailed(right(request))


# Actions


@lie("jobs.act")
def killing_jobs_changes_nothing(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(_sending(request, action="hold"))
    right(_sending(request, action="unhold"))
    return answer


@lie("tasks.act")
def killing_tasks_changes_nothing(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(_sending(request, action="hold"))
    right(_sending(request, action="unhold"))
    return answer


@lie("jobs.act")
def some_jobs_are_killed_although_another_is_not_there(
    request: PreparedRequest, right: Answering, memory: Memory
) -> Answer:
    answer = right(request)
    if answer.status == 404:
        for jid in _sent(request)["jobids"]:
            right(_sending(request, jobids=[jid]))
    return answer


@lie("tasks.act")
def killing_a_task_kills_them_all(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    if answer.status == 200:
        right(_sending(request, taskids=["000", "001"]))
    return answer


# Logs


@lie("logs.get")
def logs_are_sent_again(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    known = _query(request).get("num_lines[]", "")
    return right(_asking(request, **{"num_lines[]": "0"}) if known.isdecimal() else request)


@lie("logs.get")
def logs_are_empty(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return _with(right(request), logs=[])


# Signing in


@lie("auth.token")
def the_audience_is_another_address(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    if answer.status != 200 or not answer.is_json:
        return answer
    head, claims, signature = answer.body["access_token"].split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    lied = json.dumps({**said, "aud": "http://localhost:8089"}).encode()
    middle = base64.urlsafe_b64encode(lied).decode().rstrip("=")
    return _with(answer, access_token=f"{head}.{middle}.{signature}")


@lie("auth.token")
def the_browser_gets_no_scope(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    if answer.status != 302:
        return answer
    return answer.with_header("Location", re.sub(r"&scope=[^&]*", "", answer.header("Location")))


# Machines and usage


@lie("instance_types.list")
def filters_of_machines_are_ignored(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_asking(request, filter=None))


@lie("billing.get_usage")
def usage_has_iso_times(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    rows = (answer.body or {}).get("data", [])
    return _with(answer, data=[{**row, "start_time": "2024-04-10T00:00:00Z"} for row in rows])


@lie("billing.get_storage_usage")
def the_last_day_is_counted(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    rows = (answer.body or {}).get("data", [])
    return _with(answer, data=[{**row, "cost_per_day": [*row["cost_per_day"], 0.0]} for row in rows])


# Files


@lie("files.get_upload_urls")
def kmskeyname_is_there(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return _with(right(request), kmsKeyName=None)


@lie("files.get_upload_urls")
def files_are_known_by_their_path(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    files = _sent(request).get("upload_files")
    if not isinstance(files, list) or not all(isinstance(one, dict) for one in files):
        return right(request)
    paths = {one.get("path") for one in files}
    known = paths <= memory.paths
    memory.paths |= paths
    return Answer(204) if known else right(request)


@lie("control", "files.get_upload_urls", "files.complete_multipart", "objects.put_part")
def sizes_of_parts_are_ignored(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_sending(request, part_size=2**30) if "part_size" in _sent(request) else request)


@lie("control", "files.get_upload_urls", "objects.put_part")
def style_is_always_gcs(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_sending(request, provider="gcs") if "provider" in _sent(request) else request)


@lie("objects.put")
def chunked_bodies_look_empty(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    if request.headers.get("Transfer-Encoding") == "chunked":
        request.body = b""
    return right(request)


@lie("objects.get", "objects.get", "downloads.page", "fileio.next")
def contents_are_corrupt(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    return answer if answer.is_json else Answer(answer.status, answer.headers, answer.content[::-1] + b"!")


@lie("objects.get")
def ranges_are_ignored(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    request.headers.pop("Range", None)
    return right(request)


# Daemons


@lie("uploads.next", "uploads.next", "uploads.finish")
def an_upload_is_handed_out_twice(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    if answer.status == 204:
        return memory.answers.get("last", answer)
    memory.answers["last"] = answer
    return answer


@lie("downloads.page")
def pages_have_no_end(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    if answer.status != 201:
        return answer
    memory.cursor = answer.body["next_cursor"] or memory.cursor
    return _with(answer, next_cursor=memory.cursor)


@lie("downloads.page")
def pages_ignore_the_tasks(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    is_list = isinstance(_sent(request), dict) and isinstance(_sent(request).get("tids"), list)
    return right(_sending(request, tids=None) if is_list else request)


@lie("downloads.get")
def listings_ignore_the_task(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_asking(request, tid=None))


@lie("downloads.page")
def tasks_without_files_are_listed(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    if answer.status != 201:
        return answer
    empty = {
        "download_id": "none",
        "job_id": "1",
        "task_id": "000",
        "output_dir": "/out",
        "size": 0,
        "files": [],
    }
    return _with(answer, downloads=[*answer.body["downloads"], empty])


@lie("downloads.page")
def what_was_downloaded_is_not_listed(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    if answer.status != 201:
        return answer
    tasks = [_ids(one) for one in answer.body["downloads"]]
    query = {"filter": f"jobLabel_eq_{tasks[0][0]}"} if tasks else {}
    listed = right(_other(request, "GET", "/api/v1/tasks", query)).body["data"]
    fetched = {(one["jobLabel"], one["taskLabel"]) for one in listed if one["status"] == "downloaded"}
    return _with(answer, downloads=[one for one in answer.body["downloads"] if _ids(one) not in fetched])


def _ids(download: dict[str, Any]) -> tuple[str, str]:
    return download["job_id"], download["task_id"]


def _other(request: PreparedRequest, method: str, path: str, query: dict[str, str]) -> PreparedRequest:
    """Another request of whoever sent this one."""
    headers = {"Authorization": request.headers["Authorization"]}
    return Request(method, f"{URL}{path}", headers=headers, params=query).prepare()


@lie("downloads.next")
def outputs_ignore_the_count(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_asking(request, count="20") if _query(request).get("count", "").isdecimal() else request)


@lie("downloads.next", "downloads.next", "downloads.report")
def outputs_are_handed_out_twice(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    if answer.status == 204:
        return memory.answers.get("last", answer)
    memory.answers["last"] = answer
    return answer


@lie("downloads.report", "downloads.report", "downloads.next", "downloads.page")
def reports_change_nothing(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    return right(_sending(request, status="downloading"))


@lie("downloads.report", "downloads.report", "downloads.next")
def what_is_given_back_is_downloaded(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    given_back = _sent(request).get("status") == "pending"
    return right(_sending(request, status="downloaded") if given_back else request)


@lie("fileio.next", "fileio.next", "fileio.finish", "fileio.touch")
def a_file_is_handed_out_twice(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    if answer.body == []:
        return memory.answers.get("last", answer)
    memory.answers["last"] = answer
    return answer


# Everywhere


@lie("projects.list")
def a_slash_is_redirected(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    if urlsplit(request.url or "").path.endswith("/"):
        return right(request)
    return Answer(308, {"Location": f"{URL}/api/v1/projects/"})


@lie("jobs.create")
def refusals_are_pages(request: PreparedRequest, right: Answering, memory: Memory) -> Answer:
    answer = right(request)
    return (
        answer
        if answer.status < 400
        else Answer(answer.status, {"Content-Type": "text/html"}, b"<h1>No</h1>")
    )
