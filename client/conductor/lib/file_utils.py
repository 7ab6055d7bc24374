"""Finding the files that upload paths mean (wire reference 6): files, directories, variables, patterns.

``look_at`` then says what they are at this moment, which is what an ``Uploader`` takes.
"""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from conductor.lib.exceptions import InvalidPathError
from conductor.lib.files.local import LocalFile, look_at

__all__ = ["LocalFile", "expand_paths", "look_at", "read_path_list"]

logger = logging.getLogger(__name__)

# What stands for a changing part of a name; longer ones before those they begin with.
_MARKERS = re.compile(
    "|".join(
        (
            r"#+",
            r"%0[0-9]+d",
            r"_MAPID_",
            r"<UDIM>",
            r"<UVTILE>",
            r"<TileRef>",
            r"<Frame>",
            r"u<U>_v<V>_<f>",
            r"u<U>_v<V>",
            r"<f>",
            r"\$[0-9]*U[^/]*?\$[0-9]*V",
            r"\$F[0-9]*(?![A-Za-z_])",
        )
    ),
    re.IGNORECASE,
)


def expand_paths(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return the absolute paths of all files meant, each once, in the order in which they are first meant.

    An existing file or directory is taken literally, whatever its name looks like; else environment variables
    are expanded, and then markers such as ``####`` and ``<UDIM>`` match any text without a separator. Below a
    directory everything is taken, in the order of names, without following links to directories.

    Raises InvalidPathError listing every path that names nothing, is relative, or that the service cannot hold.
    """
    files: dict[str, None] = {}
    problems: list[str] = []
    for path in paths:
        text = os.fspath(path)
        try:
            files.update(dict.fromkeys(_expand(text)))
        except InvalidPathError as error:
            problems.append(str(error))
    if len(problems) == 1:
        raise InvalidPathError(problems[0])
    if problems:
        raise InvalidPathError("\n  ".join([f"{len(problems)} paths cannot be uploaded:", *problems]))
    return list(files)


def read_path_list(path: str) -> list[str]:
    """Return the paths in a text file, one on each line. Raises InvalidPathError if it cannot be read."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidPathError(f"upload_file {path!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidPathError(f"upload_file {path!r} is not UTF-8 text") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _expand(text: str) -> Iterable[str]:
    if not text:
        return ()
    if "\0" in text:
        raise InvalidPathError(f"{text!r} holds a NUL character")
    if os.path.lexists(text):
        return _existing(text)
    expanded = os.path.expandvars(text)
    if os.path.lexists(expanded):
        return _existing(expanded)
    _check(expanded, shown=text)
    pattern = _MARKERS.sub("*", expanded)
    hits = sorted(glob.glob(pattern))  # noqa: PTH207 - a pattern of text, whose hits must be text as it is
    if not hits:
        raise InvalidPathError(
            f"{text!r} matches no files"
            if pattern != text
            else f"{text!r} does not exist, or lies in a folder that cannot be read"
        )
    return [file for hit in hits for file in _existing(hit)]


def _existing(text: str) -> Iterable[str]:
    """Return what a path that exists stands for."""
    path = Path(text)
    try:
        is_file, is_directory = path.is_file(), path.is_dir()
    except OSError as error:
        raise InvalidPathError(f"{text!r} cannot be reached: {error.strerror}") from None
    if is_file:
        return [_check(text)]
    if is_directory:
        # Checked here and not for each file, so that a single odd name below does not stop the rest.
        _check(text)
        return _below(text)
    if path.is_symlink():
        raise InvalidPathError(f"{text!r} is a broken link to {os.readlink(text)!r}")  # noqa: PTH115
    raise InvalidPathError(f"{text!r} is neither a file nor a directory, and so cannot be uploaded")


def _below(directory: str) -> Iterator[str]:
    try:
        with os.scandir(directory) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        # Not only a warning: files that were asked for would be missing on the render machine.
        raise InvalidPathError(f"directory {directory!r} cannot be read: {error.strerror}") from None
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path)
        elif entry.is_file():
            yield _kept(entry.path)
        elif entry.is_symlink():
            logger.warning("%r is a link to a directory or to nothing, and is left out", entry.path)
        else:
            logger.warning("%r is neither a file nor a directory, and is left out", entry.path)


def _kept(path: str) -> str:
    """Return a path found below a directory. A forbidden character is only warned about there."""
    if ":" in os.path.splitdrive(path)[1]:
        logger.warning("%r has a colon in it, which render machines may refuse", path)
    return _unicode(_with_slashes(path), path)


def _check(path: str, shown: str = "") -> str:
    """Return the path as the service wants it. Raises InvalidPathError for what it cannot hold."""
    shown = shown or path
    absolute = _with_slashes(path)
    rest = os.path.splitdrive(absolute)[1]
    if not rest.startswith("/"):
        raise InvalidPathError(f"{shown!r} is relative; give the whole path, beginning with /")
    if ":" in rest:
        raise InvalidPathError(f"{shown!r} has a colon in it, which the service does not accept")
    return _unicode(absolute, shown)


def _unicode(path: str, shown: str) -> str:
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidPathError(f"{shown!r} is not UTF-8, and cannot be written as JSON") from None
    return path


def _with_slashes(path: str) -> str:
    if os.name != "nt":
        return path
    return os.path.abspath(path).replace("\\", "/")  # noqa: PTH100 - text in, text out
