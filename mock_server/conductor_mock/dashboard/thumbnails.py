"""Small pictures of what tasks left. Looking stores nothing: what nobody has listed yet is drawn for the look."""

from __future__ import annotations

import io
from dataclasses import dataclass

from flask import Response, request

from conductor_mock.context import service
from conductor_mock.control.selection import existing_account
from conductor_mock.errors import not_found
from conductor_mock.farm import ids, lookup
from conductor_mock.farm.statuses import DELIVERED
from conductor_mock.farm.values import OutputFile
from conductor_mock.outputs.drawing import Drawing, draw_output, drawing_of, names_of
from conductor_mock.wire.md5 import from_base64

SIZE = (384, 216)
LARGE = (960, 540)
"""With `large=1`, for the player."""
MOST_BYTES = 32 << 20
MOST_PIXELS = 40_000_000
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM")
"""What is opened: an output of a real run is whatever its command wrote."""


@dataclass(frozen=True, slots=True)
class _Left:
    """What a task left: files in the store, or what its outputs are drawn of."""

    files: tuple[OutputFile, ...] = ()
    drawing: Drawing | None = None


def output_paths(account_id: str, jid: str, tid: str) -> list[tuple[str, int | None]]:
    """Path and size of each output of a task; the size is None while nobody has listed them."""
    left = _left(account_id, jid, tid)
    if left.drawing is None:
        return [(file.relative_path, file.size) for file in left.files]
    return [(name.path, None) for name in names_of(left.drawing)]


def thumbnail(jid: str, tid: int, number: int) -> Response:
    """The picture of an output, small. Refuses (404) what is none."""
    left = _left(existing_account(), jid, ids.tid(tid))
    data = _stored(left, number) if left.drawing is None else _drawn(left.drawing, number)
    size = LARGE if request.args.get("large") == "1" else SIZE
    picture = None if data is None else small(data, size)
    if picture is None:
        raise not_found(
            f"output {number} of task {ids.tid(tid)} of job {jid[:20]} is no picture that can be shown"
        )
    return Response(picture, mimetype="image/png")


def _left(account_id: str, jid: str, tid: str) -> _Left:
    with service().accounts.open(account_id) as account:
        job = lookup.job(account.state, jid)
        index, task = lookup.task(job, tid)
        if task.outputs is not None:
            return _Left(task.outputs)
        if task.status in DELIVERED and task.download is not None:
            return _Left(drawing=drawing_of(account.state, job, index))
        return _Left()


def _stored(left: _Left, number: int) -> bytes | None:
    if number >= len(left.files) or left.files[number].size > MOST_BYTES:
        return None
    try:
        return service().objects.read(from_base64(left.files[number].md5))
    except FileNotFoundError:  # the account was reset in the meantime
        return None


def _drawn(drawing: Drawing, number: int) -> bytes | None:
    names = names_of(drawing)
    return draw_output(drawing, names[number]) if number < len(names) else None


def small(data: bytes, size: tuple[int, int] = SIZE) -> bytes | None:
    """A picture as a PNG of at most this size; None for what cannot be read as one, or is too large."""
    from PIL import Image  # only here: a server starts without it

    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    buffer = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                return None
            image.thumbnail(size)
            image.convert("RGB").save(buffer, "PNG", compress_level=2)
    except (OSError, ValueError, SyntaxError, *bombs):  # how Pillow says that it cannot read something
        return None
    return buffer.getvalue()
