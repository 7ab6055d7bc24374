"""`objects.put`: the body of one file, to a signed URL (wire reference 2.6)."""

from __future__ import annotations

import sys

from flask import Blueprint, Response, g, request

from conductor_mock.api.context import now_s, service
from conductor_mock.errors import Detail, Refusal, bad_request, forbidden, not_found
from conductor_mock.md5 import from_base64, to_base64
from conductor_mock.signing import Grant, SignatureError
from conductor_mock.store.objects import WrongContentError

objects = Blueprint("objects", __name__)


@objects.put("/objects/<account_id>/<md5>")
def put(account_id: str, md5: str) -> Response:
    """Store the body if it is what the URL was signed for: this md5 and this size, no other.

    A bearer token is neither wanted nor looked at: one upload style always sends it, the other never (trap 10).
    """
    request.max_content_length = sys.maxsize  # files are streamed, whatever their size; None is the app's limit
    grant = _grant("PUT", account_id, md5)
    _check_declared_md5(grant)
    _check_length(grant)
    current = service()
    try:
        count = current.holdings.put(
            account_id,
            request.stream,
            md5=grant.md5,
            size=grant.size,
            now_us=lambda: current.accounts.now_us(account_id),
        )
    except WrongContentError as error:
        raise bad_request(f"{error}; nothing was stored", Detail("", str(error))) from None
    g.stored = {"size": count, "md5": to_base64(grant.md5)}
    return Response(
        status=200, headers={"ETag": f'"{grant.md5.hex()}"', "x-goog-hash": f"md5={to_base64(grant.md5)}"}
    )


def _grant(method: str, account_id: str, md5: str) -> Grant:
    """What the request's URL allows, its signature checked. Refuses (403)."""
    try:
        size = _whole(request.args["size"]) if "size" in request.args else None
        grant = Grant(method, account_id, _digest(md5), size, _whole(request.args["expires"]))
    except (ValueError, KeyError):
        raise not_found("there is no such object: this is not a URL that get_upload_urls hands out") from None
    try:
        service().signer.check(grant, request.args.get("signature", ""), now_s=now_s())
    except SignatureError as error:
        raise forbidden(str(error), Detail("signature", str(error))) from None
    return grant


def _check_declared_md5(grant: Grant) -> None:
    """Refuse a Content-MD5 that is not the URL's, before the body is read."""
    header = request.headers.get("Content-MD5")
    if header is None:
        return
    try:
        declared = from_base64(header.strip())
    except ValueError as error:
        raise bad_request(f"Content-MD5 is {error}", Detail("Content-MD5", str(error))) from None
    if declared != grant.md5:
        message = f"Content-MD5 is {header.strip()}, the URL was made for {to_base64(grant.md5)}"
        raise bad_request(message, Detail("Content-MD5", message))


def _check_length(grant: Grant) -> None:
    """Refuse a Content-Length that is not the URL's size, before the body is read."""
    length = request.content_length
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if length is None and not chunked and grant.size:
        message = (
            f"the URL was made for {grant.size} bytes; send Content-Length or Transfer-Encoding: chunked"
        )
        raise Refusal(411, message, (Detail("Content-Length", message),))
    if length is not None and not chunked and grant.size is not None and length != grant.size:
        message = f"Content-Length is {length}, the URL was made for {grant.size} bytes"
        raise bad_request(message, Detail("Content-Length", message))


def _digest(text: str) -> bytes:
    digest = bytes.fromhex(text)
    if len(digest) != 16 or digest.hex() != text:
        raise ValueError(text)
    return digest


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise ValueError(text)
    return int(text)
