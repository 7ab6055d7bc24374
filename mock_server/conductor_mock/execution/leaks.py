"""Mapped texts read once more, in ways that `mapping.py` does not read them: what still leads out is refused.

A text is searched for absolute paths, with all quotes and backslashes taken out of it, each read to its next blank or
mark, to a backslash that some program may take for the end of it (`/proj/scenes\\n`), and to the end of the shell's
word. Refused are those that

- mean something of the job below one of its folders, as they are written or through links of this machine;
- begin in the private folder, and lead out of it;
- begin with a wildcard that fits one of the job's folders.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from conductor_mock.execution.beginnings import begins, is_file_url, url_at
from conductor_mock.execution.mapping import Tree
from conductor_mock.execution.paths import parse
from conductor_mock.execution.reading import Reading, read

_STARTS = re.compile(r"/+")
_NEXT_STOP = re.compile(r"[\s\"'`;|&<>(),:=]")
_ESCAPE = re.compile(r"\\+(?=[\w.\"'`])")
_IS_DEEP = re.compile(r"/\.\.(?:/|$)")
_SYNTAX = re.compile(r"[\"'\\]")
_WILD = re.compile(r"[*?\[{$]")
_VARIABLE = re.compile(r"\$\{[^}]*\}|\$\w+|\{[^}]*\}|[{$].*")
_LONGEST = 4096
"""No system takes a longer path."""

Real = Callable[[str], str]


class LeakError(ValueError):
    """A text leads out of the private folder; the text of this names the mention."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What the runs of one job must not reach: its folders, and where links of this machine lead to the same ones."""

    tree: Tree
    roots: tuple[tuple[str, ...], ...]
    real_roots: tuple[str, ...]
    real: Real

    def check(self, mapped: str, folder: str, *, is_command: bool) -> None:
        """Raise LeakError when a text mapped into `folder` still leads to what is the job's."""
        for text in dict.fromkeys((mapped, _SYNTAX.sub("", mapped))):
            reading = read(text, is_command=is_command)
            for mention in _mentions(reading, text):
                found = self._leads_to(mention, folder)
                if found is not None:
                    raise LeakError(
                        f"{mention[:120]!r} leads to {found[:120]!r}, which cannot be turned into a path of the "
                        "task's own folder; write that path in full, without quotes, wildcards, links and '..' in it"
                    )

    def _leads_to(self, mention: str, folder: str) -> str | None:
        path = parse(mention)
        if path is None or not path.names:
            return None
        plain = "/" + "/".join(path.names)
        if _is_below(plain, folder):
            return None
        if mention.startswith(folder + "/") or self.tree.holds(path.names):
            return plain
        if _WILD.search(path.names[0]):
            for root in (*self.roots, *(tuple(place.split("/")[1:]) for place in self.real_roots)):
                if len(path.names) >= len(root) and all(map(_may_mean, path.names, root)):
                    return "/" + "/".join(root)
            return None
        if not self.real_roots:
            return None
        try:
            real = self.real(plain)
        except ValueError:  # no system has such a path
            return None
        return next((real for root in self.real_roots if _is_below(real, root)), None)


def guard(tree: Tree, *, real: Real = os.path.realpath) -> Guard:
    """The guard of a job. Links are followed where the job's folders are on this machine too."""
    roots = tuple(tree.roots())
    written = ["/" + "/".join(root) for root in roots]
    found = tuple(real(path) for path in written if "\0" not in path and os.path.isdir(path))  # noqa: PTH112 - a text
    return Guard(tree, roots, found, real)


def _mentions(reading: Reading, text: str) -> Iterator[str]:
    seen = reading.seen
    for match in _STARTS.finditer(seen):
        start = match.start()
        host = url_at(seen, start)
        if host is not None:
            if not is_file_url(seen, start):
                continue
            start = host
        elif not begins(reading, text, start):
            continue
        stop = _NEXT_STOP.search(seen, start)
        end = stop.start() if stop else len(seen)
        yield seen[start:end]
        escape = _ESCAPE.search(seen, start)
        if escape is not None and escape.start() < end:
            yield seen[start : escape.start()]
        index = bisect_left(reading.breaks, start)
        last = reading.breaks[index] if index < len(reading.breaks) else len(seen)
        last = min(last, start + _LONGEST)
        if last > end and (seen.startswith("/{", start) or _IS_DEEP.search(seen, end, last)):
            yield seen[start:last]


def _may_mean(pattern: str, name: str) -> bool:
    """Whether a shell may make `name` of `pattern`; a variable or a list in braces may be anything."""
    return fnmatchcase(name, _VARIABLE.sub("*", pattern))


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
