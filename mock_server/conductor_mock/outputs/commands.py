"""What the command line of a render says: where its pictures go, and which frames it renders.

Every renderer has options of its own (`conventions`). A command is only read, never trusted: one that cannot be
understood says nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from conductor_contracts.frames import Frames, FramesError, parse
from conductor_mock.outputs.conventions import CONVENTIONS, Convention

MAX_READ_CHARS = 16_384
"""What a command says after so many characters is not read: taking words apart gets slow with long ones."""

PICTURE_ENDINGS = frozenset({
    "exr", "png", "jpg", "jpeg", "tif", "tiff", "tga", "bmp", "dpx", "cin", "hdr", "pic", "rat",
    "iff", "sgi", "rgb", "psd", "webp", "gif", "vrimg", "rla", "rpf", "dds", "jp2", "jpx", "svg",
    "mov", "mp4", "avi", "mkv", "abc", "vdb", "bgeo", "usd", "usda", "usdc",
})  # fmt: skip
"""Endings that a simulated picture does not keep: it is a PNG whatever was asked for."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where pictures go: a path as written, markers of frames included. To a `prefix` numbers are added as they are."""

    path: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class RenderCommand:
    """What a command line says; None for what it does not say."""

    target: Target | None
    frames: Frames | None


def read(command: str, output_path: str) -> RenderCommand:
    """What `command` says.

    What the row of its program does not find, the last row looks for. Without an option for the output, the last word
    that names a picture under `output_path` counts.
    """
    said = list(words(command))
    options = _Options(said)
    rows = (_convention(said), CONVENTIONS[-1])
    target = next(filter(None, (_target(row, options) for row in rows)), None)
    return RenderCommand(
        target or _picture_among(said, output_path),
        next(filter(None, (_frames(row, options) for row in rows)), None),
    )


# Words


_SHELLS = frozenset({"sh", "bash", "tcsh", "csh", "zsh", "cmd", "powershell"})
_BACKSLASHES = re.compile(r"(?<![A-Za-z])[A-Za-z]:\\|(?<![\\\w])\\\\\w[^\s\\/]*\\\w")
"""A path of Windows: on a drive, or on a share, whose server and folder are named."""
_VERSION = re.compile(r"[\d.]+(?:v\d+)?$", re.ASCII)
_ENDING = re.compile(r"\.(exe|bin|sh|bat|cmd|py)$")


def words(command: str) -> Iterator[str]:
    """The words of a command, those of the command that a shell is given (`bash -c "..."`) in the place of that one."""
    words = _split(command[:MAX_READ_CHARS])
    shell = bool(words) and _program(words[0]) in _SHELLS
    for word in words:
        if shell and any(letter.isspace() for letter in word):
            yield from _split(word)
        else:
            yield word


def _split(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    if _BACKSLASHES.search(text):
        lexer.escape = ""  # C:\renders\shot and \\nas\shot are paths, not a number of escapes
    try:
        return list(lexer)
    except ValueError:  # quotes that are never closed
        return [word.strip("\"'") for word in text.split()]


def _program(word: str) -> str:
    """The name of a program as the table has it: `/opt/Nuke13.2v1/Nuke13.2` is `nuke`."""
    name = _ENDING.sub("", re.split(r"[/\\]", word)[-1].lower())
    return _VERSION.sub("", name) or name


def _convention(words: Iterable[str]) -> Convention:
    """The row of the first word that is a program of the table: wrappers and variables may come before it."""
    known = {program: row for row in CONVENTIONS for program in row.programs}
    for word in words:
        row = known.get(_program(word)) if not word.startswith("-") else None
        if row is not None:
            return row
    return CONVENTIONS[-1]


# Options


_OPTION = re.compile(r"(--?[A-Za-z][A-Za-z0-9_-]*)(?:[=:](.*))?", re.DOTALL)
_NUMBER = re.compile(r"-?\d{1,9}", re.ASCII)


class _Options:
    """The options of a command with the words after each; of an option that is given twice the later one counts."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._options: Mapping[str, tuple[str | None, int]] = {
            match[1]: (match[2], place)
            for place, word in enumerate(words)
            if (match := _OPTION.fullmatch(word)) is not None
        }

    def value(self, names: Iterable[str]) -> str | None:
        """The value of the first of the options that has one."""
        return next((values[0] for values in map(self._of, names) if values), None)

    def values(self, names: Iterable[str]) -> list[str]:
        """The value of the first of the options that has one, and the numbers that follow it: at most three in all."""
        for values in map(self._of, names):
            if values:
                count = next((n for n, word in enumerate(values) if not _NUMBER.fullmatch(word)), len(values))
                return values[: max(1, count)]
        return []

    def _of(self, name: str) -> list[str]:
        value, place = self._options.get(name, (None, -1))
        if place < 0:
            return []
        if value is not None:
            return [value] if value else []
        following = self._words[place + 1 : place + 4]
        if not following or (following[0].startswith("-") and not _NUMBER.fullmatch(following[0])):
            return []
        return list(following)


def _target(convention: Convention, options: _Options) -> Target | None:
    file, prefix = options.value(convention.file), options.value(convention.prefix)
    name, folder = options.value(convention.name), options.value(convention.folder)
    path = file or prefix or name
    if folder is None:
        return None if not path else Target(path, prefix=not file and bool(prefix))
    if path is None:
        return Target(folder.rstrip("/\\") + "/")
    joined = path if is_absolute(path) else f"{folder}/{path}"
    return Target(joined, prefix=not file and bool(prefix))


def is_absolute(path: str) -> bool:
    """Whether a path, of either kind of system, begins at a root."""
    return path.startswith(("/", "\\")) or bool(re.match(r"[A-Za-z]:[/\\]", path))


def _picture_among(words: Iterable[str], output_path: str) -> Target | None:
    root = output_path.replace("\\", "/").rstrip("/") + "/"
    pictures = [
        word
        for word in words
        if word.replace("\\", "/").startswith(root) and word.rpartition(".")[2].lower() in PICTURE_ENDINGS
    ]
    return Target(pictures[-1]) if pictures else None


def _frames(convention: Convention, options: _Options) -> Frames | None:
    span = options.values(convention.span)
    if len(span) > 1:
        return _between(*span)
    text = (span and span[0]) or options.value(convention.frames)
    if text:
        return _specified(text.replace(";", ",").replace("..", "-"))
    return _between(
        options.value(convention.first), options.value(convention.last), options.value(convention.step)
    )


def _specified(text: str) -> Frames | None:
    try:
        frames = parse(text)
    except FramesError:
        return None
    return frames if frames.ranges else None


def _between(first: str | None, last: str | None, step: str | None = None) -> Frames | None:
    numbers = [text for text in (first, last, step or "1") if text and _NUMBER.fullmatch(text)]
    if len(numbers) < 3 or numbers[2].startswith("-"):
        return None
    return _specified(f"{numbers[0]}-{numbers[1]}x{numbers[2]}")
