"""A fake in this process for tests of the server: time stands still, and every answer is held to the contract."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from flask import Flask

from conductor_contracts.contract import Contract, load_control
from conductor_contracts.contract import load as load_contract
from conductor_contracts.operation import JSON
from conductor_mock.app import close_app, create_app
from conductor_mock.context import service_of
from conductor_mock.farm.ids import account_id
from conductor_mock.farm.state import State
from conductor_mock.service import Service
from conductor_mock.settings import Settings
from conductor_mock.store.turns import give_way

ORIGIN = "http://127.0.0.1:8089"
SECOND = 1_000_000
START_US = 1_767_225_600 * SECOND
"""2026-01-01T00:00:00Z, when every test begins."""

NEWCOMERS = 50
"""So many accounts that were made by `Fake.newcomer` are kept, more than one example uses."""


@dataclass
class ManualWall:
    """A wall clock that moves only when told."""

    us: int = START_US

    def __call__(self) -> int:
        return self.us

    def step(self, seconds: float) -> None:
        """Move by `seconds`; backwards too, as after a correction of the system's clock."""
        self.us += round(seconds * SECOND)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def message(self) -> str:
        """What a refusal says."""
        return str(self.json()["message"])

    @property
    def faults(self) -> dict[str, str]:
        """The details of a refusal: message by path."""
        return {detail["path"]: detail["message"] for detail in self.json()["errors"]}


@dataclass
class ApiCaller:
    """Calls an app as one API key.

    Each answer must be one that the contract documents, with no field that it does not name, and never a defect.
    """

    app: Flask
    client_id: str
    private_key: str
    token: str | None = None
    contract: Contract = field(default_factory=load_contract, repr=False)
    control: Contract = field(default_factory=load_control, repr=False)

    def __post_init__(self) -> None:
        self._client = self.app.test_client(use_cookies=False)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        data: bytes | None = None,
        query: Mapping[str, Any] | str | None = None,
        headers: Mapping[str, str] | None = None,
        environ: Mapping[str, Any] | None = None,
    ) -> Answer:
        """One call: `body` is sent as JSON, `data` as it is; `path` may be an absolute URL of the fake."""
        all_headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None or path.startswith("/_mock/"):
            all_headers["Content-Type"] = "application/json"
        answer = self._send(
            method, path, data, query, {**all_headers, **(headers or {})}, dict(environ or {})
        )
        self._check(method, path, answer)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        data: bytes | None,
        query: Mapping[str, Any] | str | None,
        headers: Mapping[str, str],
        environ: Mapping[str, Any],
    ) -> Answer:
        response = self._client.open(
            path.removeprefix(ORIGIN),
            method=method,
            base_url=ORIGIN,
            data=data,
            query_string=query,
            headers=headers,
            environ_overrides=environ,
        )
        answer = Answer(response.status_code, dict(response.headers), response.get_data())
        response.close()
        return answer

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.request("POST", path, body=body, **options)

    def put(self, path: str, data: bytes, **options: Any) -> Answer:
        return self.request("PUT", path, data=data, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.request("DELETE", path, **options)

    def sign_in(self, **query: str) -> Answer:
        """Ask for a token, and use it from now on if one comes."""
        answer = self.get("/api/oauth_jwt", query={**self.key_query(), **query})
        if answer.status == 200:
            self.token = answer.json()["access_token"]
        return answer

    def key_query(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "scope": "owner admin user",
            "client_id": self.client_id,
            "client_secret": self.private_key,
        }

    def submit(self, **fields: Any) -> Answer:
        """Post a job: a valid one, changed by `fields`; a field given as Ellipsis is left out."""
        return self.post("/jobs/", job_payload(**fields))

    def jobs(self, **query: str) -> list[dict[str, Any]]:
        answer = self.get("/api/v1/jobs", query=query)
        assert answer.status == 200, answer
        records: list[dict[str, Any]] = answer.json()["data"]
        return records

    def upload(self, path: str, content: bytes) -> None:
        """Send a file as a client does, unless the account holds its content."""
        answer = self.post("/api/v2/files/get_upload_urls", {"upload_files": [candidate(path, content)]})
        assert answer.status in (200, 204), answer
        if answer.status == 200:
            (wanted,) = answer.json()["singlePartURLs"]
            put = self.put(
                wanted["preSignedURL"], content, headers={"Content-Type": "application/octet-stream"}
            )
            assert put.status == 200, put

    def upload_url(self, path: str, content: bytes, **fields: Any) -> str:
        """The signed URL for a file that the account does not hold."""
        answer = self.post(
            "/api/v2/files/get_upload_urls", {"upload_files": [{**candidate(path, content), **fields}]}
        )
        assert answer.status == 200, answer
        return str(answer.json()["singlePartURLs"][0]["preSignedURL"])

    def files(self) -> dict[str, str]:
        """The md5 of each file that arrived, by path."""
        answer = self.get("/_mock/files", query={"account": self.client_id})
        return {file["path"]: file["md5"] for file in answer.json()["files"]}

    def _check(self, method: str, path: str, answer: Answer) -> None:
        shown = f"{method} {path[:200]} -> {answer.status} {answer.content[:400]!r}"
        assert answer.status != 500, shown
        assert answer.headers["X-Conductor-Mock"] == "1", shown
        path = path.removeprefix(ORIGIN).partition("?")[0]
        operation = self.contract.find(method, path) or self.control.find(method, path)
        media_type = answer.headers.get("Content-Type", JSON).partition(";")[0]
        body = json.loads(answer.content) if media_type == JSON and answer.content else None
        if operation is not None and method != "HEAD":
            problems = operation.check_response(answer.status, body, media_type)
            assert not problems, f"{shown}: {problems}"
            problems = operation.unknown_answer_fields(answer.status, body)
            assert not problems, f"{shown}: {problems}"
        if answer.status >= 400 and method != "HEAD":
            problems = self.contract.check_error(body)
            assert not problems, f"{shown}: {problems}"


@dataclass
class Fake:
    """An app with what tests want to reach of it."""

    app: Flask
    wall: ManualWall
    _numbers: Iterator[int] = field(default_factory=count)
    _newcomers: deque[ApiCaller] = field(default_factory=deque)

    @property
    def service(self) -> Service:
        return service_of(self.app)

    def state(self, caller: ApiCaller) -> State:
        """What the account of a caller has come to."""
        with self.service.accounts.open(account_id(caller.client_id)) as account:
            return account.state

    def caller(self, client_id: str = "studio", private_key: str = "the key of the studio") -> ApiCaller:
        """A caller with a token."""
        caller = ApiCaller(self.app, client_id, private_key)
        answer = caller.sign_in()
        assert answer.status == 200, answer
        return caller

    def newcomer(self) -> ApiCaller:
        """A caller with a token, in an account that nobody used before.

        The newest few stay: the examples of a property share a fake, and thousands of accounts would fill the memory.
        """
        while len(self._newcomers) >= NEWCOMERS:
            old = self._newcomers.popleft()
            answer = old.post("/_mock/reset", query={"account": old.client_id})
            assert answer.status == 204, answer
        number = next(self._numbers)
        if number % NEWCOMERS == 0:
            self.service.accounts.drop_states()  # an account as new is a state all the same
        caller = self.caller(f"newcomer {number}")
        self._newcomers.append(caller)
        return caller

    def default_caller(self) -> ApiCaller:
        """A caller with the key of the ready file."""
        return self.caller(self.service.keys.client_id, self.service.keys.private_key)

    def anonymous(self) -> ApiCaller:
        """A caller without a token."""
        return ApiCaller(self.app, "studio", "the key of the studio")

    def crash(self) -> None:
        """Have the server end as in a crash: what is in memory is lost, and no snapshot is taken of it."""
        self.service.accounts.drop_states()


@contextmanager
def running(
    wall: ManualWall | None = None, *, give_way: Callable[[], None] = give_way, **settings: Any
) -> Iterator[Fake]:
    """A fake for the length of the block, by default throw-away and at speed 0; closed cleanly at its end.

    `give_way` is called between two slices of long work.
    """
    if "data_dir" not in settings:
        settings["ephemeral"] = True
    wall = wall or ManualWall()
    app = create_app(Settings(**{"speed": 0, **settings}), wall=wall, give_way=give_way)
    try:
        yield Fake(app, wall)
    finally:
        close_app(app)


def claims_of(token: str) -> dict[str, Any]:
    """The claims as clients read them: without a look at the signature."""
    middle = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return claims


def md5_of(content: bytes) -> str:
    """The md5 of a content as the wire writes it."""
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def candidate(path: str, content: bytes) -> dict[str, Any]:
    """One entry of `get_upload_urls`."""
    return {"path": path, "hash": md5_of(content), "size": len(content)}


def job_payload(**fields: Any) -> dict[str, Any]:
    """A valid payload as a newer client sends it, changed by `fields`; Ellipsis leaves a field out."""
    payload = {
        "job_title": "A test",
        "project": "default",
        "instance_type": "n1-standard-2",
        "tasks_data": [{"command": "render -f 8 /proj/a.ma", "frames": "8"}],
        "output_path": "/proj/out",
        "owner": "kim",
        "priority": 5,
        **fields,
    }
    return {name: value for name, value in payload.items() if value is not ...}


def job_file(path: str, content: bytes, **fields: Any) -> dict[str, Any]:
    """One entry of a job's `upload_files`."""
    return {"destination": path, "md5": md5_of(content), "st_size": len(content), "st_mode": 33188, **fields}
