"""A store of canned answers below the real client of the library: what a bucket sends, with no network between."""

from __future__ import annotations

import importlib
import io
import os
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, unquote, urlsplit

from conductor_mock.store.bucket import Bucket, Location

ENDPOINT = "http://store.example:9000"
NAME = "contents"
ACCOUNT = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-store"}


@dataclass(frozen=True)
class Sent:
    """A request as it would have gone out; `url` is without its query."""

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Canned:
    """Answers in their order, and what was sent for them. An error among them is raised in place of an answer."""

    answers: deque[Callable[[Sent], Any]] = field(default_factory=deque)
    sent: list[Sent] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    """Those of the answers, which whoever asked has to close."""

    def bucket(self, prefix: str = "farm/", *, endpoint: str | None = ENDPOINT) -> Bucket:
        """A bucket whose requests come here."""
        sessions: Any = importlib.import_module("botocore.session")
        with (
            patch.dict(os.environ, {"AWS_EC2_METADATA_DISABLED": "true", **ACCOUNT}),
            # It reads the models of the services: 2 MB of JSON that stay as they are.
            patch.object(sessions, "create_loader", _loader(sessions.create_loader)),
        ):
            bucket = Bucket(Location(NAME, prefix), endpoint)
        bucket._client.meta.events.register("before-send.s3", self._answered)
        return bucket

    def answer(
        self,
        status: int = 200,
        body: bytes | str = b"",
        also: Mapping[str, str] = MappingProxyType({}),
        **headers: str,
    ) -> None:
        """What comes next, with these headers and `also` those; `_` in the name of one is a hyphen."""
        data = body.encode() if isinstance(body, str) else body
        told = {name.replace("_", "-"): value for name, value in {**headers, **also}.items()}
        self.answers.append(lambda sent: self._made(sent, status, told, data))

    def refuse(self, status: int, code: str) -> None:
        """An error of a store."""
        self.answer(status, f"<Error><Code>{code}</Code><Message>at {ENDPOINT}</Message></Error>")

    def fail(self, error: Exception) -> None:
        """No answer."""

        def failed(sent: Sent) -> None:
            raise error

        self.answers.append(failed)

    def meanwhile(self, work: Callable[[], object]) -> None:
        """Before the answer that is given next."""
        answer = self.answers.pop()

        def after(sent: Sent) -> Any:
            work()
            return answer(sent)

        self.answers.append(after)

    def _made(self, sent: Sent, status: int, headers: dict[str, str], data: bytes) -> Any:
        requests: Any = importlib.import_module("botocore.awsrequest")
        responses: Any = importlib.import_module("urllib3.response")
        if sent.method == "HEAD":
            data = b""
        else:
            headers = {"Content-Length": str(len(data)), **headers}
        raw = responses.HTTPResponse(
            body=io.BytesIO(data), headers=headers, preload_content=False, request_method=sent.method
        )
        self.bodies.append(raw)
        return requests.AWSResponse(sent.url, status, headers, raw)

    def _answered(self, request: Any, **_: object) -> Any:
        url, body = urlsplit(request.url), request.body
        sent = Sent(
            request.method,
            unquote(url._replace(query="").geturl()),
            dict(parse_qsl(url.query, keep_blank_values=True)),
            {
                name.lower(): value.decode() if isinstance(value, bytes) else str(value)
                for name, value in request.headers.items()
            },
            body.read() if hasattr(body, "read") else body or b"",
        )
        self.sent.append(sent)
        return self.answers.popleft()(sent)


@cache
def _loader(create: Callable[[], Any]) -> Callable[[], Any]:
    return cache(create)
