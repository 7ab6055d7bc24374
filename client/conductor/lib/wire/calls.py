"""The calls of the protocol: how each operation is asked for, and the one place where requests are made of that.

Every method is named as the contract names its operation, with ``_`` for the dot: ``jobs_list`` is ``jobs.list``. What
an answer means is read by the modules that are about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from conductor.lib.wire import operations
from conductor.lib.wire.call import Call, OpenBody, Sent, Sink, Tokens
from conductor.lib.wire.operations import Operation, Origin
from conductor.lib.wire.transport import Transport

_JSON = {"Content-Type": "application/json", "Accept": "application/json"}
_BYTES = {"Content-Type": "application/octet-stream"}
# The bytes as they are stored, whose md5 is known, not a compressed form of them.
_AS_STORED = {"Accept-Encoding": "identity"}


class Calls:
    """The operations of one service, as one user: a method each, which returns what came back.

    Raises the errors of ``exceptions``; which requests are repeated is the table in ``retry``. ``about`` names in
    messages what a call is about, ``advice`` says what to look at where its outcome is unknown; ``once`` is for a call
    that is not worth a wait before another attempt. Safe to use from several threads.
    """

    def __init__(self, transport: Transport, tokens: Tokens, *, url: str, api_url: str) -> None:
        self.transport, self.url = transport, url
        self._send, self._tokens = transport.send, tokens
        self._origins = {Origin.DASHBOARD: url, Origin.API: api_url}

    def _request(
        self,
        operation: Operation,
        *,
        url: str = "",
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | str = "",
        body: Mapping[str, Any] | bytes | OpenBody | None = None,
        length: int = 0,
        headers: Mapping[str, str] | None = None,
        into: Sink | None = None,
        about: str = "",
        advice: str = "",
        key: str = "",
        once: bool = False,
    ) -> Call:
        """Return the request of an operation. ``url`` is a signed one; a ``query`` of text goes as it is."""
        if not url:
            names = {name: quote(value, safe="") for name, value in (path or {}).items()}
            url = self._origins[operation.origin] + operation.path.format(**names)
        if query:
            url += f"?{query if isinstance(query, str) else urlencode(query, quote_via=quote)}"
        if headers is None:
            headers = _JSON if operation.bearer else {}
        return Call(
            operation,
            url,
            headers=headers,
            body=json.dumps(body).encode() if isinstance(body, Mapping) else body,
            length=length,
            into=into,
            tokens=self._tokens if operation.bearer else None,
            about=about,
            advice=advice,
            key=key,
            once=once,
        )

    def auth_token(self, client_id: str, private_key: str, scope: str) -> Sent:
        """Exchange an API key for a token (wire reference 1.1)."""
        query = {
            "grant_type": "client_credentials",
            "scope": scope,
            "client_id": client_id,
            "client_secret": private_key,
        }
        return self._send(self._request(operations.AUTH_TOKEN, query=urlencode(query)))

    def accounts_get(self, account_id: str) -> Sent:
        """Read an account (wire reference 1.6)."""
        return self._send(self._request(operations.ACCOUNTS_GET, path={"account_id": account_id}))

    def packages_list(self) -> Sent:
        """List the software packages of all platforms (wire reference 2.1)."""
        # The trailing comma is what the vendor's clients have sent since 5.0.1.
        return self._send(self._request(operations.PACKAGES_LIST, query="all=true,"))

    def projects_list(self) -> Sent:
        """List the projects of every status (wire reference 2.2)."""
        return self._send(self._request(operations.PROJECTS_LIST))

    def instance_types_list(self, filter_text: str = "") -> Sent:
        """List the machines, those that a filter such as ``cores=gte:8:int`` lets through (wire reference 2.3)."""
        return self._send(self._request(operations.INSTANCE_TYPES_LIST, query=_filter(filter_text)))

    def env_vars_list(self) -> Sent:
        """List the environments of accounts (wire reference 2.4)."""
        return self._send(self._request(operations.ENV_VARS_LIST))

    def jobs_list(self, filter_text: str = "", *, once: bool = False) -> Sent:
        """List jobs, those that a filter such as ``jid_gt_00011,jid_lt_00013`` lets through (wire reference 2.9)."""
        return self._send(self._request(operations.JOBS_LIST, query=_filter(filter_text), once=once))

    def jobs_create(self, body: bytes, *, key: str, advice: str, once: bool = False) -> Sent:
        """Send a job (wire reference 2.8); ``key`` is the Idempotency-Key."""
        return self._send(self._request(operations.JOBS_CREATE, body=body, key=key, advice=advice, once=once))

    def jobs_act(self, action: str, jids: Iterable[str], *, about: str, advice: str) -> Sent:
        """Do something to whole jobs (wire reference 2.11)."""
        body = {"action": action, "jobids": list(jids)}
        return self._send(self._request(operations.JOBS_ACT, body=body, about=about, advice=advice))

    def tasks_act(self, action: str, jid: str, tids: Iterable[str], *, about: str, advice: str) -> Sent:
        """Do something to tasks of one job (wire reference 2.11)."""
        body = {"action": action, "jobid": jid, "taskids": list(tids)}
        return self._send(self._request(operations.TASKS_ACT, body=body, about=about, advice=advice))

    def tasks_list(self, filter_text: str) -> Sent:
        """List tasks by a filter such as ``jobLabel_eq_00012`` (wire reference 2.22)."""
        return self._send(self._request(operations.TASKS_LIST, query=_filter(filter_text)))

    def logs_get(self, jid: str, tid: str, from_line: int) -> Sent:
        """Read the log of a task from a line on, counted from 0 (wire reference 2.10)."""
        query = {"job": jid, "task": tid, "num_lines[]": str(from_line)}
        return self.transport.send(
            self._request(operations.LOGS_GET, query=query, about=f"task {tid} of job {jid}")
        )

    def billing_get_usage(self, first: str, end: str) -> Sent:
        """Ask what ran from a day to before another, as 2026-11-22 (wire reference 2.20)."""
        bounds = [
            {"field": "start_time", "op": ">=", "value": first},
            {"field": "start_time", "op": "<", "value": end},
        ]
        query = {"filter": json.dumps(bounds), "group_by": '["start_time"]', "order_by": "start_time"}
        return self._send(self._request(operations.BILLING_GET_USAGE, query=query))

    def billing_get_storage_usage(self, first: str, end: str) -> Sent:
        """Ask what was stored from a day to before another, as 2026-11-22 (wire reference 2.20)."""
        return self.transport.send(
            self._request(operations.BILLING_GET_STORAGE_USAGE, query={"start": first, "end": end})
        )

    def files_get_upload_urls(self, files: Mapping[str, tuple[str, int]], project: str | None) -> Sent:
        """Ask where to put files, by path with md5 (base64) and size in bytes; at most 20 (wire reference 2.5)."""
        entries = [{"path": path, "hash": md5, "size": size} for path, (md5, size) in files.items()]
        return self.transport.send(
            self._request(
                operations.FILES_GET_UPLOAD_URLS, body={"upload_files": entries, "project": project}
            )
        )

    def files_complete_multipart(
        self, upload_id: str, md5: str, etags: Mapping[int, str], *, about: str
    ) -> Sent:
        """Say that all parts of a file are there, with their ETags by number (wire reference 2.7)."""
        parts = [{"partNumber": number, "etag": etag} for number, etag in sorted(etags.items())]
        body = {"uploadID": upload_id, "hash": md5, "completedParts": parts, "project": None}
        return self._send(self._request(operations.FILES_COMPLETE_MULTIPART, body=body, about=about))

    def objects_put(self, url: str, body: OpenBody, *, size: int, md5: str | None, about: str) -> Sent:
        """Send a file's bytes to a signed URL, with the md5 where the store is to check it (wire reference 2.6)."""
        headers = _BYTES if md5 is None else {**_BYTES, "Content-MD5": md5}
        return self.transport.send(
            self._request(
                operations.OBJECTS_PUT, url=url, body=body, length=size, headers=headers, about=about
            )
        )

    def objects_put_part(self, url: str, body: OpenBody, *, size: int, about: str) -> Sent:
        """Send a part of a file to a signed URL (wire reference 2.6)."""
        return self.transport.send(
            self._request(
                operations.OBJECTS_PUT_PART, url=url, body=body, length=size, headers=_BYTES, about=about
            )
        )

    def objects_get(self, url: str, into: Sink, *, about: str) -> Sent:
        """Fetch a file's bytes, or what the sink misses of them, from a signed URL (wire reference 2.19)."""
        return self.transport.send(
            self._request(operations.OBJECTS_GET, url=url, headers=_AS_STORED, into=into, about=about)
        )

    def downloads_page(
        self, jid: str, tids: Iterable[str] | None, *, limit: int, cursor: str | None = None
    ) -> Sent:
        """List up to ``limit`` completed tasks of a job, or of these tasks of it (wire reference 2.14)."""
        query = {
            **({"limit": str(limit)} if limit > 1 else {}),
            **({"start_cursor": cursor} if cursor else {}),
        }
        body = {"tids": None if tids is None else list(tids)}
        return self.transport.send(
            self._request(operations.DOWNLOADS_PAGE, path={"jid": jid}, query=query, body=body)
        )

    def downloads_next(self, location: str | None, *, count: int) -> Sent:
        """Be handed up to ``count`` tasks that nobody fetched yet, of jobs of this location (wire reference 2.15).

        Nobody else is offered them until they are reported ``pending`` or a time has passed without a report. Not
        repeated when the answer is lost: then OutcomeUnknownError, and what was handed out comes back by itself.
        """
        query = {"count": str(count), **({"location": location} if location else {})}
        return self._send(self._request(operations.DOWNLOADS_NEXT, query=query))

    def downloads_report(self, download_id: str, status: str, *, bytes_to_download: int) -> Sent:
        """Say what became of a task's outputs (wire reference 2.17)."""
        body = {
            "download_id": download_id,
            "status": status,
            "bytes_downloaded": 0,
            "bytes_to_download": bytes_to_download,
        }
        return self._send(self._request(operations.DOWNLOADS_REPORT, body=body))

    def uploads_next(self, location: str | None) -> Sent:
        """Claim the files of a job of this location (wire reference 2.12).

        Not repeated when the answer is lost: then OutcomeUnknownError, and the claim runs out by itself.
        """
        return self.transport.send(
            self._request(operations.UPLOADS_NEXT, body={"location": location or None})
        )

    def uploads_update(self, upload_id: str, *, bytes_to_send: int, bytes_sent: int) -> Sent:
        """Say how far an upload is, which keeps the claim (wire reference 2.13)."""
        # The spelling of the last name is the protocol's.
        body = {"upload_id": upload_id, "transfer_size": bytes_to_send, "bytes_transfered": bytes_sent}
        return self.transport.send(
            self._request(operations.UPLOADS_UPDATE, path={"upload_id": upload_id}, body=body)
        )

    def uploads_finish(self, upload_id: str, md5s: Mapping[str, str]) -> Sent:
        """Say that all files are there, with their md5s (base64) by path: the job goes on (wire reference 2.13)."""
        files = {path: {"source": path, "md5": md5} for path, md5 in md5s.items()}
        body = {"upload_id": upload_id, "status": "server_pending", "upload_files": files}
        return self.transport.send(
            self._request(operations.UPLOADS_FINISH, path={"upload_id": upload_id}, body=body)
        )

    def uploads_fail(self, upload_id: str, reason: str) -> Sent:
        """Say that the files cannot be brought, and why: the job fails (wire reference 2.13)."""
        # The body is the text as it is.
        content = reason.encode("utf-8", "replace")
        return self.transport.send(
            self._request(operations.UPLOADS_FAIL, path={"upload_id": upload_id}, body=content)
        )


def _filter(text: str) -> dict[str, str]:
    return {"filter": text} if text else {}
