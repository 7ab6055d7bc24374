"""The rest of the least service: work for daemons, parts, outputs, actions, logs, usage and a control API.

Like ``tiny_service`` it is there to be broken; FARM_FLAWS are the ways. Tasks do nothing by themselves: they
end when the control API says so.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

import requests

from conductor_contracts.contract import load
from contracts.tiny_service import (
    ACCOUNT,
    BASE_URL,
    FLAWS,
    Answer,
    TinyService,
    _content,
    _signature,
    refusal,
)

FARM_FLAWS = (
    *FLAWS,
    "keys are ignored",
    "keys answer for any body",
    "refusals are kept by key",
    "work for daemons answers 200",
    "an upload is handed out twice",
    "uploads ignore the location",
    "files of an upload are a list",
    "reasons must be JSON",
    "reasons are lost",
    "a wrong md5 is taken",
    "files that are not held are taken",
    "an ended upload can end again otherwise",
    "pages answer 200",
    "pages have no end",
    "pages ignore the tasks",
    "tasks without files are listed",
    "files have no md5",
    "what was downloaded is not listed",
    "outputs are handed out twice",
    "outputs answer 200",
    "outputs ignore the location",
    "outputs ignore the count",
    "nothing to fetch answers 404",
    "reports change nothing",
    "given back is downloaded",
    "job ids must be padded",
    "parts have no ETag",
    "parts may have any length",
    "missing parts are taken",
    "parts of another md5 are taken",
    "style is always GCS",
    "signatures of downloads are not checked",
    "downloads want a token",
    "ranges are ignored",
    "lengths are not told",
    "contents are corrupt",
    "kill changes nothing",
    "kill kills all tasks",
    "kill kills again",
    "the job is killed although another is not there",
    "logs are sent again",
    "logs are empty",
    "tasks that never ran have a log",
    "scouts are ignored",
    "account_id is a number",
    "usage is empty",
    "usage has ISO times",
    "usage takes any operator",
    "days are inclusive",
    "the file service answers 204",
    "a file is handed out twice",
    "old files can be finished",
    "any password is taken",
    "nobody may sign in",
    "tokens go anywhere",
    "the browser gets no scope",
    "parts are never asked for",
)


@dataclass
class Task:
    """One task; ``download`` is None until there are outputs, else pending or downloading."""

    tid: str
    status: str
    attempts: int = 0
    download: str | None = None


@dataclass
class Job:
    """One job; ``phase`` is "ready" once its files are there, before that its status."""

    jid: str
    payload: dict[str, Any]
    tasks: list[Task]
    phase: str = "ready"
    reason: str = ""

    @property
    def status(self) -> str:
        """The phase, or what the tasks come to."""
        if self.phase != "ready":
            return self.phase
        found = {task.status for task in self.tasks}
        order = ("pending", "holding", "killed", "success", "downloaded")
        return next((status for status in order if status in found), "success")

    @property
    def location(self) -> str:
        """Empty for none."""
        return self.payload.get("location") or ""


@dataclass
class Multipart:
    """A file in parts."""

    md5: str
    size: int
    part_size: int
    parts: dict[int, bytes] = field(default_factory=dict)

    def size_of(self, number: int) -> int:
        """Bytes of a part."""
        return min(self.part_size, self.size - (number - 1) * self.part_size)


class TinyFarm(TinyService):
    """A whole service; ``flaw`` is None or one of FARM_FLAWS."""

    def __init__(self, flaw: str | None = None) -> None:
        assert flaw is None or flaw in FARM_FLAWS
        super().__init__(flaw if flaw in FLAWS else None)
        self.flaw = flaw
        self.farm: dict[str, Job] = {}
        self.keys: dict[str, tuple[Any, Answer]] = {}
        self.multiparts: dict[str, Multipart] = {}
        self.options: dict[str, Any] = {"part_size": 2**30, "provider": "gcs"}
        self.contents: dict[str, bytes] = {}
        self.passwords: dict[str, str] = {}

    def _answer(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        if path.startswith("/_mock/"):
            return self._control(request, path)
        methods = [one.method for one in load().operations.values() if one.matches(path)]
        answer = super()._answer(request, path, query)
        if answer.status == 405 and "Allow" in answer.headers:
            return Answer(405, answer.body, {"Allow": ", ".join(methods)})
        return answer

    def _control(self, request: requests.PreparedRequest, path: str) -> Answer:
        if path == "/_mock/health":
            return Answer(200, {"status": "ok"})
        if path == "/_mock/options":
            self.options.update(json.loads(_content(request.body) or b"{}"))
            return Answer(200, self.options)
        _, _, _, jid, _, tid = path.split("/")
        task = next(task for task in self.farm[jid].tasks if task.tid == tid)
        task.status, task.attempts, task.download = "success", task.attempts + 1, "pending"
        return Answer(200, {})

    # signing in

    def _auth_token(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        target = query.get("redirect_uri")
        if target is None:
            return super()._auth_token(request, path, query)
        if not target.startswith("http://localhost:") and self.flaw != "tokens go anywhere":
            return refusal(400, "not this machine", "redirect_uri")
        if query.get("prompt") != "none":
            return Answer(200, b"<h1>Sign in?</h1>", {"Content-Type": "text/html; charset=utf-8"})
        scope = "" if self.flaw == "the browser gets no scope" else f"&scope={query['scope']}"
        return Answer(
            302, None, {"Location": f"{target}?access_token={self._token()}&expires_in=3600{scope}"}
        )

    def _companion_login(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        body, refused = self._json(request, "companion.login")
        if refused or not body.get("email") or self.flaw == "nobody may sign in":
            return refused or refusal(401, "no address")
        known = self.passwords.setdefault(body["email"], body["password"])
        if known != body["password"] and self.flaw != "any password is taken":
            return refusal(401, "another password")
        account = {"account": ACCOUNT, "accountName": "Tiny", "token": self._token(), "role": 1}
        return Answer(200, {"accounts": [{**account, "email": body["email"], "status": "active"}]})

    def _env_vars_list(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        account: Any = int(ACCOUNT) if self.flaw == "account_id is a number" else ACCOUNT
        return Answer(200, {"data": [{"account_id": account, "env": []}]})

    # files in parts, and by the older question

    def _files_get_upload_urls(
        self, request: requests.PreparedRequest, path: str, query: dict[str, str]
    ) -> Answer:
        answer = super()._files_get_upload_urls(request, path, query)
        if answer.status != 200:
            return answer
        md5s = {one["path"]: one["hash"] for one in json.loads(_content(request.body))["upload_files"]}
        single, multi = [], []
        for one in answer.body["singlePartURLs"]:
            if one["fileSize"] > self.options["part_size"] and self.flaw != "parts are never asked for":
                multi.append(self._in_parts(one, md5s[one["filePath"]]))
            else:
                single.append({**one, "preSignedURL": self._styled(one["preSignedURL"])})
        return Answer(200, {**answer.body, "singlePartURLs": single, "multiPartURLs": multi})

    def _in_parts(self, record: dict[str, Any], md5: str) -> dict[str, Any]:
        upload = Multipart(md5, record["fileSize"], self.options["part_size"])
        name = f"p{len(self.multiparts)}"
        self.multiparts[name] = upload
        numbers = range(1, -(-upload.size // upload.part_size) + 1)
        parts = [
            {"partNumber": number, "url": self._part_url(name, number, upload.size_of(number))}
            for number in numbers
        ]
        common = {"filePath": record["filePath"], "fileSize": upload.size, "partSize": upload.part_size}
        return {"uploadID": name, **common, "parts": parts}

    def _part_url(self, name: str, number: int, size: int) -> str:
        signature = _signature(f"{name} {number}")
        url = f"{BASE_URL}/objects/{ACCOUNT}/parts/{name}/{number}"
        return self._styled(f"{url}?expires=4102444800&size={size}&signature={signature}")

    def _styled(self, url: str) -> str:
        if self.options["provider"] != "s3" or self.flaw == "style is always GCS":
            return url
        return url.replace("/objects/", "/coreweave/objects/")

    def _objects_put_part(
        self, request: requests.PreparedRequest, path: str, query: dict[str, str]
    ) -> Answer:
        name, number = path.split("/")[-2:]
        signed = query.get("signature") == _signature(f"{name} {number}")
        if name not in self.multiparts or not (signed or self.flaw == "signatures are not checked"):
            return refusal(403, "the signature is wrong")
        if self.flaw == "a token at a signed URL is refused" and "Authorization" in request.headers:
            return refusal(401, "no token wanted")
        upload, content = self.multiparts[name], _content(request.body)
        wrong = len(content) != upload.size_of(int(number))
        if wrong and self.flaw != "parts may have any length":
            return refusal(400, "the length is wrong")
        upload.parts[int(number)] = content
        tag = {"ETag": f'"{hashlib.md5(content).hexdigest()}"'}
        return Answer(200, None, {} if self.flaw == "parts have no ETag" else tag)

    def _files_complete_multipart(
        self, request: requests.PreparedRequest, path: str, query: dict[str, str]
    ) -> Answer:
        body, refused = self._json(request, "files.complete_multipart")
        if refused:
            return refused
        upload = self.multiparts.get(body["uploadID"])
        if upload is None:
            return refusal(404, "no such upload")
        if body["hash"] != upload.md5:
            return refusal(400, "another md5", "/hash")
        named = {part["partNumber"]: part["etag"].strip('"') for part in body["completedParts"]}
        have = {number: hashlib.md5(part).hexdigest() for number, part in upload.parts.items()}
        count = -(-upload.size // upload.part_size)
        complete = named == have and len(have) == count
        if not complete and self.flaw != "missing parts are taken":
            return refusal(400, "not all parts", "/completedParts")
        whole = b"".join(upload.parts[number] for number in sorted(upload.parts))
        right = _base64(hashlib.md5(whole).digest()) == upload.md5
        if not right and self.flaw not in ("parts of another md5 are taken", "missing parts are taken"):
            return refusal(400, "another md5", "/completedParts")
        self.held.add(upload.md5)
        return Answer(200)

    def _files_get_upload_urls_v1(
        self, request: requests.PreparedRequest, path: str, query: dict[str, str]
    ) -> Answer:
        body, refused = self._json(request, "files.get_upload_urls_v1")
        if refused:
            return refused
        urls = {name: _url_v1(md5) for name, md5 in body["upload_files"].items() if md5 not in self.held}
        return Answer(200, urls) if urls else Answer(204)

    # jobs and tasks

    def _jobs_create(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        key = str(request.headers.get("Idempotency-Key", ""))
        if key in self.keys and self.flaw != "keys are ignored":
            body, answer = self.keys[key]
            if body != request.body and self.flaw != "keys answer for any body":
                return refusal(409, f"{key} made job {answer.body.get('jobid')}", "Idempotency-Key")
            return answer
        answer = super()._jobs_create(request, path, query)
        answer = replace(answer, headers={"X-Conductor-Mock-Idempotency": "Idempotency-Key"})
        if key and (answer.status < 300 or self.flaw == "refusals are kept by key"):
            self.keys[key] = (request.body, answer)
        if answer.status < 300:
            payload = json.loads(_content(request.body))
            scouts = "" if self.flaw == "scouts are ignored" else payload.get("scout_frames") or ""
            tasks = [
                Task(f"{number:03}", "holding" if scouts and task.get("frames") != scouts else "pending")
                for number, task in enumerate(payload.get("tasks_data") or [])
            ]
            waits = payload.get("local_upload") is False and payload.get("upload_files")
            job = Job(answer.body["jobid"], payload, tasks, "upload_pending" if waits else "ready")
            self.farm[job.jid] = job
        return answer

    def _jobs_list(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        for record in self.jobs:
            job = self.farm[record["jid"]]
            reason = "" if self.flaw == "reasons are lost" else job.reason
            record |= {"status": job.status, "status_description": reason}
        return super()._jobs_list(request, path, query)

    def _find(self, jid: str) -> Job | None:
        padded = jid if self.flaw == "job ids must be padded" else jid.zfill(5)
        return self.farm.get(padded, self.farm.get(jid))

    def _jobs_get(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        job = self._find(path.rpartition("/")[2])
        if job is None:
            return refusal(404, "no such job")
        return Answer(200, {"data": {"status": job.status, "tasks": len(job.tasks)}})

    def _tasks_list(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        wanted = {}
        for term in filter(None, query.get("filter", "").split(",")):
            name, operator, value = [*term.split("_", 2), "", ""][:3]
            if operator != "eq":
                return refusal(400, "no filter", "filter")
            wanted[name] = value
        tasks = [
            {"jobLabel": job.jid, "taskLabel": task.tid, "status": task.status}
            for job in self.farm.values()
            for task in job.tasks
        ]
        fitting = [task for task in tasks if all(task[name] == value for name, value in wanted.items())]
        return Answer(200, {"data": fitting})

    def _jobs_act(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        body, refused = self._json(request, "jobs.act")
        if refused:
            return refused
        jobs = [self.farm.get(jid) for jid in body["jobids"]]
        if None in jobs and self.flaw != "the job is killed although another is not there":
            return refusal(404, "no such job")
        found = [job for job in jobs if job]
        moved = [self._act(body["action"], job.tasks) for job in found]
        for job in found:
            if body["action"] == "kill" and job.phase != "ready":
                job.phase = "ready"
        if None in jobs:
            return refusal(404, "no such job")
        if not any(moved) and self.flaw != "kill kills again":
            return refusal(409, f"cannot {body['action']}: it is {found[0].status}")
        return Answer(200, {"body": "success", "message": ", ".join(body["jobids"])})

    def _tasks_act(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        body, refused = self._json(request, "tasks.act")
        if refused:
            return refused
        job = self.farm.get(body["jobid"])
        if job is None:
            return refusal(404, "no such job")
        tasks = [task for task in job.tasks if task.tid in body["taskids"]]
        if len(tasks) < len(body["taskids"]):
            return refusal(404, "no such task")
        chosen = job.tasks if self.flaw == "kill kills all tasks" else tasks
        if not self._act(body["action"], chosen) and self.flaw != "kill kills again":
            return refusal(409, f"cannot {body['action']}: it is {tasks[0].status}")
        lines = "".join(f"\n\t{task.tid}" for task in tasks)
        return Answer(200, {"body": "success", "message": f"{len(tasks)} tasks{lines}"})

    def _act(self, action: str, tasks: list[Task]) -> bool:
        """Whether it moved anything."""
        of, to = {
            "kill": (("pending", "holding"), "killed"),
            "hold": (("pending",), "holding"),
            "unhold": (("holding",), "pending"),
            "release_scouts": (("holding",), "pending"),
            "retry": (("killed", "success", "downloaded"), "pending"),
        }[action]
        moved = [task for task in tasks if task.status in of]
        if self.flaw != "kill changes nothing":
            for task in moved:
                task.status, task.download = to, None
        return bool(moved)

    def _logs_get(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        problems = load().operations["logs.get"].check_query(query)
        if problems:
            return refusal(400, "the query is wrong", *(problem.path for problem in problems))
        job = self.farm.get(query["job"])
        task = next((task for task in job.tasks if task.tid == query["task"]), None) if job else None
        if task is None or not (task.attempts or self.flaw == "tasks that never ran have a log"):
            return refusal(404, "no log")
        known = 0 if self.flaw == "logs are sent again" else int(query.get("num_lines[]", 0))
        lines = ["began", "ended"][known:]
        logs = [] if self.flaw == "logs are empty" else [{"log": lines}]
        status = {"status_description": task.status, "task_status": task.status}
        return Answer(200, {"logs": logs, "new_num_lines": [len(lines)], **status})

    # uploader daemons

    def _uploads_next(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        body, refused = self._json(request, "uploads.next")
        if refused:
            return refused
        for job in self.farm.values():
            here = job.location == (body.get("location") or "") or self.flaw == "uploads ignore the location"
            if job.phase == "upload_pending" and here:
                if self.flaw != "an upload is handed out twice":
                    job.phase = "uploading"
                return self._handed_out(job)
        return Answer(204)

    def _handed_out(self, job: Job) -> Answer:
        files: Any = {file["destination"]: file["md5"] for file in job.payload["upload_files"]}
        if self.flaw == "files of an upload are a list":
            files = list(files)
        data = {"id": job.jid, "project": job.payload.get("project"), "upload_files": files}
        return Answer(200 if self.flaw == "work for daemons answers 200" else 201, {"data": data})

    def _upload(self, path: str) -> Job | None:
        job = self.farm.get(path.split("/")[2])
        return job if job and job.payload.get("upload_files") else None

    def _uploads_update(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        _, refused = self._json(request, "uploads.update")
        return refused or (Answer(200) if self._upload(path) else refusal(404, "no such upload"))

    def _uploads_finish(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        body, refused = self._json(request, "uploads.finish")
        job = self._upload(path)
        if refused or job is None:
            return refused or refusal(404, "no such upload")
        if job.phase == "failed" and self.flaw != "an ended upload can end again otherwise":
            return refusal(409, "it has failed")
        reported = {name: one.get("md5") for name, one in (body.get("upload_files") or {}).items()}
        job.phase = "ready"
        for file in job.payload["upload_files"]:
            found = reported.get(file["destination"]) or file["md5"]
            if file["md5"] not in (None, found) and self.flaw != "a wrong md5 is taken":
                job.phase, job.reason = "failed", "another md5"
            elif found not in self.held and self.flaw not in (
                "files that are not held are taken",
                "a wrong md5 is taken",
            ):
                job.phase, job.reason = "failed", "not there"
        return Answer(200)

    def _uploads_fail(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        job, reason = self._upload(path), _content(request.body).decode()
        if job is None:
            return refusal(404, "no such upload")
        if job.phase == "ready" and self.flaw != "an ended upload can end again otherwise":
            return refusal(409, "it has finished")
        if self.flaw == "reasons must be JSON" and not _is_json(reason):
            return refusal(400, "not JSON")
        job.phase, job.reason = "failed", reason
        return Answer(200)

    # outputs

    def _record(self, job: Job, task: Task) -> dict[str, Any]:
        content = f"{job.jid} {task.tid} {task.attempts}".encode()
        digest = hashlib.md5(content)
        self.contents[digest.hexdigest()] = content
        ids = {"job_id": job.jid, "task_id": task.tid, "output_dir": job.payload["output_path"]}
        file = {"relative_path": f"im.{task.tid}.png", "md5": _base64(digest.digest()), "size": len(content)}
        if self.flaw == "files have no md5":
            del file["md5"]
        files = [{"url": _output_url(digest.hexdigest(), f"im.{task.tid}.png"), **file, **ids}]
        name = f"{job.jid}-{task.tid}-{task.attempts}"
        empty = self.flaw == "tasks without files are listed" and task.download is None
        return {"download_id": name, **ids, "size": len(content), "files": [] if empty else files}

    def _outputs(self, job: Job) -> Iterator[Task]:
        hidden = "downloaded" if self.flaw == "what was downloaded is not listed" else None
        for task in job.tasks:
            there = task.download is not None and task.status != hidden
            if there or self.flaw == "tasks without files are listed":
                yield task

    def _downloads_page(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        body, refused = self._json(request, "downloads.page")
        job = self.farm.get(path.split("/")[2])
        if refused or job is None:
            return refused or refusal(404, "no such job")
        problems = load().operations["downloads.page"].check_query(query)
        cursor = query.get("start_cursor", "0")
        if problems or not cursor.isdecimal():
            return refusal(400, "the query is wrong")
        tids = None if self.flaw == "pages ignore the tasks" else body["tids"]
        tasks = [task for task in self._outputs(job) if tids is None or task.tid in tids]
        first, limit = int(cursor), int(query.get("limit", 100))
        more = first + limit < len(tasks) or self.flaw == "pages have no end"
        page = [self._record(job, task) for task in tasks[first : first + limit]]
        answer = {"downloads": page, "next_cursor": str(first + limit) if more else None}
        return Answer(200 if self.flaw == "pages answer 200" else 201, answer)

    def _downloads_get(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        job = self._find(path.rpartition("/")[2])
        if job is None:
            return refusal(404, "no such job")
        found = [
            self._record(job, task)
            for task in self._outputs(job)
            if query.get("tid", task.tid) == task.tid or self.flaw == "pages ignore the tasks"
        ]
        return Answer(200 if self.flaw == "pages answer 200" else 201, {"downloads": found})

    def _waiting(self, query: dict[str, str]) -> Iterator[tuple[Job, Task]]:
        anywhere = self.flaw == "outputs ignore the location"
        for job in self.farm.values():
            for task in job.tasks:
                here = anywhere or job.location == query.get("location", "")
                if task.status == "success" and task.download == "pending" and here:
                    yield job, task

    def _downloads_next(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        problems = load().operations["downloads.next"].check_query(query)
        if problems:
            return refusal(400, "the query is wrong", *(problem.path for problem in problems))
        count = 100 if self.flaw == "outputs ignore the count" else int(query.get("count", 1))
        chosen = list(self._waiting(query))[:count]
        for _, task in chosen:
            if self.flaw != "outputs are handed out twice":
                task.download = "downloading"
        if not chosen:
            return refusal(404, "nothing") if self.flaw == "nothing to fetch answers 404" else Answer(204)
        data = [self._record(job, task) for job, task in chosen]
        return Answer(200 if self.flaw == "outputs answer 200" else 201, {"data": data})

    def _by_download(self, name: str) -> Task | None:
        for job in self.farm.values():
            for task in job.tasks:
                current = name == f"{job.jid}-{task.tid}-{task.attempts}"
                old = self.flaw == "old files can be finished" and name.startswith(f"{job.jid}-{task.tid}-")
                if (current or old) and task.download:
                    return task
        return None

    def _report(self, task: Task, status: str) -> None:
        if self.flaw == "reports change nothing" or status == "downloading":
            return
        back = status == "pending" and self.flaw != "given back is downloaded"
        task.status, task.download = ("success", "pending") if back else ("downloaded", "downloaded")

    def _downloads_report(
        self, request: requests.PreparedRequest, path: str, query: dict[str, str]
    ) -> Answer:
        body, refused = self._json(request, "downloads.report")
        task = None if refused else self._by_download(body["download_id"])
        if refused or task is None:
            return refused or refusal(404, "no such download")
        self._report(task, body["status"])
        return Answer(200)

    def _downloads_fail(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        task = self._by_download(path.split("/")[2])
        if task is None:
            return refusal(404, "no such download")
        self._report(task, "pending")
        return Answer(200)

    def _objects_get(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        digest = path.split("/")[3]
        signed = query.get("signature") == _signature(f"GET {digest}")
        if digest not in self.contents or not (
            signed or self.flaw == "signatures of downloads are not checked"
        ):
            return refusal(403, "the signature is wrong")
        if self.flaw == "downloads want a token" and "Authorization" not in request.headers:
            return refusal(401, "no token")
        content, etag = self.contents[digest], f'"{digest}"'
        if request.headers.get("If-None-Match") == etag:
            return Answer(304)
        first, _, last = request.headers.get("Range", "").removeprefix("bytes=").partition("-")
        if first and self.flaw != "ranges are ignored":
            if int(first) >= len(content):
                return refusal(416, "no such range")
            part = content[int(first) : int(last or len(content)) + 1]
            where = f"bytes {first}-{int(first) + len(part) - 1}/{len(content)}"
            return Answer(206, part, {"Content-Range": where, "Content-Length": str(len(part))})
        headers = {"Content-Length": str(len(content)), "ETag": etag}
        if self.flaw == "lengths are not told":
            del headers["Content-Length"]
        if self.flaw == "contents are corrupt":
            content = content[::-1] + b"!"
        return Answer(200, b"" if request.method == "HEAD" else content, headers)

    # the file service of 2019

    def _fileio_next(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        if self.flaw == "the file service answers 204":
            return Answer(204)
        for job, task in self._waiting(query):
            if query.get("project", job.payload.get("project")) == job.payload.get("project"):
                if self.flaw != "a file is handed out twice":
                    task.download = "downloading"
                return Answer(200, [_file(self._record(job, task))])
        return Answer(200, [])

    def _fileio(self, request: requests.PreparedRequest, path: str, operation: str, status: str) -> Answer:
        task = self._by_download(path.rpartition("/")[2])
        if task is None:
            return refusal(410, "no longer active")
        form = dict(parse_qsl(_content(request.body).decode()))
        if load().operations[operation].check_form(form):
            return refusal(400, "the form is wrong")
        self._report(task, status)
        return Answer(204) if self.flaw == "the file service answers 204" else Answer(200, {})

    def _fileio_touch(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        return self._fileio(request, path, "fileio.touch", "downloading")

    def _fileio_finish(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        return self._fileio(request, path, "fileio.finish", "downloaded")

    def _fileio_fail(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        return self._fileio(request, path, "fileio.fail", "pending")

    # usage

    def _billing_get_usage(
        self, request: requests.PreparedRequest, path: str, query: dict[str, str]
    ) -> Answer:
        if not _is_json(query.get("filter", "[]")):
            return refusal(400, "no filter", "filter")
        terms = json.loads(query.get("filter", "[]"))
        if any(term["op"] == "~" for term in terms) and self.flaw != "usage takes any operator":
            return refusal(400, "no operator", "filter")
        days = [term["value"] for term in terms if term["field"] == "start_time"]
        if days != sorted(days):
            return refusal(400, "no days", "filter")
        row: dict[str, Any] = {
            "minutes": 0,
            "cores": 0,
            "license_cost": 0,
            "instance_cost": 0,
            "self_link": 0,
        }
        iso = self.flaw == "usage has ISO times"
        row |= {"start_time": "2024-04-10T00:00:00Z" if iso else "Wed, 10 Apr 2024 00:00:00 GMT"}
        return Answer(200, {"data": [] if self.flaw == "usage is empty" else [row]})

    def _billing_get_storage_usage(
        self, request: requests.PreparedRequest, path: str, query: dict[str, str]
    ) -> Answer:
        problems = load().operations["billing.get_storage_usage"].check_query(query)
        if problems or query["start"] == "2024-02-30":
            return refusal(400, "no such day", *(problem.path for problem in problems), "start")
        count = int(query["end"][-2:]) - int(query["start"][-2:])
        if count < 1:
            return refusal(400, "no days", "end")
        numbers = [0.0] * (count + (self.flaw == "days are inclusive"))
        example = load().document["paths"]["/billing/get_storage_usage"]["get"]["responses"]["200"]
        row = example["content"]["application/json"]["example"]["data"][0]
        days = {"start_date": query["start"], "end_date": query["end"]}
        return Answer(200, {"data": [{**row, **days, "cost_per_day": numbers, "gibs_per_day": numbers}]})


def _file(record: dict[str, Any]) -> dict[str, Any]:
    (file,) = record["files"]
    target = {"id": record["download_id"], "dlid": record["download_id"], "md5": file.get("md5")}
    target |= {"jid": record["job_id"], "tid": record["task_id"], "file_size": file["size"]}
    target["destination"] = f"{record['output_dir']}/{file['relative_path']}"
    return {"id": record["download_id"], "url": file["url"], "download_file": target}


def _output_url(digest: str, name: str) -> str:
    signature = _signature(f"GET {digest}")
    return f"{BASE_URL}/objects/{ACCOUNT}/{digest}/{name}?expires=4102444800&signature={signature}"


def _url_v1(md5: str) -> str:
    digest = base64.b64decode(md5).hex()
    return (
        f"{BASE_URL}/objects/{ACCOUNT}/{digest}?expires=4102444800&signature={_signature(f'{digest} None')}"
    )


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
