"""A bar chart as a PNG, drawn with Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 960, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 40, 40
_INK, _LINES, _BARS = (40, 40, 40), (220, 220, 220), (54, 112, 180)
_STEPS = 4
_LABELS = 8


def bar_chart(bars: Sequence[tuple[str, float]], title: str) -> bytes:
    """Return a PNG of 960 x 400 pixels with a bar for each (label, value), none of them negative.

    At most eight labels are written, the first one always.
    """
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    draw.text((_LEFT, 14), title, fill=_INK)
    top = max((value for _, value in bars), default=0.0) or 1.0
    bottom, height = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    for step in range(_STEPS + 1):
        y = bottom - height * step / _STEPS
        draw.line((_LEFT, y, WIDTH - _RIGHT, y), fill=_LINES)
        draw.text((8, y - 6), f"{top * step / _STEPS:.2f}", fill=_INK)
    room = (WIDTH - _LEFT - _RIGHT) / max(1, len(bars))
    every = -(-len(bars) // _LABELS)
    for number, (label, value) in enumerate(bars):
        x = _LEFT + room * number
        if value > 0:
            # Never thinner or lower than a pixel: a day that cost little is no day that cost nothing.
            right = max(x + room * 0.9, x + 1)
            draw.rectangle(
                (x + room * 0.1, min(bottom - height * value / top, bottom - 1), right, bottom), fill=_BARS
            )
        if number % every == 0:
            draw.text((x, bottom + 8), label, fill=_INK)
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
