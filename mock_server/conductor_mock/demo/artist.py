"""Whoever submits to the demo's farm: the calls of a client, as the contract names them, at hours of the past.

It shares no code with the client, and does without its care: what is refused ends the demo.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import requests

from conductor_mock.demo import DemoError
from conductor_mock.demo.past import Past
from conductor_mock.store.keys import Keys

PATIENCE_S = 60
SERVER_ERROR = 500


class Artist:
    """Works with the server at `url` by its own API key, at the hour that `past` shows."""

    def __init__(self, url: str, keys: Keys, past: Past) -> None:
        self._url = url
        self._keys = keys
        self._past = past
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no .netrc

    def be(self, hours_ago: float) -> None:
        """Go to an hour of the past, with a new token: the last one may have expired."""
        self._past.set_back(hours_ago)
        key = {"client_id": self._keys.client_id, "client_secret": self._keys.private_key}
        query = {"grant_type": "client_credentials", "scope": "owner admin user", **key}
        self._session.headers.pop("Authorization", None)
        token = self._ask("GET", "/api/oauth_jwt", params=query)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def packages(self) -> list[dict[str, Any]]:
        """What the catalogue offers: packages.list."""
        return list(self._ask("GET", "/api/v1/ee/packages")["data"])

    def upload(self, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
        """Bring the contents that are not there yet: files.get_upload_urls, objects.put. Entries of `upload_files`."""
        entries = [_entry(path, content) for path, content in files.items()]
        asked = [
            {"path": entry["destination"], "hash": entry["md5"], "size": entry["st_size"]}
            for entry in entries
        ]
        answer = self._ask(
            "POST", "/api/v2/files/get_upload_urls", json={"upload_files": asked, "project": "default"}
        )
        for wanted in (answer or {}).get("singlePartURLs", ()):
            content = files[wanted["filePath"]]
            self._send("PUT", wanted["preSignedURL"], data=content, headers={"Content-MD5": _md5(content)})
        return entries

    def submit(self, payload: Mapping[str, Any]) -> str:
        """A job's id: jobs.create, once more where the service fails at first."""
        key = {"Idempotency-Key": uuid4().hex}
        while True:
            answer = self._session.post(f"{self._url}/jobs/", json=payload, headers=key, timeout=PATIENCE_S)
            if answer.status_code < SERVER_ERROR:
                return str(_checked(answer).json()["jobid"])

    def act(self, action: str, jobid: str) -> None:
        """What people do to a job: jobs.act."""
        self._ask("PUT", "/jobs_multi", json={"action": action, "jobids": [jobid]})

    def claim(self, location: str) -> str:
        """The id of the upload that an uploader daemon of this location gets: uploads.next."""
        return str(self._ask("PUT", "/uploads/client/next", json={"location": location})["data"]["id"])

    def report_upload(self, upload_id: str, sent: int, size: int) -> None:
        """How far that daemon is: uploads.update."""
        self._ask(
            "POST", f"/uploads/{upload_id}/update", json={"bytes_transfered": sent, "transfer_size": size}
        )

    def fail_upload(self, upload_id: str, reason: str) -> None:
        """That daemon gave up: uploads.fail, plain text."""
        self._send("POST", f"{self._url}/uploads/{upload_id}/fail", data=reason.encode())

    def fetch(self, location: str) -> None:
        """Say that all outputs of a location were fetched: downloads.next, downloads.report."""
        while answer := self._ask("GET", "/downloads/next", params={"count": 100, "location": location}):
            for record in answer["data"]:
                size = sum(file["size"] for file in record["files"])
                report = {"download_id": record["download_id"], "status": "downloaded"}
                report |= {"bytes_downloaded": size, "bytes_to_download": size}
                self._ask("POST", "/downloads/status", json=report)

    def arrange(self, what: str, body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """A call of the control API: its clock, faults, outcomes."""
        self._ask("POST", f"/_mock/{what}", json=body)

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._send(method, f"{self._url}{path}", **options)
        return answer.json() if answer.content else None

    def _send(self, method: str, url: str, **options: Any) -> requests.Response:
        return _checked(self._session.request(method, url, timeout=PATIENCE_S, **options))


def _checked(answer: requests.Response) -> requests.Response:
    if not answer.ok:
        asked = f"{answer.request.method} {answer.request.path_url.partition('?')[0]}"
        raise DemoError(f"{asked} was answered with {answer.status_code}: {answer.text[:500]}")
    return answer


def _entry(path: str, content: bytes) -> dict[str, Any]:
    return {"destination": path, "md5": _md5(content), "st_size": len(content), "st_mode": 0o100644}


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
