"""A recording proxy: it passes requests on to a service, and writes what was asked and answered as interactions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import yaml

from conductor_contracts.contract import load
from conductor_contracts.redaction import Redactor

MAX_BODY = 64 << 20
"""Bytes of a body that are passed on and read; of an upload nothing is kept but that it was."""
TIMEOUT_S = 300.0
_OF_THE_CONNECTION = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host", "upgrade"}
    | {"te", "trailer", "proxy-authorization", "proxy-authenticate", "accept-encoding"}
)


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as they went over the wire; bodies are JSON, None where they are not."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int
    answer: Any


class Recorder:
    """What was recorded so far. Safe to use from several threads."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._headers: list[str] = []
        self._lock = Lock()

    def add(self, exchange: Exchange, authorization: str = "") -> None:
        """Record an exchange; ``authorization`` is that header, which is only remembered to be left out."""
        with self._lock:
            self._exchanges.append(exchange)
            self._headers.append(authorization)

    def interactions(self) -> str:
        """Everything so far as one YAML document for each operation, with nothing secret or private in it."""
        with self._lock:
            exchanges, headers = list(self._exchanges), list(self._headers)
        redactor = Redactor()
        for exchange, header in zip(exchanges, headers, strict=True):
            redactor.learn({"authorization": header})
            for part in (dict(exchange.query), exchange.body, exchange.answer):
                redactor.learn(part)
        documents = _documents([_cleaned(one, redactor) for one in exchanges])
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        return str(yaml.dump_all(documents, Dumper=dumper, sort_keys=False, allow_unicode=True))


def proxy(upstream: str, recorder: Recorder, port: int = 0) -> ThreadingHTTPServer:
    """A server on loopback that passes every request on to ``upstream`` and records it. Serve and close it.

    Redirects are passed on as they are. URLs in answers stay what they are: what a client sends to them goes there.
    """
    base = upstream.rstrip("/")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > MAX_BODY or "Transfer-Encoding" in self.headers:
                self._answer(413, {}, b"")
                self.close_connection = True
                return
            sent = self.rfile.read(length)
            headers = {
                name: text for name, text in self.headers.items() if name.lower() not in _OF_THE_CONNECTION
            }
            try:
                with requests.Session() as session:
                    session.trust_env = urlsplit(base).hostname not in ("127.0.0.1", "localhost")
                    answer = session.request(
                        self.command,
                        base + self.path,
                        headers=headers,
                        data=sent,
                        timeout=TIMEOUT_S,
                        allow_redirects=False,
                    )
            except requests.RequestException as error:
                message = {
                    "status": "error",
                    "message": f"upstream gave no answer ({type(error).__name__})",
                    "errors": [],
                }
                self._answer(502, {"Content-Type": "application/json"}, json.dumps(message).encode())
                return
            recorder.add(
                _exchange(self.command, self.path, sent, answer.status_code, answer.content),
                self.headers.get("Authorization", ""),
            )
            self._answer(answer.status_code, answer.headers, answer.content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = pass_on

        def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response_only(status)
            for name, text in headers.items():
                if name.lower() not in _OF_THE_CONNECTION:
                    self.send_header(name, text)
            if status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a request line may hold a secret."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def _exchange(method: str, target: str, sent: bytes, status: int, content: bytes) -> Exchange:
    parts = urlsplit(target)
    return Exchange(
        method,
        parts.path,
        dict(parse_qsl(parts.query, keep_blank_values=True)),
        _json(sent),
        status,
        _json(content),
    )


def _json(data: bytes) -> Any:
    """A body as JSON; None for none and for what is none, such as a file."""
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return None


def _cleaned(exchange: Exchange, redactor: Redactor) -> Exchange:
    return Exchange(
        exchange.method,
        "/".join(redactor.clean(part) for part in exchange.path.split("/")),
        redactor.clean(dict(exchange.query)),
        redactor.clean(exchange.body),
        exchange.status,
        redactor.clean(exchange.answer),
    )


def _documents(exchanges: Sequence[Exchange]) -> list[dict[str, Any]]:
    """A document in the form of interactions for each operation, in the order in which they were first asked for."""
    contract = load()
    found: dict[str | None, list[dict[str, Any]]] = {}
    for exchange in exchanges:
        operation = contract.find(exchange.method, exchange.path)
        name = operation.id if operation else None
        listed = found.setdefault(name, [])
        request: dict[str, Any] = {"method": exchange.method, "path": exchange.path}
        if exchange.query:
            request["query"] = dict(exchange.query)
        if exchange.body is not None:
            request["body"] = exchange.body
        expect: dict[str, Any] = {"status": exchange.status}
        if exchange.answer is not None:
            expect["body"] = exchange.answer
        listed.append(
            {
                "name": f"captured {len(listed) + 1}",
                "source": "a capture",
                "safe": False,
                "steps": [{"request": request, "expect": expect}],
            }
        )
    return [{"operation": name, "interactions": listed} for name, listed in found.items()]
