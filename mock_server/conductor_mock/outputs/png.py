"""PNG files that begin alike: the rows that they have in common are packed once, and each file goes on from there.

A PNG is one stream of zlib, and a packer can be copied in the middle of one. Rows are stored as what differs from the
row above, which is little in a sky.
"""

from __future__ import annotations

import struct
import zlib

from PIL import Image, ImageChops

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = (8, 2, 0, 0, 0)
"""Eight bits of three colours; the only ways to pack and to filter that there are; not interlaced."""
_UP = b"\2"
"""The filter of a row: each byte less the one above it."""
_LEVEL, _WINDOW_BITS, _MEMORY = 2, 12, 5
"""A window of three rows is enough, and keeps the copies small."""


class BegunPng:
    """The beginning of pictures of one size, whose first rows are those of an image. It never changes."""

    def __init__(self, size: tuple[int, int], above: Image.Image) -> None:
        """`size` is that of the whole, in pixels; `above` is RGB, as wide, and less high."""
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY)
        self._size = size
        self._packed = packer.compress(_rows(above, Image.new("RGB", (size[0], 1))))
        self._packer = packer
        self._last = above.crop((0, above.height - 1, above.width, above.height))

    def finish(self, below: Image.Image) -> bytes:
        """The whole file: the rows of `below` follow."""
        packer = self._packer.copy()
        packed = self._packed + packer.compress(_rows(below, self._last)) + packer.flush()
        head = struct.pack(">2I5B", *self._size, *_RGB)
        return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def _rows(image: Image.Image, row_above: Image.Image) -> bytes:
    above = Image.new("RGB", image.size)
    above.paste(row_above, (0, 0))
    above.paste(image, (0, 1))
    data = ImageChops.subtract_modulo(image, above).tobytes()
    width = 3 * image.width
    return b"".join(_UP + data[start : start + width] for start in range(0, len(data), width))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
