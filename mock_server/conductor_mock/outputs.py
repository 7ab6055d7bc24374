"""What a simulated task leaves under its output path: a small picture per frame that says that it is simulated.

The same task always leaves the same bytes, and no two frames the same ones.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw

from conductor_mock.farm.frames import parse_or_none
from conductor_mock.farm.ids import draw, jid, tid
from conductor_mock.farm.state import Job, State

WIDTH, HEIGHT = 320, 180
MAX_PICTURES = 1000
"""A task that names more frames than that gets pictures of the first ones."""

_STEM = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Sketch:
    """Everything that the outputs of a task are made of; `attempt` counts from 1."""

    account_id: str
    seed: int
    job: int
    task: int
    attempt: int
    title: str
    command: str
    frames: str


def sketch(state: State, job: Job, index: int) -> Sketch:
    """What is needed to draw the outputs of a task, without the state."""
    task = job.tasks[index]
    return Sketch(
        state.account_id,
        state.options.seed,
        job.number,
        index,
        len(task.attempts),
        job.title,
        task.command,
        task.frames,
    )


def draw_outputs(one: Sketch) -> Iterator[tuple[str, bytes]]:
    """`(relative path, bytes)` of each output of a task."""
    stem = _STEM.sub("_", one.title).strip("._") or "output"
    for frame in _frames(one):
        number = f"task{tid(one.task)}" if frame is None else f"{frame:04d}"
        yield f"{stem}.{number}.simulated.png", _picture(one, frame)


def _frames(one: Sketch) -> list[int | None]:
    found = parse_or_none(one.frames)
    frames: list[int | None] = list(found or ())
    return frames[:MAX_PICTURES] or [None]


def _picture(one: Sketch, frame: int | None) -> bytes:
    hue = draw(one.seed, one.account_id, one.job, one.task, one.attempt, frame, "hue")
    image = Image.new("RGB", (WIDTH, HEIGHT), (hue % 96, (hue >> 8) % 96, (hue >> 16) % 96))
    pen = ImageDraw.Draw(image)
    for bar in range(16):
        level = (hue >> (2 * bar)) % 120
        pen.rectangle(
            (bar * 20, HEIGHT - 20 - level // 2, bar * 20 + 18, HEIGHT - 1),
            fill=(60 + level, 90, 170 - level),
        )
    lines = [
        "simulated by conductor-mock",
        f"job {jid(one.job)}  task {tid(one.task)}  attempt {one.attempt}",
        f"frame {'-' if frame is None else frame}",
        one.title[:48],
        one.command[:48],
    ]
    for number, text in enumerate(lines):
        pen.text((8, 8 + 16 * number), text.encode("ascii", "replace").decode("ascii"), fill=(235, 235, 235))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
