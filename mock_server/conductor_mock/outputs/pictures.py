"""The picture that stands for a rendered frame: hills under a moving sun, and a caption that says what it is.

Hills and colours belong to the job, the sun's place to the frame, so that the pictures of a job make a small film. The
same numbers always give the same picture, and no two pictures of an account are the same. A job has only as many scenes
as the sun has places, so a scene is drawn and packed once for all frames that show it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

from PIL import Image, ImageColor, ImageDraw, ImageFont

from conductor_mock.farm.ids import draw, jid, tid
from conductor_mock.outputs.png import BegunPng

WIDTH, HEIGHT = 384, 216
OVERSAMPLED = 2
FILM_FRAMES = 48
"""After so many frames the sun is back where it was."""

_HILLS = 4
_CAPTION = 54
_BAR, _NO_BAR = bytes([255] * 5 + [0]), bytes(6)
"""A row of one of the 64 bars, with the gap behind it."""
_BAR_HEIGHT = 3
_SCALE = 1 << 64

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Caption:
    """What a picture is of; `attempt` counts from 1, `frame` is None when the task names none."""

    account_id: str
    seed: int
    job: int
    task: int
    attempt: int
    title: str
    command: str
    frame: int | None

    def number(self, *purpose: object) -> float:
        """A number from 0 to 1 that belongs to the job and to what it is for."""
        return draw(self.seed, self.account_id, self.job, *purpose) / _SCALE


def picture(caption: Caption) -> bytes:
    """The picture as a PNG."""
    frame = caption.task if caption.frame is None else caption.frame
    scene = _scene(caption.account_id, caption.seed, caption.job, frame % FILM_FRAMES)
    foot = scene.foot.copy()
    _write(foot, caption, scene.hue)
    return scene.above.finish(foot)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What pictures of one job have in common when the sun stands in one place: all that is above the caption, packed,
    and what is behind it.
    """

    hue: int
    above: BegunPng
    foot: Image.Image


@lru_cache(maxsize=FILM_FRAMES)
def _scene(account_id: str, seed: int, job: int, phase: int) -> _Scene:
    """The scene of a job at one place of the sun, of `FILM_FRAMES`. To draw one takes longer than all else."""
    caption = Caption(account_id, seed, job, 0, 1, "", "", phase)
    hue = int(caption.number("hue") * 360)
    image = _sky((WIDTH * OVERSAMPLED, HEIGHT * OVERSAMPLED), hue)
    _sun(image, caption, phase, hue)
    _hills(image, caption, hue)
    image = image.reduce(OVERSAMPLED)
    top = HEIGHT - _CAPTION
    ImageDraw.Draw(image, "RGBA").rectangle((0, top, WIDTH, HEIGHT), fill=(10, 12, 18, 205))
    above = BegunPng((WIDTH, HEIGHT), image.crop((0, 0, WIDTH, top)))
    return _Scene(hue, above, image.crop((0, top, WIDTH, HEIGHT)))


def _colour(hue: int, saturation: int, value: int) -> tuple[int, ...]:
    return ImageColor.getrgb(f"hsv({hue % 360},{saturation}%,{value}%)")


def _sky(size: Size, hue: int) -> Image.Image:
    """From a deep colour above to a light one at the horizon."""
    above, below = _colour(hue, 62, 34), _colour(hue + 42, 38, 98)
    width, height = size
    shares = ((row / height) ** 1.3 for row in range(height))
    column = bytes(round(a + (b - a) * share) for share in shares for a, b in zip(above, below, strict=True))
    return Image.frombytes("RGB", (1, height), column).resize((width, height), Image.Resampling.NEAREST)


def _sun(image: Image.Image, caption: Caption, phase: int, hue: int) -> None:
    """A disk on its way from left to right, with a glow around it."""
    width, height = image.size
    part = ((phase + caption.number("dawn") * FILM_FRAMES) % FILM_FRAMES) / FILM_FRAMES
    x = width * (0.04 + 0.92 * part)
    y = height * (0.58 - 0.44 * math.sin(math.pi * part))
    pen = ImageDraw.Draw(image, "RGBA")
    radius = height * 0.085
    for ring in range(6, 0, -1):
        reach = radius * (1 + 0.38 * ring)
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=(255, 244, 214, 16))
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(hue + 60, 10, 100))


def _hills(image: Image.Image, caption: Caption, hue: int) -> None:
    """Ranges of hills, one behind the other, the far ones paler."""
    width, height = image.size
    pen = ImageDraw.Draw(image)
    for hill in range(_HILLS):
        near = hill / (_HILLS - 1)
        base = height * (0.52 + 0.2 * near)
        length = 1.3 - 0.5 * near
        waves = [
            (caption.number("phase", hill, wave) * math.tau, (1.1 + 1.3 * wave) * length, 0.075 / (1 + wave))
            for wave in range(3)
        ]
        ridge = [
            (x, base - height * sum(a * math.sin(p + f * math.tau * x / width) for p, f, a in waves))
            for x in range(0, width + 8, 8)
        ]
        pen.polygon(
            [(0, height), *ridge, (width, height)],
            fill=_colour(hue + 30 - round(34 * near), 40 + round(22 * near), 70 - round(48 * near)),
        )


def _write(foot: Image.Image, caption: Caption, hue: int) -> None:
    """The caption at the foot, and a row of bars that no other picture has."""
    pattern = draw(
        caption.seed, caption.account_id, caption.job, caption.task, caption.attempt, caption.frame, "bars"
    )
    row = b"".join(_BAR if pattern >> bar & 1 else _NO_BAR for bar in range(64))
    foot.paste(
        _colour(hue + 60, 45, 100), (0, 0), Image.frombytes("L", (WIDTH, _BAR_HEIGHT), row * _BAR_HEIGHT)
    )
    frame = "no frame" if caption.frame is None else f"frame {caption.frame}"
    attempt = "" if caption.attempt == 1 else f"  ·  attempt {caption.attempt}"
    text = f"{frame}  ·  job {jid(caption.job)}  ·  task {tid(caption.task)}{attempt}"
    _line(foot, 7, text, (255, 255, 255), 13)
    _line(foot, 25, _short(caption.command), (214, 218, 226), 10)
    _line(foot, 38, _short(f"simulated by conductor-mock: {caption.title}"), (160, 166, 178), 10)


def _line(foot: Image.Image, top: int, text: str, colour: tuple[int, int, int], size: int) -> None:
    """A line of text, word by word: most words stand in many pictures."""
    x: float = 10
    blank = _font(size).getlength(" ") + 1
    for word in text.split(" "):
        if word:
            mask, width = _word(word, size)
            foot.paste(colour, (round(x), top), mask)
            x += width
        x += blank


@lru_cache(maxsize=1024)
def _word(word: str, size: int) -> tuple[Image.Image, float]:
    """A word as a mask, and how wide it is."""
    font = _font(size)
    width = font.getlength(word)
    mask = Image.new("L", (math.ceil(width) + 2, 2 * size))
    ImageDraw.Draw(mask).text((0, 0), word, 255, font)
    return mask, width


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The built-in font; to unpack it takes longer than to write with it."""
    return ImageFont.load_default(size)


def _short(text: str) -> str:
    """The beginning of a text in one line of letters that the built-in font has."""
    line = " ".join(text[:200].encode("ascii", "replace").decode("ascii").split())
    return line if len(line) <= 80 else f"{line[:77]}..."
