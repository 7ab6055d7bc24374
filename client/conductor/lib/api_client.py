"""The service's calls, one method each, and the functions that the documented API names."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

from conductor.lib.cancellation import Cancellation
from conductor.lib.config import Config
from conductor.lib.exceptions import LoginError
from conductor.lib.login.credentials import SCOPE, ApiKey, TokenSource, account_of, api_key
from conductor.lib.submission.send import Ledger, Submission
from conductor.lib.upload.plan import UploadPlan, is_s3_style, parse_plan
from conductor.lib.wire.operations import (
    ACCOUNTS_GET,
    AUTH_TOKEN,
    FILES_COMPLETE_MULTIPART,
    FILES_GET_UPLOAD_URLS,
    INSTANCE_TYPES_LIST,
    JOBS_LIST,
    OBJECTS_PUT,
    OBJECTS_PUT_PART,
    PACKAGES_LIST,
    PROJECTS_LIST,
    Operation,
)
from conductor.lib.wire.records import object_of, records_of
from conductor.lib.wire.transport import JSON, Call, Sent, Tokens, Transport

_BYTES = {"Content-Type": "application/octet-stream"}


class ApiClient:
    """The service as an object. Close it, or use it as a context manager, to close its connections.

    Without arguments everything comes from the config file and the environment (see ``config``). Methods raise
    the errors of ``exceptions``; which requests are repeated is the table in ``retry``. Safe to use from
    several threads.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        transport: Transport | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        self.config = config or Config.load()
        self.transport = transport or Transport()
        self._tokens = tokens or TokenSource(
            api_key(self.config), api_url=self.config.api_url, fetch=self.fetch_token
        )
        self._ledger = Ledger()

    def __enter__(self) -> ApiClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self.transport.close()

    def branch(self, cancellation: Cancellation) -> ApiClient:
        """Return a client like this one, whose calls end with CancelledError when cancelled. Close both."""
        return ApiClient(self.config, transport=self.transport.branch(cancellation), tokens=self._tokens)

    def call(
        self,
        operation: Operation,
        *,
        path: str = "",
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | bytes | None = None,
        base: str = "",
        about: str = "",
        look_for: str = "",
    ) -> Sent:
        """Make a call of the protocol with the bearer token and return what came back.

        ``path`` is given where it is more than the operation's; ``base`` is the origin, by default that of the
        dashboard. A body of bytes goes as it is. ``about`` and ``look_for`` complete error messages.
        """
        url = f"{base or self.config.url}{path or operation.path}"
        if query:
            url += f"?{urlencode(query, quote_via=quote)}"
        content = json.dumps(body).encode() if isinstance(body, Mapping) else body
        return self.transport.send(
            Call(
                operation,
                url,
                headers=JSON,
                body=content,
                tokens=self._tokens,
                about=about,
                look_for=look_for,
            )
        )

    @property
    def account_id(self) -> str:
        """The account that the token in use speaks for; empty if it names none (wire reference 1.5)."""
        return account_of(self._tokens.token())

    def fetch_token(self, key: ApiKey) -> tuple[str, int]:
        """Exchange an API key for a token and its lifetime in seconds (wire reference 1.1)."""
        query = urlencode(
            {
                "grant_type": "client_credentials",
                "scope": SCOPE,
                "client_id": key.client_id,
                "client_secret": key.private_key,
            }
        )
        sent = self.transport.send(Call(AUTH_TOKEN, f"{self.config.url}{AUTH_TOKEN.path}?{query}"))
        body = object_of(sent)
        token, lifetime = body.get("access_token"), body.get("expires_in")
        try:
            if isinstance(token, str):
                return token, int(lifetime)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            pass
        raise sent.unexpected("access_token must be text and expires_in a number")

    def get_account(self, account_id: str | None = None) -> dict[str, Any]:
        """Return the account's record, such as ``{"name": ...}``; by default that of the token in use.

        Raises LoginError if the token names no account (wire reference 1.5, 1.6).
        """
        account_id = account_id or self.account_id
        if not account_id:
            raise LoginError("accounts.get: the token names no account", operation=ACCOUNTS_GET.id)
        url = f"{self.config.api_url}{ACCOUNTS_GET.path}{quote(account_id, safe='')}"
        sent = self.transport.send(Call(ACCOUNTS_GET, url, headers=JSON, tokens=self._tokens))
        record = object_of(sent).get("data")
        if not isinstance(record, dict):
            raise sent.unexpected("data must be an object")
        return record

    def list_packages(self) -> list[dict[str, Any]]:
        """Return every software package, of all platforms, as the service describes it (wire reference 2.1)."""
        return self._list(PACKAGES_LIST)

    def list_projects(self, statuses: Iterable[str] = ("active",)) -> list[dict[str, Any]]:
        """Return the projects of these statuses, of all if there are none given (wire reference 2.2)."""
        wanted = frozenset(statuses)
        return [
            project for project in self._list(PROJECTS_LIST) if not wanted or project.get("status") in wanted
        ]

    def list_instance_types(self, filter_text: str = "") -> list[dict[str, Any]]:
        """Return the machines there are (wire reference 2.3).

        ``filter_text`` is in the service's grammar: ``gpu.gpu_count=eq:1:int,operating_system=ne:windows``.
        """
        return self._list(INSTANCE_TYPES_LIST, filter_text)

    def list_jobs(self, filter_text: str = "") -> list[dict[str, Any]]:
        """Return jobs (wire reference 2.9). ``filter_text`` is such as ``jid_gt_00011,jid_lt_00013``."""
        return self._list(JOBS_LIST, filter_text)

    def get_upload_urls(self, files: Mapping[str, tuple[str, int]], project: str | None = None) -> UploadPlan:
        """Ask where to put files, by path with md5 (base64) and size in bytes; at most 20 (wire reference 2.5).

        The plan holds only those whose content the service does not have.
        """
        body = {
            "upload_files": [
                {"path": path, "hash": md5, "size": size} for path, (md5, size) in files.items()
            ],
            "project": project,
        }
        sent = self._post(FILES_GET_UPLOAD_URLS, body)
        if sent.answer.status == 204 or not sent.answer.content:
            return UploadPlan()
        try:
            return parse_plan(sent.json(), {path: size for path, (_, size) in files.items()})
        except ValueError as error:
            reason = str(error)
        raise sent.unexpected(reason)

    def put_object(
        self, url: str, path: str, open_body: Callable[[], io.RawIOBase], *, size: int, md5: str
    ) -> None:
        """Send a file's bytes to a signed URL in the style that its text asks for (wire reference 2.6).

        The bearer token is not sent along, as the vendor's clients do: the URL is the permission.
        """
        headers = _BYTES if is_s3_style(url) else {**_BYTES, "Content-MD5": md5}
        self.transport.send(Call(OBJECTS_PUT, url, headers=headers, body=open_body, length=size, about=path))

    def put_part(
        self, url: str, path: str, open_body: Callable[[], io.RawIOBase], *, size: int, number: int
    ) -> str:
        """Send one part of a file and return its ETag, without quotes (wire reference 2.6)."""
        about = f"{path} (part {number})"
        sent = self.transport.send(
            Call(OBJECTS_PUT_PART, url, headers=_BYTES, body=open_body, length=size, about=about)
        )
        etag = sent.answer.headers.get("ETag", "").strip('"')
        if not etag:
            raise sent.unexpected(f"no ETag for part {number} of {path}")
        return etag

    def complete_multipart(self, upload_id: str, path: str, md5: str, etags: Mapping[int, str]) -> None:
        """Tell the service that all parts are there (wire reference 2.7). ``etags`` are by part number."""
        parts = [{"partNumber": number, "etag": etag} for number, etag in sorted(etags.items())]
        body = {"uploadID": upload_id, "hash": md5, "completedParts": parts, "project": None}
        self._post(FILES_COMPLETE_MULTIPART, body, about=path)

    def create_job(self, payload: Mapping[str, Any], *, key: str = "") -> tuple[dict[str, Any], int]:
        """Submit a job and return ``(answer, 201)`` (wire reference 2.8).

        At most one job is made (``submission``): where that cannot be told, OutcomeUnknownError says what to look
        for. ``key`` is the Idempotency-Key, a new one by default. A 204, which the vendor's clients know, has no
        body and returns ``({}, 204)``.
        """
        submission = Submission(
            self.transport, self._tokens, self.config.url, payload, ledger=self._ledger, key=key
        )
        return submission.send()

    def _list(self, operation: Operation, filter_text: str = "") -> list[dict[str, Any]]:
        return records_of(self.call(operation, query={"filter": filter_text} if filter_text else None))

    def _post(self, operation: Operation, body: Mapping[str, Any], *, about: str = "") -> Sent:
        return self.call(operation, body=body, about=about)


def request_software_packages() -> list[dict[str, Any]]:
    """Return every software package, with the settings of file and environment."""
    with ApiClient() as client:
        return client.list_packages()


def request_projects(statuses: Iterable[str] = ("active",)) -> list[str]:
    """Return the names of the projects of these statuses, with the settings of file and environment.

    Names, as the vendor's function of this name returns them [ran]; ``ApiClient.list_projects`` gives records.
    """
    with ApiClient() as client:
        return [record["name"] for record in client.list_projects(statuses)]


def request_instance_types(filter_text: str = "") -> list[dict[str, Any]]:
    """Return the machines there are, with the settings of file and environment."""
    with ApiClient() as client:
        return client.list_instance_types(filter_text)


def request_jobs(filter_text: str = "") -> list[dict[str, Any]]:
    """Return jobs, with the settings of file and environment."""
    with ApiClient() as client:
        return client.list_jobs(filter_text)


@contextmanager
def client_or_own(client: ApiClient | None) -> Iterator[ApiClient]:
    """Give the client, or a new one with the settings of file and environment that is closed afterwards."""
    if client is not None:
        yield client
        return
    with ApiClient() as own:
        yield own
