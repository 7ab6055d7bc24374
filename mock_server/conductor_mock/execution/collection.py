"""What appeared or changed below the output folder while a command ran."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

Seen = dict[str, tuple[int, int, int]]
"""What a file was, by its path below the folder: time of change, size, number."""


@dataclass(slots=True)
class Collected:
    """Files to download, relative to the folder and sorted, and what was refused, in words."""

    made: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def look(folder: str) -> Seen:
    """What lies below a folder now."""
    seen: Seen = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            seen[path.relative_to(folder).as_posix()] = (found.st_mtime_ns, found.st_size, found.st_ino)
    return seen


def collect(folder: str, before: Seen) -> Collected:
    """What is new or other than `before`. Links that lead out of the folder, and what is no file, are refused."""
    collected = Collected()
    root = Path(folder).resolve()
    for relative, now in sorted(look(folder).items()):
        if before.get(relative) == now:
            continue
        problem = _problem(root, root / relative)
        if problem is None:
            collected.made.append(relative)
        else:
            collected.refused.append(f"{_shown(relative)} is not collected: {problem}")
    for parent, names, _ in os.walk(folder):
        links = [Path(parent, name) for name in names if Path(parent, name).is_symlink()]
        collected.refused += [
            f"{_shown(str(link.relative_to(folder)))} is not collected: it is a link to a folder"
            for link in links
        ]
    return collected


def open_made(folder: str, relative: str) -> int:
    """A file descriptor of a file that was collected. Raises OSError when it has become something else."""
    path = (Path(folder).resolve() / relative).resolve()
    if not path.is_relative_to(Path(folder).resolve()):
        raise OSError(f"{_shown(relative)} leads out of the output folder")
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def _problem(root: Path, path: Path) -> str | None:
    try:
        path.name.encode("utf-8")
        str(path.relative_to(root)).encode("utf-8")
    except UnicodeEncodeError:
        return "its name is no text"
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, RuntimeError):
        return "it is a link to nowhere"
    if not target.is_relative_to(root):
        return "it is a link that leads out of the output folder"
    return None if stat.S_ISREG(mode) else "it is no file"


def _shown(name: str) -> str:
    return repr(name.encode("utf-8", "replace").decode()[:200])
