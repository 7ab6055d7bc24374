"""Signed URLs as views use them: making one for a content or a part, and checking the one that a request came to."""

from __future__ import annotations

import re

from flask import request

from conductor_contracts.problems import Problem
from conductor_mock.auth.signing import Grant, SignatureError, content_path
from conductor_mock.context import base_url, now_s, service
from conductor_mock.errors import forbidden, not_found
from conductor_mock.faults.fault import URL
from conductor_mock.wire.md5 import from_base64

S3_PREFIX = "/coreweave"
"""Clients search a URL's text for it and then upload S3 style (wire reference 2.6)."""

_WHOLE = re.compile(r"\d{1,19}", re.ASCII)
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def upload_url(account_id: str, md5: str, size: int | None, *, s3: bool) -> str:
    """Where to PUT the content with this base64 md5; `size` None when it was not declared."""
    path = f"{S3_PREFIX if s3 else ''}/objects/{account_id}/{from_base64(md5).hex()}"
    return _url(account_id, "PUT", path, size)


def part_url(account_id: str, upload_id: str, number: int, size: int, *, s3: bool) -> str:
    """Where to PUT one part of an upload."""
    path = f"{S3_PREFIX if s3 else ''}/objects/{account_id}/parts/{upload_id}/{number}"
    return _url(account_id, "PUT", path, size)


def download_url(account_id: str, md5: str, name: str) -> str:
    """Where to GET a content. Its last segment is a file name: the companion saves under it (wire reference 2.19)."""
    plain = _PLAIN.sub("_", name.rpartition("/")[2]).strip(".") or "file"
    return _url(account_id, "GET", content_path(account_id, from_base64(md5), plain[:120]), None)


def check(method: str) -> Grant:
    """What the request's URL allows, its signature checked. Refuses (403, 404)."""
    size, expires = request.args.get("size"), request.args.get("expires", "")
    if not _WHOLE.fullmatch(expires) or (size is not None and not _WHOLE.fullmatch(size)):
        raise not_found("there is no such object: this is not a URL that the service hands out")
    grant = Grant(method, request.path, None if size is None else int(size), int(expires))
    try:
        service().signer.check(grant, request.args.get("signature", ""), now_s=now_s())
    except SignatureError as error:
        raise forbidden(str(error), Problem("signature", str(error))) from None
    return grant


def _url(account_id: str, method: str, path: str, size: int | None) -> str:
    current = service()
    current.faults.handed_out(account_id, URL)
    expires = int(now_s()) + current.settings.url_ttl_s
    return current.signer.url(base_url(), Grant(method, path, size, expires))
