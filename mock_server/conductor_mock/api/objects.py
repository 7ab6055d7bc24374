"""`objects.put`, `objects.put_part`, `objects.get`: the bytes of files, at signed URLs (wire reference 2.6, 2.19)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import IO

from flask import Blueprint, Response, g, request

from conductor_contracts.problems import Problem
from conductor_mock.api import signed
from conductor_mock.api.conditional import Decision, Validators, decide
from conductor_mock.auth.signing import OUTPUTS_PREFIX, Grant
from conductor_mock.context import service
from conductor_mock.errors import Refusal, bad_request, not_found
from conductor_mock.store.content_store import Readable, StoredContent, blocks_of
from conductor_mock.store.objects import (
    DamagedContentError,
    TooLargeError,
    WrongContentError,
    last_held_back,
)
from conductor_mock.store.parts import UnknownUploadError
from conductor_mock.store.quotas import NewBytes
from conductor_mock.store.unavailable import UnavailableError
from conductor_mock.wire.md5 import from_base64, to_base64

objects = Blueprint("objects", __name__)

NO_LIMIT = sys.maxsize
"""Files are streamed, whatever their size; None would be the app's limit."""

MEDIA_TYPES: Mapping[str, str] = {
    "bmp": "image/bmp", "exr": "image/x-exr", "gif": "image/gif", "jpeg": "image/jpeg", "jpg": "image/jpeg",
    "json": "application/json", "log": "text/plain", "mov": "video/quicktime", "mp4": "video/mp4", "png": "image/png",
    "tif": "image/tiff", "tiff": "image/tiff", "txt": "text/plain", "webp": "image/webp",
}  # fmt: skip
"""What a content is said to be, by the end of its name: what no browser runs. All else is `UNNAMED_TYPE`."""
UNNAMED_TYPE = "application/octet-stream"
HARMLESS: Mapping[str, str] = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""Headers of every content: whose bytes they are nobody knows, and they come from the origin of the control API."""

_BLOCK = 1 << 18


def media_type(name: str) -> str:
    """The media type of a content that is asked for under this name."""
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower(), UNNAMED_TYPE)


@objects.put("/objects/<account_id>/<md5>")
@objects.put(f"{signed.S3_PREFIX}/objects/<account_id>/<md5>")
@objects.put(f"{OUTPUTS_PREFIX}/objects/<account_id>/<md5>")
def put(account_id: str, md5: str) -> Response:
    """Store the body if it is what the URL was signed for: this md5 and this size, no other.

    A bearer token is neither wanted nor looked at: one upload style always sends it, the other never (trap 10).
    """
    request.max_content_length = NO_LIMIT
    grant = signed.check("PUT")
    digest = bytes.fromhex(md5)
    _check_declared_md5(digest)
    _check_length(grant)
    try:
        most = service().settings.max_unsized_bytes if grant.size is None else None
        service().contents.stored_bytes.room_for(account_id, grant.size or request.content_length or 0)
        if most is not None and (request.content_length or 0) > most:
            raise _too_large(f"the body has {request.content_length} bytes", most)
        store = store_output if request.path.startswith(OUTPUTS_PREFIX) else store_upload
        count = store(account_id, request.stream, md5=digest, size=grant.size, most=most)
    except TooLargeError:
        raise _too_large("the body is larger", service().settings.max_unsized_bytes) from None
    except WrongContentError as error:
        raise _not_stored(error) from None
    text = to_base64(digest)
    g.stored = {"size": count, "md5": text}
    return Response(headers={"ETag": f'"{md5}"', "x-goog-hash": f"md5={text}"})


def store_upload(
    account_id: str, stream: Readable, *, md5: bytes, size: int | None, most: int | None = None
) -> int:
    """Store a content that an account sends; it is on disk when this returns. Answers its bytes.

    Raises WrongContentError, UnknownAccountError, OSError; nothing is kept then.
    """
    current = service()
    with current.objects.receive(stream, md5=md5, size=size, most=most) as content:
        current.contents.add_upload(account_id, content, t_us=current.accounts.now_us(account_id))
    return int(content.size)


def store_whole(account_id: str, parts: Readable, *, md5: bytes, size: int) -> None:
    """`store_upload` of what came in parts, and was held to the md5 of each."""
    current = service()
    with current.objects.pass_on(parts, md5=md5, size=size) as content:
        current.contents.add_upload(account_id, content, t_us=current.accounts.now_us(account_id))


def store_output(
    account_id: str, stream: Readable, *, md5: bytes, size: int | None, most: int | None = None
) -> int:
    """`store_upload` of what a task of the account made, wherever it ran."""
    current = service()
    with current.objects.receive(stream, md5=md5, size=size, most=most) as content:
        current.contents.keep_output(account_id, content, t_us=current.accounts.now_us(account_id))
    return int(content.size)


@objects.put("/objects/<account_id>/parts/<upload_id>/<int:number>")
@objects.put(f"{signed.S3_PREFIX}/objects/<account_id>/parts/<upload_id>/<int:number>")
def put_part(account_id: str, upload_id: str, number: int) -> Response:
    """Store one part of an upload; the answer's ETag names it in `files.complete_multipart` (trap 7)."""
    request.max_content_length = NO_LIMIT
    grant = signed.check("PUT")
    _check_length(grant)
    parts = service().parts
    try:
        upload = parts.get(account_id, upload_id)
        stored = service().contents.stored_bytes
        stored.room_for(account_id, upload.size_of(number))
        with parts.receive(account_id, upload, number, request.stream) as part, parts.turn(upload):
            was_sent_twice = service().contents.held(account_id, [upload.md5])
            if not was_sent_twice:
                with stored.reserve(account_id, [NewBytes(upload.size_of(number))]):
                    parts.keep(part)
    except UnknownUploadError:
        message = f"there is no upload {upload_id[:40]!r}: the account was reset since the URL was made"
        raise not_found(message) from None
    except WrongContentError as error:
        raise _not_stored(error) from None
    g.stored = {"size": grant.size, "part": number}
    return Response(headers={"ETag": f'"{part.etag}"'})


@objects.get("/objects/<account_id>/<md5>/<name>")
def get(account_id: str, md5: str, name: str) -> Response:
    """The content, whole or a range of it; HEAD answers its headers alone. No token: the URL is signed.

    No header names the file: clients save it under the last segment of the URL (wire reference 2.19, 12.3).
    """
    signed.check("GET")
    digest = bytes.fromhex(md5)
    with ExitStack() as held, _told_if_gone(digest, account_id):
        there = service().objects.look_up(digest)
        validators = Validators(md5, there.modified_s)
        decision = decide(request.method, request.headers.get, validators, there.size)
        _check_decision(decision, validators, there.size)
        response = Response(status=decision.status)
        response.headers.update(HARMLESS)
        response.set_etag(md5)
        response.cache_control.no_cache = True
        response.cache_control.max_age = 0
        if decision.status == 304:
            return response
        response.mimetype = media_type(name)
        response.headers["Accept-Ranges"] = "bytes"
        response.last_modified = validators.modified_s  # type: ignore[assignment]  # seconds are taken, too
        response.headers["x-goog-hash"] = f"md5={to_base64(digest)}"
        if decision.status == 206:
            last = decision.first + decision.count - 1
            response.headers["Content-Range"] = f"bytes {decision.first}-{last}/{there.size}"
        if request.method != "HEAD":
            response.response = _sent(there, decision, held)
        response.content_length = decision.count
        response.call_on_close(held.pop_all().close)
    return response


def _check_decision(decision: Decision, held: Validators, size: int) -> None:
    """Refuse what the request's own conditions refuse: 412, or 416 with the size."""
    if decision.status == 412:
        message = f'{decision.failed} does not hold: the content has the ETag "{held.etag}"'
        raise Refusal(412, message, (Problem(decision.failed, message),), {"ETag": f'"{held.etag}"'})
    if decision.status == 416:
        message = f"the content has {size} bytes, and none of them are in the Range"
        raise Refusal(416, message, (Problem("Range", message),), {"Content-Range": f"bytes */{size}"})


@contextmanager
def _told_if_gone(digest: bytes, account_id: str) -> Iterator[None]:
    """Refuse (404) what is not there any more."""
    try:
        yield
    except DamagedContentError as error:
        raise not_found(f"{error}; send it again, or render it again") from None
    except FileNotFoundError:
        raise not_found(
            f"the content {to_base64(digest)} is gone: account {account_id} was reset since the URL was made"
        ) from None


def _sent(content: StoredContent, decision: Decision, held: ExitStack) -> Iterator[bytes]:
    """The bytes that are asked for. One that is found to be damaged while it is sent ends before its last block.

    Of a range nothing else is read where reading costs (`StoredContent.open_part`).
    """
    if decision.status == 206:
        file = held.enter_context(content.open_part(decision.first, decision.count))
        blocks = _blocks(file, decision.count)
        return chain([next(blocks)], blocks)  # what cannot be read is found before anything is sent
    return last_held_back(blocks_of(held.enter_context(content.open())))


def _blocks(file: IO[bytes], count: int) -> Iterator[bytes]:
    """The next `count` bytes of a file in blocks of 256 KiB; 8 KiB, the usual size, is several times slower.

    Raises UnavailableError where there are fewer: a client would wait for those that it was told of.
    """
    while count:
        block = file.read(min(_BLOCK, count))
        if not block:
            raise UnavailableError("a content ended before its end")
        count -= len(block)
        yield block


def _not_stored(error: WrongContentError) -> Refusal:
    return bad_request(f"{error}; nothing was stored", Problem("", str(error)))


def _too_large(what: str, most: int) -> Refusal:
    message = (
        f"{what}, and a URL that names no size takes {most}: ask for a URL of the newer form, or start the server with "
        "a larger --max-unsized-upload"
    )
    return Refusal(413, message, (Problem("", message),))


def _check_declared_md5(digest: bytes) -> None:
    """Refuse a Content-MD5 that is not the URL's, before the body is read."""
    header = request.headers.get("Content-MD5")
    if header is None:
        return
    try:
        declared = from_base64(header.strip())
    except ValueError as error:
        raise bad_request(f"Content-MD5 is {error}", Problem("Content-MD5", str(error))) from None
    if declared != digest:
        message = f"Content-MD5 is {header.strip()}, the URL was made for {to_base64(digest)}"
        raise bad_request(message, Problem("Content-MD5", message))


def _check_length(grant: Grant) -> None:
    """Refuse a Content-Length that is not the URL's size, before the body is read."""
    length = request.content_length
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if length is None and not chunked and grant.size:
        message = (
            f"the URL was made for {grant.size} bytes; send Content-Length or Transfer-Encoding: chunked"
        )
        raise Refusal(411, message, (Problem("Content-Length", message),))
    if length is not None and grant.size is not None and length != grant.size:
        message = f"Content-Length is {length}, the URL was made for {grant.size} bytes"
        raise bad_request(message, Problem("Content-Length", message))
