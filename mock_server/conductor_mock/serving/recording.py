"""One journal entry per request to the service: noted when its answer is known, formed when it is written."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from typing import Any

from flask import Flask, Request, Response, g

from conductor_contracts.near_miss import NearMiss
from conductor_mock.context import asked
from conductor_mock.service import Service
from conductor_mock.serving.log_lines import REQUESTS
from conductor_mock.serving.measuring import since
from conductor_mock.store.journal import Body
from conductor_mock.wire.masking import mask_headers, mask_path, mask_query

access = logging.getLogger(REQUESTS)

_ANSWER_BYTES = 4096
"""Answers up to this size are kept; the lists of the catalogue are not worth their space."""

NOT_RECORDED = ("control", "metrics", "pages", "static")


def record_requests(app: Flask, opened: Service) -> None:
    """Let every request to the service leave an entry in the journal. How long it takes is measured by `measuring`."""
    app.after_request(partial(_finish, opened))


def _finish(opened: Service, response: Response) -> Response:
    request, noted = asked(), g.get
    if request.path.startswith("/_mock/") or (request.blueprint or request.endpoint) in NOT_RECORDED:
        return response
    identity = noted("identity")
    account = (
        identity.account_id
        if identity
        else (request.view_args or {}).get("account_id") or noted("account_id")
    )
    near: NearMiss | None = noted("near_miss")
    exchange = _noted(request, response, opened.wall(), near)
    opened.journal.add(
        account=account, operation=exchange.operation, entry=exchange.entry, size=exchange.size
    )
    asked_for = request.method, request.path
    _tell(logging.INFO, "%s %s %d %.1f ms", *asked_for, response.status_code, exchange.duration_ms)
    for warning in exchange.warnings:
        _tell(logging.WARNING, "%s %s: %s", *asked_for, warning)
    if near is not None and not exchange.warnings:
        _tell(logging.WARNING, "%s %s: %s", *asked_for, near.difference)
    return response


def _tell(level: int, text: str, *arguments: object) -> None:
    """A line of a request. `Logger.log` would look through the stack for its caller, which is always this one and costs
    a third of the line.
    """
    if access.isEnabledFor(level):
        access.handle(access.makeRecord(access.name, level, __file__, 0, text, arguments, None))


@dataclass(frozen=True, slots=True)
class _Exchange:
    """What was asked and answered, as it is until somebody writes it down."""

    wall_us: int
    operation: str | None
    method: str
    path: str
    query: dict[str, list[str]]
    headers: list[tuple[str, str]]
    body: bytes | dict[str, Any] | None
    status: int
    answer: bytes | None
    fault: dict[str, Any] | None
    near: NearMiss | None
    warnings: list[str]
    duration_ms: float

    @property
    def size(self) -> int:
        """Bytes of its bodies."""
        return (len(self.body) if isinstance(self.body, bytes) else 0) + len(self.answer or b"")

    def entry(self) -> dict[str, Any]:
        """For the journal, without secrets."""
        time_ = datetime.fromtimestamp(self.wall_us / 1_000_000, timezone.utc)
        return {
            "time": time_.isoformat(timespec="milliseconds"),
            "operation": self.operation,
            "method": self.method,
            "path": mask_path(self.path),
            "query": mask_query(self.query),
            "headers": mask_headers(self.headers),
            "body": Body.of(self.body).to_json() if isinstance(self.body, bytes) else self.body,
            "status": self.status,
            "response": _body_of_answer(self.answer),
            **({} if self.fault is None else {"fault": self.fault}),
            **({} if self.near is None else {"near_miss": self.near.to_json()}),
            "warnings": self.warnings,
            "duration_ms": self.duration_ms,
        }


def _noted(request: Request, response: Response, wall_us: int, near: NearMiss | None) -> _Exchange:
    noted = g.get
    hit = noted("fault")
    return _Exchange(
        wall_us=wall_us,
        operation=request.endpoint,
        method=request.method,
        path=request.path,
        query=request.args.to_dict(flat=False),
        headers=list(request.headers.items()),
        # A streamed body is known by its md5 and size.
        body=noted("raw_body") or noted("stored"),
        status=response.status_code,
        answer=None if response.direct_passthrough or response.is_streamed else response.get_data(),
        fault=None if hit is None else {"id": hit.rule, "kind": hit.kind},
        near=near,
        warnings=list(noted("warnings", ())),
        duration_ms=round((time.perf_counter() - since()) * 1000, 3),
    )


def _body_of_answer(data: bytes | None) -> dict[str, Any] | None:
    if data is not None and len(data) > _ANSWER_BYTES:
        return {"text": None, "size": len(data), "sha256": None, "whole": False}
    return Body.of(data).to_json() if data else None
