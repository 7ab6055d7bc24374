"""A farm's outputs in a few lines, behind ``responses``: listed, handed out, fetched, reported; with bad luck."""

from __future__ import annotations

import io
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import requests
import responses

from support.client_world import URL, md5_of

Reply = tuple[int, dict[str, str], Any]
STORE = "http://store.test"


@dataclass
class FakeOutputs:
    """Outputs by job, task and relative path, all below ``output_dir``.

    ``luck`` is what happens to the next fetches, one after another: ``None`` nothing, a status, ``drop:N`` (the
    connection breaks after N bytes), ``spoil`` (another first byte), ``short`` (ends early, and says that it is
    all), ``whole`` (ranges are not honoured), ``shifted`` (another range than was asked for).
    """

    output_dir: str
    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    luck: deque[str | int | None] = field(default_factory=deque)
    page_size: int = 1000
    generation: int = 1
    fetches: list[tuple[str, str]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    pages: list[dict[str, Any]] = field(default_factory=list)
    handed_out: set[str] = field(default_factory=set)
    sent: int = 0
    on_fetch: Callable[[], None] = lambda: None
    """Called before a file is sent."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def add(self, name: str, content: bytes, *, task: str = "000", job: str = "00001") -> FakeOutputs:
        """Add an output."""
        self.files.setdefault((job, task), {})[name] = content
        return self

    def install(self, mock: responses.RequestsMock) -> None:
        """Answer for the URL of ``client_world``."""
        mock.add_callback("POST", re.compile(rf"{URL}/jobs/\d+/downloads.*"), self._page)
        mock.add_callback("GET", re.compile(rf"{URL}/downloads/next.*"), self._next)
        mock.add_callback("POST", f"{URL}/downloads/status", self._report)
        mock.add_callback("GET", re.compile(rf"{STORE}/.*"), self._fetch)

    def statuses(self, task: str = "000", job: str = "00001") -> list[str]:
        """What was reported of a task."""
        return [report["status"] for report in self.reports if report["download_id"] == f"d-{job}-{task}"]

    def expire(self) -> None:
        """Make every URL that was handed out invalid."""
        self.generation += 1

    def _page(self, request: requests.PreparedRequest) -> Reply:
        body = json.loads(request.body or "{}")
        job = (request.url or "").split("/jobs/")[1].split("/")[0].zfill(5)
        query: Any = getattr(request, "params", {})
        with self._lock:
            self.pages.append({"job": job, **body, **query})
        tasks = [task for owner, task in sorted(self.files) if owner == job]
        if not tasks:
            return 404, {}, '{"status": "error", "message": "there is no such job"}'
        wanted = [task for task in tasks if body["tids"] is None or task in body["tids"]]
        first = int(query.get("start_cursor", 0))
        last = first + min(self.page_size, int(query.get("limit", 50)))
        cursor = str(last) if last < len(wanted) else None
        records = [self.record(job, task) for task in wanted[first:last]]
        return 201, {}, json.dumps({"downloads": records, "next_cursor": cursor})

    def _next(self, request: requests.PreparedRequest) -> Reply:
        query: Any = getattr(request, "params", {})
        with self._lock:
            waiting = [key for key in sorted(self.files) if f"d-{key[0]}-{key[1]}" not in self.handed_out]
            chosen = waiting[: int(query["count"])]
            self.handed_out.update(f"d-{job}-{task}" for job, task in chosen)
        if not chosen:
            return 204, {}, ""
        return 201, {}, json.dumps({"data": [self.record(*key) for key in chosen]})

    def record(self, job: str, task: str) -> dict[str, Any]:
        """Return a task as the service lists it."""
        common = {"job_id": job, "task_id": task, "output_dir": self.output_dir}
        files = [
            {
                **common,
                "relative_path": name,
                "md5": md5_of(content),
                "size": len(content),
                "url": f"{STORE}/{job}/{task}/{number}?generation={self.generation}",
            }
            for number, (name, content) in enumerate(self.files[job, task].items())
        ]
        size = sum(len(content) for content in self.files[job, task].values())
        return {"download_id": f"d-{job}-{task}", "size": size, "files": files, **common}

    def _report(self, request: requests.PreparedRequest) -> Reply:
        report = json.loads(request.body or "{}")
        with self._lock:
            self.reports.append(report)
            if report["status"] == "pending":
                self.handed_out.discard(report["download_id"])
        return 200, {}, "{}"

    def _fetch(self, request: requests.PreparedRequest) -> Reply:
        job, task, number = (request.url or "").partition("?")[0].removeprefix(f"{STORE}/").split("/")
        self.on_fetch()
        name, content = list(self.files[job, task].items())[int(number)]
        asked = request.headers.get("Range", "")
        with self._lock:
            self.fetches.append((name, asked))
            luck = self.luck.popleft() if self.luck else None
        if f"generation={self.generation}" not in (request.url or ""):
            return 403, {}, "the URL has expired"
        if isinstance(luck, int):
            return luck, {}, "bad luck"
        return self._body(content, asked, luck)

    def _body(self, content: bytes, asked: str, luck: str | None) -> Reply:
        first = int(asked.removeprefix("bytes=").rstrip("-") or 0) if luck != "whole" else 0
        if first and first >= len(content):
            return 416, {}, "there is no such range"
        data = content[first:]
        if luck == "spoil" and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        if luck == "short":
            data = data[:-1]
        shift = 1 if luck == "shifted" else 0
        headers = (
            {"Content-Range": f"bytes {first + shift}-{len(content) - 1}/{len(content)}"} if first else {}
        )
        breaks = int(luck.removeprefix("drop:")) if luck and luck.startswith("drop:") else None
        with self._lock:
            self.sent += len(data) if breaks is None else min(breaks, len(data))
        body: Any = data if breaks is None else io.BufferedReader(_Breaking(data[:breaks]), 1)
        return (206 if first else 200), headers, body


class _Breaking(io.RawIOBase):
    """A body whose connection breaks at its end."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._data.read(len(buffer))
        if not data:
            raise ConnectionResetError("the connection broke")
        buffer[: len(data)] = data
        return len(data)


def luck_of(*events: str | int | None) -> deque[str | int | None]:
    """Return a run of luck."""
    return deque(events)


def here(folder: Any, *, hidden: bool = True) -> dict[str, bytes]:
    """Return every file below a folder by its path there; the hidden ones too, so that no half file is missed."""
    files: Iterable[Any] = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if hidden or not path.name.startswith(".")
    }
