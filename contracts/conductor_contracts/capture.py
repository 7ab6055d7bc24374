"""A recording proxy: it passes requests on to a service, and writes what was asked and answered as interactions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import yaml

from conductor_contracts import json_text
from conductor_contracts.contract import load
from conductor_contracts.interactions import CAPTURED
from conductor_contracts.redaction import Redactor

MAX_BODY = 64 << 20
"""Bytes of a body that are passed on and read, either way; of an upload nothing is kept but that it was."""
CHUNK_BYTES = 64 << 10
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
        # Where PyYAML was built without libyaml it writes U+0085 as a space, unless all that is not ASCII is escaped.
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        unescaped = dumper is not yaml.SafeDumper
        return str(yaml.dump_all(documents, Dumper=dumper, sort_keys=False, allow_unicode=unescaped))


def proxy(upstream: str, recorder: Recorder, port: int = 0) -> ThreadingHTTPServer:
    """A server on loopback that passes every request on to ``upstream`` and records it. Serve and close it.

    By HTTPS its certificate must be good; ``REQUESTS_CA_BUNDLE`` names other authorities. Only what the client sent
    says who it is. Redirects are passed on as they are. URLs in answers stay what they are: what a client sends to
    them goes there.
    """
    base = upstream.rstrip("/")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            refusal = _refusal(self.path, self.headers)
            if refusal:
                self._refuse(*refusal)
                self.close_connection = True  # nobody knows where the next request begins
                return
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {
                name: text for name, text in self.headers.items() if name.lower() not in _OF_THE_CONNECTION
            }
            try:
                with _session() as session:
                    answer = session.request(
                        self.command,
                        base + self.path,
                        headers=headers,
                        data=sent,
                        timeout=TIMEOUT_S,
                        allow_redirects=False,
                        stream=True,
                        proxies=_proxies(base),
                    )
                    content = _content(answer)
            except requests.RequestException as error:
                self._refuse(502, f"upstream {_trouble(error)}")
                return
            if content is None:
                self._refuse(502, f"upstream answered more than {MAX_BODY} bytes, which is not passed on")
                return
            recorder.add(
                _exchange(self.command, self.path, sent, answer.status_code, content),
                self.headers.get("Authorization", ""),
            )
            self._answer(answer.status_code, answer.raw.headers.items(), content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = pass_on

        def _refuse(self, status: int, message: str) -> None:
            body = json.dumps({"status": "error", "message": message, "errors": []}).encode()
            self._answer(status, [("Content-Type", "application/json")], body)

        def _answer(self, status: int, headers: Iterable[tuple[str, str]], content: bytes) -> None:
            is_head, length = self.command == "HEAD", str(len(content))
            self.send_response_only(status)
            for name, text in headers:
                if name.lower() not in _OF_THE_CONNECTION:
                    self.send_header(name, text)
                elif is_head and name.lower() == "content-length":
                    length = text  # of what a GET would have
            if status not in (204, 304):
                self.send_header("Content-Length", length)
            self.end_headers()
            if not is_head:
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a request line may hold a secret."""

    return _Server(("127.0.0.1", port), Handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that went away: what was under way may hold a secret."""


def _refusal(target: str, headers: Message) -> tuple[int, str] | None:
    """The status and reason why a request is not passed on; None if it is."""
    length = headers.get("Content-Length") or "0"
    if not target.startswith("/"):
        return 400, "a request is passed on for a path that begins with / only"
    if "Transfer-Encoding" in headers:
        return 411, "a body without a length is not passed on; send it with Content-Length"
    if not (length.isascii() and length.isdigit()):
        return 400, "the Content-Length is no number"
    if len(length) > len(str(MAX_BODY)) or int(length) > MAX_BODY:
        return 413, f"a body of more than {MAX_BODY} bytes is not passed on"
    return None


def _session() -> requests.Session:
    """A session that finds proxies and authorities as others do, but adds no password: the client's token goes."""
    session = requests.Session()
    session.auth = _as_it_is
    return session


def _proxies(base: str) -> dict[str, str]:
    """No proxies to this machine, where none of the environment leads; else those of the environment."""
    is_here = urlsplit(base).hostname in ("127.0.0.1", "localhost", "::1")
    return {"http": "", "https": ""} if is_here else {}


def _content(answer: requests.Response) -> bytes | None:
    """The body of an answer, None where it is longer than is passed on."""
    content = bytearray()
    for piece in answer.iter_content(CHUNK_BYTES):
        content += piece
        if len(content) > MAX_BODY:
            return None
    return bytes(content)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """In place of what a .netrc would put over the client's own Authorization."""
    return request


def _trouble(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "has no certificate that is good here; REQUESTS_CA_BUNDLE may name a file of its authority"
    return f"gave no answer ({type(error).__name__})"


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
    """A body as JSON; None for none and for what is none, such as a file, or more than JSON can carry."""
    try:
        return json_text.read(data)
    except json_text.JsonTextError:
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
                "source": CAPTURED,
                "safe": False,
                "steps": [{"request": request, "expect": expect}],
            }
        )
    return [{"operation": name, "interactions": listed} for name, listed in found.items()]
