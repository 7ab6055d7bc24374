"""A `blender` command of a few of Blender's own options, on top of bpy, Blender as a Python module.

    blender --background scene.blend --render-output /out/shot_ --frame-start 1 --frame-end 3 --render-anim

As in Blender, options are followed in the order in which they are given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import bpy

USAGE = (
    "usage: blender -b FILE [-E ENGINE] [-o PREFIX] [-F FORMAT] [-s N] [-e N] [-P SCRIPT] [-a | -f FRAMES]"
)


class UsageError(Exception):
    """An option that this command does not know or cannot follow."""


def main(words: list[str]) -> int:
    """Follow the options; the exit code."""
    try:
        _follow(iter(words))
    except (UsageError, RuntimeError) as error:  # bpy raises RuntimeError with Blender's own words
        print(f"blender: {error}\n{USAGE}", file=sys.stderr)
        return 1
    return 0


def _follow(words: Iterator[str]) -> None:
    for word in words:
        if word == "--":
            return
        if word in ("-b", "--background", "-noaudio", "-y", "--enable-autoexec"):
            continue
        if word in ("-a", "--render-anim"):
            _render(range(_scene().frame_start, _scene().frame_end + 1))
        elif word in OPTIONS:
            value = next(words, None)
            if value is None:
                raise UsageError(f"{word} wants a value")
            OPTIONS[word](value)
        elif word.startswith("-"):
            raise UsageError(f"{word} is not known")
        else:
            bpy.ops.wm.open_mainfile(filepath=word)
            print(f"opened {word}", flush=True)


def _scene() -> bpy.types.Scene:
    return bpy.context.scene


def _output(prefix: str) -> None:
    _scene().render.filepath = prefix


def _engine(name: str) -> None:
    _scene().render.engine = name


def _format(name: str) -> None:
    _scene().render.image_settings.file_format = name


def _start(number: str) -> None:
    _scene().frame_start = _whole(number)


def _end(number: str) -> None:
    _scene().frame_end = _whole(number)


def _frames(text: str) -> None:
    for part in text.split(","):
        first, _, last = part.partition("..")
        _render(range(_whole(first), _whole(last or first) + 1))


def _script(path: str) -> None:
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        exec(compile(file.read(), path, "exec"), {"__name__": "__main__"})  # noqa: S102 - what --python is for


def _expression(text: str) -> None:
    exec(text, {"__name__": "__main__", "bpy": bpy})  # noqa: S102 - what --python-expr is for


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a frame") from None


def _render(frames: range) -> None:
    """Render frames, each to the output prefix and its number with four digits."""
    scene = _scene()
    prefix = scene.render.filepath
    for number, frame in enumerate(frames, 1):
        scene.frame_set(frame)
        scene.render.filepath = f"{prefix}{frame:04d}"
        bpy.ops.render.render(write_still=True)
        print(f"frame {frame}, progress {100 * number // len(frames)}%", flush=True)
    scene.render.filepath = prefix


OPTIONS: dict[str, Callable[[str], None]] = {
    "-o": _output,
    "--render-output": _output,
    "-E": _engine,
    "--engine": _engine,
    "-F": _format,
    "--render-format": _format,
    "-s": _start,
    "--frame-start": _start,
    "-e": _end,
    "--frame-end": _end,
    "-f": _frames,
    "--render-frame": _frames,
    "-P": _script,
    "--python": _script,
    "--python-expr": _expression,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
