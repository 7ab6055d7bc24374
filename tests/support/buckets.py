"""A bucket of a store in this process, to keep contents in; and one in front of which answers go wrong."""

from __future__ import annotations

import http.client
import importlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

from conductor_mock.store.bucket import Bucket, Location
from conductor_mock.store.bucket_objects import BucketObjects
from conductor_mock.store.database import Database
from conductor_mock.store.table_and_bucket import TableAndBucket

NAME = "contents"
ACCOUNT = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-store"}


@cache
def endpoint() -> str:
    """The URL of a store with the bucket `NAME`, started when it is first wanted, for all tests of the process."""
    from moto.server import ThreadedMotoServer

    # Each server has a client of its own, which reads the models of the services: 2 MB of JSON that stay as they are.
    sessions: Any = importlib.import_module("botocore.session")
    sessions.create_loader = cache(sessions.create_loader)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    connection = http.client.HTTPConnection(host, port)
    connection.request("PUT", f"/{NAME}")
    assert connection.getresponse().status == 200
    connection.close()
    return f"http://{host}:{port}"


def store_in_bucket(folder: Path, url: str | None = None, *, most_fetched: int = 1 << 30) -> BucketObjects:
    """A store below a prefix of its own; `folder` is what the server has of its own."""
    return BucketObjects(folder, _new_prefix(url), most_fetched=most_fetched)


def table_and_bucket(folder: Path, database: Database) -> TableAndBucket:
    """The same of a server, with the table of its database."""
    return TableAndBucket(folder, _new_prefix(), database, most_fetched=1 << 30)


def _new_prefix(url: str | None = None) -> Bucket:
    with patch.dict(os.environ, ACCOUNT):
        return Bucket(Location(NAME, f"{os.urandom(8).hex()}/"), url or endpoint())


@dataclass
class Trouble:
    """What a store in front of another one does: nothing but passing on, until it is told otherwise."""

    url: str
    answers: list[tuple[str, int, str]] = field(default_factory=list)
    """Of the next requests of a method: `(method, status, code)`; the status 0 closes the connection."""
    always: tuple[int, str] | None = None
    """Of every request."""
    flips: bool = False
    """Whether one byte of each body that is stored becomes another one, as if the way to the store was bad."""
    way: Callable[[bytes], bytes] | None = None
    """What becomes of each content on its way from the store, whose head stays as it was."""
    drops_ranges: bool = False
    """Whether all of a content comes where a part of it was asked for."""
    held: threading.Event | None = None
    """What each request that stores waits for."""
    seen: list[str] = field(default_factory=list)
    """Methods and paths, in their order."""


@contextmanager
def troubled() -> Iterator[Trouble]:
    """A store whose answers can go wrong, in front of the one of `endpoint`."""
    trouble = Trouble("")
    behind = endpoint().removeprefix("http://")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            return

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            trouble.seen.append(f"{self.command} {self.path}")
            if trouble.held is not None and self.command == "PUT":
                trouble.held.wait()
            wrong = self._wrong()
            if wrong is not None:
                self._refuse(*wrong)
                return
            if trouble.flips and self.command == "PUT" and body:
                body = bytes([body[0] ^ 1]) + body[1:]
            connection = http.client.HTTPConnection(behind)
            headers = dict(self.headers)
            if trouble.drops_ranges:
                headers.pop("Range", None)
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            if trouble.way is not None and self.command == "GET" and "/objects/" in self.path:
                whole, data = data, trouble.way(data)
                self.close_connection = len(data) < len(whole)
            self.wfile.write(data)
            connection.close()

        def _wrong(self) -> tuple[int, str] | None:
            for number, (method, status, code) in enumerate(trouble.answers):
                if method == self.command:
                    del trouble.answers[number]
                    return status, code
            return trouble.always

        def _refuse(self, status: int, code: str) -> None:
            if not status:
                self.close_connection = True
                return
            body = f"<Error><Code>{code}</Code><Message>a-secret-of-the-store</Message></Error>".encode()
            if status == 200:  # a proxy's word
                body = f"<html>{code}</html>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    trouble.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield trouble
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
