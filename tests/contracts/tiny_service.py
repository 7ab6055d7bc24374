"""The least service that keeps the contract, as a transport adapter of requests: no socket, no thread.

It is there to be broken: each of FLAWS breaks it in one way that an interaction must notice. Nothing of the
real fake is in it, so that the interactions are tried against two servers by different hands.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import BaseAdapter

from conductor_contracts.contract import load

BASE_URL = "http://tiny.test:8089"
KEY = {"client_id": "tester", "private_key": "-----BEGIN KEY-----\nabc\n-----END KEY-----"}
ACCOUNT = "5144551201"

FLAWS = (
    "jobs.create answers 200",
    "job ids are not padded",
    "every job has the same id",
    "job status is not success",
    "kmsKeyName is null",
    "any md5 is stored",
    "signatures are not checked",
    "forged tokens are taken",
    "packages want a token",
    "a slash is redirected",
    "uploads are known by path",
    "lower bounds are inclusive",
    "upper bounds are inclusive",
    "refusals are HTML",
    "refusals name no place",
    "filters of machines are ignored",
    "unknown fields are refused",
    "null addresses are refused",
    "numbers as texts are refused",
    "a token at a signed URL is refused",
    "the audience is localhost",
    "expires_in is missing",
    "memory is null",
    "an unknown route answers 200",
    "nothing to upload answers 404",
    "an odd status",
    "deep nesting answers 500",
    "any key is taken",
    "a wrong method is taken",
    "job lists ignore the filter",
    "job lists ignore metadata",
    "chunked bodies look empty",
    "any batch size is taken",
    "the right method is not named",
)


@dataclass(frozen=True)
class Answer:
    """A status with a JSON body (None for none, bytes as they are) and headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, message: str, *places: str, **headers: str) -> Answer:
    """The one error shape."""
    errors = [{"path": place, "message": message} for place in places]
    return Answer(status, {"status": "error", "message": message, "errors": errors}, headers)


class TinyService(BaseAdapter):
    """Answers every request itself; ``flaw`` is None or one of FLAWS."""

    def __init__(self, flaw: str | None = None) -> None:
        super().__init__()
        assert flaw is None or flaw in FLAWS
        self.flaw = flaw
        self.held: set[str] = set()
        self.held_paths: set[str] = set()
        self.jobs: list[dict[str, Any]] = []
        self.metadata: dict[str, dict[str, str]] = {}
        self.seen: list[requests.PreparedRequest] = []

    def session(self) -> requests.Session:
        """A session that talks to this service alone."""
        session = requests.Session()
        session.mount(BASE_URL, self)
        return session

    def send(self, request: requests.PreparedRequest, *_args: Any, **_options: Any) -> requests.Response:
        """Answer a request as if it had gone over a wire."""
        self.seen.append(request)
        url = urlsplit(request.url or "")
        answer = self._answer(request, url.path, dict(parse_qsl(url.query, keep_blank_values=True)))
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        if isinstance(answer.body, bytes):
            content = answer.body
        else:
            content = b"" if answer.body is None else json.dumps(answer.body).encode()
        if self.flaw == "refusals are HTML" and answer.status >= 400:
            content = b"<h1>No</h1>"
        response.raw = io.BytesIO(content)
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is open."""

    def _answer(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        contract = load()
        method = request.method or ""
        if self.flaw == "a slash is redirected" and path == "/api/v1/projects":
            return Answer(308, None, {"Location": f"{BASE_URL}/api/v1/projects/"})
        operation = contract.find(method, path)
        if operation is None:
            nearest = next((one for one in contract.operations.values() if one.matches(path)), None)
            if nearest and self.flaw == "a wrong method is taken":
                return Answer(200, {"data": []})
            if nearest:
                allowed = {} if self.flaw == "the right method is not named" else {"Allow": nearest.method}
                return refusal(405, f"{method} is not allowed", **allowed)
            return (
                Answer(200, {})
                if self.flaw == "an unknown route answers 200"
                else refusal(404, "no such route")
            )
        if self.flaw == "an odd status" and operation.id == "projects.list":
            return Answer(206, {"data": []})
        header = request.headers.get("Authorization")
        optional = operation.authentication == "optional" and self.flaw != "packages want a token"
        excused = operation.authentication == "never" or (header is None and optional)
        if not excused and not self._is_valid((header or "").removeprefix("Bearer ")):
            return refusal(401, "no valid token")
        handler = getattr(self, "_" + operation.id.replace(".", "_"))
        answer: Answer = handler(request, path, query)
        return answer

    def _is_valid(self, token: str) -> bool:
        if self.flaw == "forged tokens are taken" and token.count(".") == 2:
            return True
        return token == self._token()

    def _token(self) -> str:
        def part(data: bytes) -> str:
            return base64.urlsafe_b64encode(data).decode().rstrip("=")

        audience = "http://localhost:8089" if self.flaw == "the audience is localhost" else BASE_URL
        claims = json.dumps({"aud": audience, "account": ACCOUNT}).encode()
        text = ".".join([part(b'{"alg":"HS256"}'), part(claims)])
        return f"{text}.{part(_signature(text).encode())}"

    def _auth_token(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        problems = load().operations["auth.token"].check_query(query)
        if problems:
            return refusal(400, "the query is wrong", *(problem.path for problem in problems))
        if query["client_secret"] != KEY["private_key"] and self.flaw != "any key is taken":
            return refusal(401, "another key")
        token = {"access_token": self._token(), "expires_in": 3600}
        if self.flaw == "expires_in is missing":
            del token["expires_in"]
        return Answer(200, token)

    def _accounts_get(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        if not path.endswith(f"/{ACCOUNT}"):
            return refusal(404, "no such account")
        return Answer(200, {"data": {"name": "Tiny"}})

    def _packages_list(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        example = _example("/api/v1/ee/packages", "get")
        return Answer(200, {"data": [*example["data"], {**example["data"][0], "plugin_host_product": ""}]})

    def _projects_list(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        return Answer(200, _example("/api/v1/projects/", "get"))

    def _instance_types_list(
        self, request: requests.PreparedRequest, path: str, query: dict[str, str]
    ) -> Answer:
        machines = [
            {**record, "cores": cores}
            for record in _example("/api/v1/instance-types", "get")["data"]
            for cores in (2, 8, 16)
        ]
        if self.flaw == "memory is null":
            machines[0]["memory"] = None
        for term in filter(None, query.get("filter", "").split(",")):
            if "=" not in term:
                return refusal(400, "no filter", "filter")
            if self.flaw != "filters of machines are ignored":
                machines = [one for one in machines if _fits(one, term)]
        return Answer(200, {"data": machines})

    def _files_get_upload_urls(
        self, request: requests.PreparedRequest, path: str, query: dict[str, str]
    ) -> Answer:
        body, refused = self._json(request, "files.get_upload_urls")
        if refused:
            return refused
        known = self.held_paths if self.flaw == "uploads are known by path" else self.held
        name = "path" if self.flaw == "uploads are known by path" else "hash"
        urls = [
            {"filePath": one["path"], "fileSize": one["size"], "preSignedURL": _signed(one)}
            for one in body["upload_files"]
            if one[name] not in known
        ]
        self.held_paths.update(one["path"] for one in body["upload_files"])
        if not urls:
            return refusal(404, "nothing") if self.flaw == "nothing to upload answers 404" else Answer(204)
        answer: dict[str, Any] = {"singlePartURLs": urls, "multiPartURLs": []}
        return Answer(200, {**answer, "kmsKeyName": None} if self.flaw == "kmsKeyName is null" else answer)

    def _objects_put(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        digest = path.rpartition("/")[2]
        if self.flaw == "a token at a signed URL is refused" and "Authorization" in request.headers:
            return refusal(401, "no token wanted")
        wanted = _signature(f"{digest} {query.get('size')}")
        if query.get("signature") != wanted and self.flaw != "signatures are not checked":
            return refusal(403, "the signature is wrong")
        content = _content(request.body)
        if self.flaw == "chunked bodies look empty" and not isinstance(request.body, (bytes, str)):
            content = b""
        right = hashlib.md5(content).hexdigest() == digest
        declared = request.headers.get("Content-MD5")
        encoded = base64.b64encode(bytes.fromhex(digest)).decode()
        if not (right and declared in (None, encoded)) and self.flaw != "any md5 is stored":
            return refusal(400, "the md5 is wrong")
        self.held.add(encoded)
        return Answer(200)

    def _jobs_create(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        body, refused = self._json(request, "jobs.create")
        if refused:
            return refused
        number = 1 if self.flaw == "every job has the same id" else len(self.jobs) + 1
        jid = str(number) if self.flaw == "job ids are not padded" else f"{number:05}"
        record = {name: body.get(name) for name in ("project", "owner", "output_path")}
        tasks = len(body.get("tasks_data") or [])
        record |= {"jid": jid, "title": body.get("job_title"), "status": "pending", "tasks": tasks}
        self.jobs.append(record)
        self.metadata[jid] = body.get("metadata") or {}
        status = "ok" if self.flaw == "job status is not success" else "success"
        answer = {"body": "job submitted.", "jobid": jid, "status": status, "uri": f"/jobs/{jid}"}
        return Answer(200 if self.flaw == "jobs.create answers 200" else 201, answer)

    def _jobs_list(self, request: requests.PreparedRequest, path: str, query: dict[str, str]) -> Answer:
        jobs = self.jobs
        for term in filter(None, query.get("filter", "").split(",")):
            match = re.fullmatch(r"(metadata\.\w+?|\w+?)_(eq|gt|lt)_(.*)", term)
            if match is None:
                return refusal(400, "no filter", "filter")
            name, operator, value = match.groups()
            if name == "jid" and self.flaw != "job lists ignore the filter":
                jobs = [job for job in jobs if self._compares(job["jid"], operator, value)]
            key = name.removeprefix("metadata.")
            if key != name and self.flaw != "job lists ignore metadata":
                has = [(job, self.metadata[job["jid"]].get(key)) for job in jobs]
                jobs = [
                    job for job, have in has if have is not None and self._compares(have, operator, value)
                ]
        return Answer(200, {"data": jobs})

    def _compares(self, have: str, operator: str, want: str) -> bool:
        inclusive = {"gt": "lower bounds are inclusive", "lt": "upper bounds are inclusive"}.get(operator)
        if inclusive and self.flaw == inclusive and have == want:
            return True
        return {"eq": have == want, "gt": have > want, "lt": have < want}[operator]

    def _json(self, request: requests.PreparedRequest, operation: str) -> tuple[Any, Answer | None]:
        try:
            body = json.loads(_content(request.body))
        except RecursionError:
            return None, refusal(500 if self.flaw == "deep nesting answers 500" else 400, "too deep", "")
        except ValueError:
            return None, refusal(400, "not JSON", "")
        places = [problem.path for problem in load().operations[operation].check_request(body)]
        places += self._strictness(operation, body) if not places else []
        batch = operation == "files.get_upload_urls" and places == ["/upload_files"]
        if self.flaw == "any batch size is taken" and batch and body["upload_files"]:
            places = []
        if not places:
            return body, None
        return None, refusal(
            400, "the body is wrong", *([] if self.flaw == "refusals name no place" else places)
        )

    def _strictness(self, operation: str, body: dict[str, Any]) -> list[str]:
        """Refusals of what must be taken."""
        if self.flaw == "unknown fields are refused":
            return [unknown.path for unknown in load().operations[operation].unknown_fields(body)]
        if self.flaw == "null addresses are refused" and (body.get("notify") or {}).get("emails", []) is None:
            return ["/notify/emails"]
        if self.flaw == "numbers as texts are refused" and isinstance(body.get("priority"), str):
            return ["/priority"]
        return []


def _content(body: str | bytes | Iterable[bytes] | None) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else b"".join(body)


def _signature(text: str) -> str:
    return hmac.new(b"tiny", text.encode(), "sha256").hexdigest()


def _signed(entry: dict[str, Any]) -> str:
    digest, size = base64.b64decode(entry["hash"]).hex(), entry["size"]
    signature = _signature(f"{digest} {size}")
    return f"{BASE_URL}/objects/{ACCOUNT}/{digest}?expires=4102444800&size={size}&signature={signature}"


def _fits(record: dict[str, Any], term: str) -> bool:
    name, _, condition = term.partition("=")
    operator, value = condition.split(":")[:2]
    have: Any = record
    for step in {"cpu": "cores"}.get(name, name).split("."):
        have = have.get(step) if isinstance(have, dict) else None
    if have is None:
        return False
    if operator == "gte":
        return int(have) >= int(value)
    return (str(have) == value) == (operator == "eq")


def _example(path: str, method: str) -> dict[str, Any]:
    answer = load().document["paths"][path][method]["responses"]["200"]
    example: dict[str, Any] = answer["content"]["application/json"]["example"]
    return json.loads(json.dumps(example))  # type: ignore[no-any-return]
