"""What a path with markers stands for on this disk, one name of it after the other.

A name has three readings, and the first that something bears is taken: as it is written; with its markers (``####``,
``<UDIM>``) standing for any text and everything else as written; as a pattern of a shell, in which brackets have a
meaning too. So ``[wip]/t.####.png`` are the pictures of the folder ``[wip]`` where there is one, and those of ``w``,
``i`` and ``p`` only where there is none.
"""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from pathlib import Path

# What stands for a changing part of a name; longer ones before those they begin with (wire reference 6).
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
_STEPS = re.compile(r"[/\\]+|[^/\\]+" if os.name == "nt" else r"/+|[^/]+")


def is_pattern(path: str) -> bool:
    """Say whether a path has anything in it that may stand for something else."""
    return glob.has_magic(_MARKERS.sub("*", path))


def matches(path: str) -> list[str]:
    """Return what is there of what an absolute path stands for, in the order of names.

    Text without a separator is matched, and no leading dot unless the name begins with one, as in a shell. A folder
    that cannot be read has no hits.
    """
    drive, rest = os.path.splitdrive(path)
    places = [drive]
    for step in _STEPS.findall(rest):
        if step[0] in "/\\" and not step.strip("/\\"):
            places = [place + step for place in places if place == drive or Path(place).is_dir()]
        else:
            places = [place + name for place in places for name in _named(place, step)]
    return sorted(places)


def _named(folder: str, step: str) -> list[str]:
    """Return the names in a folder that a step of a path stands for."""
    if os.path.lexists(folder + step):
        return [step]
    marked = "".join(
        "*" if number % 2 else glob.escape(text) for number, text in enumerate(_split_markers(step))
    )
    pattern = _MARKERS.sub("*", step)
    if not glob.has_magic(pattern):
        return []
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names as text
    except (OSError, ValueError):
        return []
    if not step.startswith("."):
        names = [name for name in names if not name.startswith(".")]
    return fnmatch.filter(names, marked) or fnmatch.filter(names, pattern)


def _split_markers(step: str) -> list[str]:
    """Return text and markers of a step by turns, text first."""
    parts, at = [], 0
    for marker in _MARKERS.finditer(step):
        parts += [step[at : marker.start()], marker.group()]
        at = marker.end()
    return [*parts, step[at:]]
