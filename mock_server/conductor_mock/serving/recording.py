"""One journal entry per request to the service, made when its answer is known."""

from __future__ import annotations

import logging
import sqlite3
import time
from datetime import datetime, timezone
from functools import partial
from typing import Any, cast

from flask import Flask, Response, g, request

from conductor_contracts.near_miss import NearMiss
from conductor_mock.context import warnings
from conductor_mock.service import Service
from conductor_mock.store.journal import Body
from conductor_mock.wire.masking import mask_headers, mask_query, mask_text

log = logging.getLogger(__name__)
access = logging.getLogger("conductor_mock.access")

_ANSWER_BYTES = 4096
"""Answers up to this size are kept; the lists of the catalogue are not worth their space."""

NOT_RECORDED = ("control", "metrics", "pages", "static")


def record_requests(app: Flask, opened: Service) -> None:
    """Let every request to the service leave an entry in the journal."""
    app.before_request(_start)
    app.after_request(partial(_finish, opened))


def _start() -> None:
    g.started = time.perf_counter()


def _finish(opened: Service, response: Response) -> Response:
    if request.path.startswith("/_mock/") or (request.blueprint or request.endpoint) in NOT_RECORDED:
        return response
    identity = g.get("identity")
    account = (
        identity.account_id
        if identity
        else (request.view_args or {}).get("account_id") or g.get("account_id")
    )
    near: NearMiss | None = g.get("near_miss")
    entry = _entry(response, opened.wall(), near)
    try:
        opened.journal.add(account=account, operation=entry["operation"], entry=entry)
    except sqlite3.Error as error:  # what was done stays done and is answered so
        # In a line, not in a traceback: on a full disk each request would write one.
        log.warning("the journal took no entry for %s %s: %s", request.method, request.path, error)
    access.info("%s %s %d %.1f ms", request.method, request.path, response.status_code, entry["duration_ms"])
    for warning in entry["warnings"]:
        access.warning("%s %s: %s", request.method, request.path, warning)
    if near is not None and not entry["warnings"]:
        access.warning("%s %s: %s", request.method, request.path, near.difference)
    return response


def _entry(response: Response, wall_us: int, near: NearMiss | None) -> dict[str, Any]:
    hit = g.get("fault")
    fault = {} if hit is None else {"fault": {"id": hit.rule, "kind": hit.kind}}
    return {
        "time": datetime.fromtimestamp(wall_us / 1_000_000, timezone.utc).isoformat(timespec="milliseconds"),
        "operation": request.endpoint,
        "method": request.method,
        "path": mask_text(request.path),
        "query": mask_query(request.args.to_dict(flat=False)),
        "headers": mask_headers(request.headers.items()),
        "body": _request_body(),
        "status": response.status_code,
        "response": _response_body(response),
        **fault,
        **({} if near is None else {"near_miss": near.to_json()}),
        "warnings": warnings(),
        "duration_ms": round((time.perf_counter() - g.started) * 1000, 3),
    }


def _request_body() -> dict[str, Any] | None:
    if "raw_body" in g:
        return Body.of(cast(bytes, g.raw_body)).to_json() if g.raw_body else None
    stored = g.get("stored")  # a streamed body is known by its md5 and size
    return cast("dict[str, Any] | None", stored)


def _response_body(response: Response) -> dict[str, Any] | None:
    if response.direct_passthrough or response.is_streamed:
        return None
    data = response.get_data()
    if len(data) > _ANSWER_BYTES:
        return {"text": None, "size": len(data), "sha256": None, "whole": False}
    return Body.of(data).to_json() if data else None
