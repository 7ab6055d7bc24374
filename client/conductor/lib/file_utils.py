"""Finding the files that upload paths mean (wire reference 6): files, directories, variables, patterns.

``look_at`` then says what they are at this moment, which is what an ``Uploader`` takes.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from conductor.lib.exceptions import InvalidPathError
from conductor.lib.files.local import LocalFile, look_at
from conductor.lib.files.local_paths import home_expanded
from conductor.lib.files.patterns import is_pattern, matches
from conductor.lib.files.text_file import NotTextError, read_text

__all__ = ["LocalFile", "expand_paths", "look_at", "read_path_list"]

logger = logging.getLogger(__name__)

# Links that lead nowhere: to nothing, in a circle, through a file, to a name that no disk holds.
_LEADS_NOWHERE = frozenset({errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG})
_FIRST_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)


def expand_paths(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Return the absolute paths of all files meant, each once, in the order in which they are first meant.

    An existing file or directory is taken literally, whatever its name looks like; else ``~`` and environment
    variables are expanded, and then markers such as ``####`` and ``<UDIM>`` match any text without a separator (see
    ``files.patterns``). Below a directory everything is taken, in the order of names, without following links to
    directories. Empty text stands for nothing, as with the vendor's client; the root of a disk is never meant.

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
    """Return the paths in a text file, one on each line. Raises InvalidPathError if it cannot be read.

    A line is the path as it stands if that is there; else blanks around it are no part of it.
    """
    try:
        text = read_text(Path(path))
    except OSError as error:
        raise InvalidPathError(f"upload_file {path!r} cannot be read: {error.strerror}") from None
    except NotTextError as error:
        raise InvalidPathError(f"upload_file {path!r} {error}") from None
    # Only what ends a line in a text file: U+2028 and its like may be part of a name.
    return [_written(line) for line in text.split("\n") if line.strip()]


def _written(line: str) -> str:
    return line if os.path.lexists(line) and Path(line).is_absolute() else line.strip(" \t\r\f\v")


def _expand(text: str) -> Iterable[str]:
    if not text:
        return ()
    if "\0" in text:
        raise InvalidPathError(f"{text!r} holds a NUL character")
    if os.path.lexists(text):
        return _existing(text)
    first = _FIRST_VARIABLE.match(text)
    if first and os.environ.get(first[1] or first[2]) == "":
        raise InvalidPathError(f"{text!r} begins with a variable that is empty")
    expanded = os.path.expandvars(home_expanded(text))
    if os.path.lexists(expanded):
        return _existing(expanded)
    _check(expanded, shown=text)
    hits = matches(expanded)
    if not hits:
        raise InvalidPathError(
            f"{text!r} matches no files"
            if is_pattern(expanded)
            else f"{text!r} does not exist, or lies in a folder that cannot be read"
        )
    return [file for hit in hits for file in _existing(hit)]


def _existing(text: str) -> Iterable[str]:
    """Return what a path that exists stands for."""
    path = Path(text)
    try:
        is_file, is_directory = path.is_file(), path.is_dir()
    except OSError as error:
        if error.errno not in _LEADS_NOWHERE:
            raise InvalidPathError(f"{text!r} cannot be reached: {error.strerror}") from None
        is_file = is_directory = False
    if is_file:
        return [_check(text)]
    if is_directory:
        # Checked here and not for each file, so that a single odd name below does not stop the rest.
        _check(text)
        if _is_root(text):
            raise InvalidPathError(
                f"{text!r} is a whole disk, which nobody means to upload (is a variable empty?); name folders of it"
            )
        return _below(text)
    if path.is_symlink():
        raise InvalidPathError(f"{text!r} is a broken link to {os.readlink(text)!r}")  # noqa: PTH115
    raise InvalidPathError(f"{text!r} is neither a file nor a directory, and so cannot be uploaded")


def _is_root(directory: str) -> bool:
    real = os.path.realpath(directory)
    return os.path.dirname(real) == real  # noqa: PTH120 - of text


def _below(top: str) -> Iterator[str]:
    """Yield all files below a directory, in the order of names, however deep they lie."""
    waiting = [iter(_entries(top))]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
        elif entry.is_dir(follow_symlinks=False):
            waiting.append(iter(_entries(entry.path)))
        elif _is_file(entry):
            yield _kept(entry.path)
        elif entry.is_symlink():
            logger.warning("%r is a link to a directory or to nothing, and is left out", entry.path)
        else:
            logger.warning("%r is neither a file nor a directory, and is left out", entry.path)


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as listing:
            return sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        # Not only a warning: files that were asked for would be missing on the render machine.
        raise InvalidPathError(f"directory {directory!r} cannot be read: {error.strerror}") from None


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Say whether something in a directory is a file, or a link to one.

    Raises InvalidPathError where that cannot be seen.
    """
    try:
        return entry.is_file()
    except OSError as error:
        if error.errno in _LEADS_NOWHERE:
            return False
        raise InvalidPathError(f"{entry.path!r} cannot be reached: {error.strerror}") from None


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
