"""The service in a few lines, behind ``responses``: enough of it for a whole submission."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
import responses

from support.client_world import URL, jwt, md5_of

Reply = tuple[int, dict[str, str], str]
PRIVATE_KEY = "-----BEGIN KEY-----\nprivate-key-bytes\n-----END KEY-----"
SIGNATURE = "signature-of-the-url"


@dataclass
class FakeService:
    """What was asked of it, in order, and what it holds. ``part_size`` makes larger files come in parts."""

    style: str = "gcs"
    part_size: int = 0
    held: set[str] = field(default_factory=set)
    batches: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    put_headers: list[dict[str, str]] = field(default_factory=list)
    completed: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    packages: list[dict[str, Any]] = field(default_factory=list)
    put_status: int = 200
    job_status: int = 201
    # The next answers to PUTs and completions, by path (``/a``, ``/a#2`` for a part, ``complete``); then as ever.
    statuses: dict[str, list[int]] = field(default_factory=dict)
    upload_serial: int = 0
    # URLs of the batches before this one, counted from 1, have expired.
    valid_from: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def install(self, mock: responses.RequestsMock) -> None:
        """Answer for the URL of ``client_world``."""
        mock.add_callback("GET", f"{URL}/api/oauth_jwt", self._token)
        mock.add_callback("GET", f"{URL}/api/v1/ee/packages", self._packages)
        mock.add_callback("POST", f"{URL}/api/v2/files/get_upload_urls", self._urls)
        mock.add_callback("POST", f"{URL}/api/v2/files/multipart/complete", self._complete)
        mock.add_callback("PUT", re.compile(r"https?://store\.test/.*"), self._put)
        mock.add_callback("POST", f"{URL}/jobs/", self._job)

    def _token(self, request: requests.PreparedRequest) -> Reply:
        with self._lock:
            self.tokens.append(jwt(serial=len(self.tokens)))
            return 200, {}, json.dumps({"access_token": self.tokens[-1], "expires_in": 3600})

    def _packages(self, request: requests.PreparedRequest) -> Reply:
        return 200, {}, json.dumps({"data": self.packages})

    def _urls(self, request: requests.PreparedRequest) -> Reply:
        body = json.loads(request.body or "{}")
        with self._lock:
            self.batches.append(body)
            wanted = [file for file in body["upload_files"] if file["hash"] not in self.held]
        if not wanted:
            return 204, {}, ""
        single = [self._single(file) for file in wanted if not self._in_parts(file)]
        multi = [self._multi(file) for file in wanted if self._in_parts(file)]
        return 200, {}, json.dumps({"singlePartURLs": single, "multiPartURLs": multi})

    def _in_parts(self, file: dict[str, Any]) -> bool:
        return 0 < self.part_size < int(file["size"])

    def _url(self, file: dict[str, Any], part: int = 0) -> str:
        folder = "coreweave" if self.style == "s3" else "bucket"
        return f"http://store.test/{folder}{file['path']}?part={part}&batch={len(self.batches)}&X-Signature={SIGNATURE}"

    def _single(self, file: dict[str, Any]) -> dict[str, Any]:
        return {"filePath": file["path"], "fileSize": file["size"], "preSignedURL": self._url(file)}

    def _multi(self, file: dict[str, Any]) -> dict[str, Any]:
        count = -(-file["size"] // self.part_size)
        parts = [{"partNumber": n, "url": self._url(file, n)} for n in range(1, count + 1)]
        return {
            "uploadID": f"up{file['path']}" + (f"-{self.upload_serial}" if self.upload_serial else ""),
            "filePath": file["path"],
            "fileSize": file["size"],
            "md5": file["hash"],
            "partSize": self.part_size,
            "parts": parts,
        }

    def _put(self, request: requests.PreparedRequest) -> Reply:
        body: Any = request.body
        content: bytes = body.read() if hasattr(body, "read") else body or b""
        parts = urlsplit(request.url or "")
        query = parse_qs(parts.query)
        part, batch = query["part"][0], query.get("batch", ["0"])[0]
        path = "/" + parts.path.split("/", 2)[2] + (f"#{part}" if part != "0" else "")
        with self._lock:
            self.put_headers.append({name.lower(): value for name, value in request.headers.items()})
            if self.put_status >= 300:
                return self.put_status, {}, "no"
            if int(batch) < self.valid_from:
                return 403, {}, "the URL has expired"
            if self.statuses.get(path):
                return self.statuses[path].pop(0), {}, "not this time"
            declared = request.headers.get("Content-MD5")
            if declared and declared != md5_of(content):
                return 400, {}, "the md5 is another"
            self.bodies[path] = content
        return 200, {"ETag": f'"{md5_of(content)}"'}, ""

    def _complete(self, request: requests.PreparedRequest) -> Reply:
        with self._lock:
            if self.statuses.get("complete"):
                return self.statuses["complete"].pop(0), {}, "not this time"
            self.completed.append(json.loads(request.body or "{}"))
        return 200, {}, ""

    def _job(self, request: requests.PreparedRequest) -> Reply:
        with self._lock:
            self.jobs.append(json.loads(request.body or "{}"))
            jid = f"{len(self.jobs):05}"
        answer = {"body": "job submitted.", "jobid": jid, "status": "success", "uri": f"/jobs/{jid}"}
        return self.job_status, {}, json.dumps(answer)
