"""Counts of requests by operation and status, and how long they took: numbers alone, whoever asked for what.

What a label can say is bounded: an operation is one that the server has a route for, or `none`.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from typing import cast

from flask import Flask, Response, current_app, g, request

from conductor_mock.wire.prometheus import Family, Sample

EXTENSION = "conductor_mock_measuring"
BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the parts of a histogram of seconds; the last part has none."""
NO_ROUTE = "none"


class Measured:
    """What a server has answered since it started. Safe in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._times: defaultdict[str, list[int]] = defaultdict(lambda: [0] * (len(BOUNDS_S) + 1))
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._received: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()

    def note(self, operation: str, status: int, *, seconds: float, received: int, sent: int) -> None:
        """Count one answer: how long it took, and the bytes of the two bodies."""
        part = bisect_left(BOUNDS_S, seconds)
        with self._lock:
            self._answers[operation, status] += 1
            self._times[operation][part] += 1
            self._seconds[operation] += seconds
            self._received[operation] += received
            self._sent[operation] += sent

    def families(self) -> list[Family]:
        """All of it, as one moment had it."""
        with self._lock:
            return [
                Family(
                    "conductor_mock_requests_total",
                    "counter",
                    "Requests that were answered, by operation of the contract and status.",
                    [
                        Sample(count, {"operation": operation, "status": str(status)})
                        for (operation, status), count in sorted(self._answers.items())
                    ],
                ),
                Family(
                    "conductor_mock_request_duration_seconds",
                    "histogram",
                    "How long the answers took, without what a fault adds.",
                    list(self._histogram()),
                ),
                _by_operation(
                    "conductor_mock_received_bytes_total", "Bytes of the bodies of requests.", self._received
                ),
                _by_operation(
                    "conductor_mock_sent_bytes_total", "Bytes of the bodies of answers.", self._sent
                ),
            ]

    def _histogram(self) -> Iterator[Sample]:
        for operation, parts in sorted(self._times.items()):
            so_far = 0
            for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), parts, strict=True):
                so_far += count
                yield Sample(so_far, {"operation": operation, "le": bound}, "_bucket")
            yield Sample(self._seconds[operation], {"operation": operation}, "_sum")
            yield Sample(so_far, {"operation": operation}, "_count")


def measured() -> Measured:
    """The counts of the server that answers this request."""
    return cast(Measured, current_app.extensions[EXTENSION])


def measure_requests(app: Flask) -> None:
    """Count every request that comes to the app."""
    counts = app.extensions[EXTENSION] = Measured()
    app.before_request(_start)
    app.after_request(partial(_note, counts))


def _start() -> None:
    g.measured_since = time.perf_counter()


def since() -> float:
    """When the app began with this request (`time.perf_counter`)."""
    return cast(float, g.measured_since)


def _note(counts: Measured, response: Response) -> Response:
    noted = g.get
    stored = noted("stored")  # what a streamed body was
    counts.note(
        request.endpoint or NO_ROUTE,
        response.status_code,
        seconds=time.perf_counter() - since(),
        received=stored["size"] if stored else len(noted("raw_body", b"")),
        sent=response.content_length or 0,
    )
    return response


def _by_operation(name: str, meaning: str, counts: Counter[str]) -> Family:
    samples = [Sample(count, {"operation": operation}) for operation, count in sorted(counts.items())]
    return Family(name, "counter", meaning, samples)
