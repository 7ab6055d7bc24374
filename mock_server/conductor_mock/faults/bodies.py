"""Reading the body of a request that gets a fault."""

from __future__ import annotations

import io
from typing import IO, Any

from conductor_mock.errors import Refusal

MAX_BODY = 128 << 20
"""Bytes of a request that are kept in memory for its second time; as much as a body of JSON may have by default."""

_BLOCK = 1 << 18


def kept(environ: dict[str, Any], kind: str) -> io.BytesIO:
    """The whole body of a request. Refuses (413) what is larger than MAX_BODY."""
    from werkzeug.wsgi import get_input_stream  # commands know the faults without a web framework

    stream, body = get_input_stream(environ), io.BytesIO()
    while block := stream.read(_BLOCK):
        body.write(block)
        if body.tell() > MAX_BODY:
            raise Refusal(413, f"{kind} keeps at most {MAX_BODY} bytes of a request, and this one has more")
    body.seek(0)
    return body


def read_up_to(stream: IO[bytes], count: int) -> None:
    """Read so many bytes, or all that there are, and forget them."""
    while count > 0 and (block := stream.read(min(_BLOCK, count))):
        count -= len(block)
