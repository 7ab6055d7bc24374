"""Mentions of a job's paths in its commands and variables, turned into paths of a private folder.

A mention is an absolute path, anywhere in a text: on its own, in quotes, behind `=`, `:`, `,` or a one-letter option
(`-I/proj/include`), as an entry of a list of paths, or as the beginning of a name (`/proj/render/shot_`). It is mapped
when it means something of the job:

1. the output path, or anything below it;
2. an uploaded file, or a folder on the way to one or to the output path (`/` itself excepted);
3. anything in a folder that directly holds an uploaded file (`/` excepted), whether it was uploaded or not:
   `/proj/textures/wood_%04d.exr`;
4. a wildcard or variable in a folder of 2 (`/proj/*/a.ma`, `/proj/$SHOT/a.ma`), or the beginning of a name there;
5. anything on a drive (`C:/`, `C:\\`) on which the job has a file or its output path; backslashes become slashes.

Everything else is left alone, so `/usr/bin/python` is this machine's, though the job has files in `/usr/local/x/`.
Names are compared as they are written, with or without backslashes in front of what a shell would read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from conductor_mock.execution.paths import WirePath, parse, place

_STOPS = r"\s\"'`;|&<>(),:=/\\"
_NAME = re.compile(rf"(?:[^{_STOPS}]|\\.)*", re.DOTALL)
_SIMPLE = re.compile(rf"[^{_STOPS}]*")
_CONTINUES = re.compile(r"[\w.~$})\]*?%#+\-/\\]")
"""Before a slash or drive letter: the path began earlier, so it is relative, a URL, or begins with a variable."""
_OPTION = re.compile(r"(?:^|[\s\"'=,;(])-[A-Za-z]\Z")
_MENTION = re.compile(r"[A-Za-z]:(?=[/\\])|/")
_WILD = re.compile(r"[*?\[{$<#%]")
_DRIVE_STOPS = re.compile(r"[\s\"'`;|&<>,]")


@dataclass(slots=True)
class _Folder:
    """A folder of the job. `open`: everything in it is the job's, uploaded or not."""

    children: dict[str, _Folder | None] = field(default_factory=dict)
    odd: dict[str, list[str]] = field(default_factory=dict)
    open: bool = False
    is_root: bool = False

    def add(self, name: str) -> _Folder:
        child = self.children.get(name)
        if child is None:
            self._note(name)
            child = self.children[name] = _Folder()
        return child

    def add_file(self, name: str) -> None:
        if name not in self.children:
            self._note(name)
            self.children[name] = None

    def _note(self, name: str) -> None:
        match = _SIMPLE.match(name)
        simple = match[0] if match else ""
        if (
            simple != name and name not in self.children
        ):  # a blank, a quote: no end of it can be seen in a text
            self.odd.setdefault(simple, []).append(name)
            self.odd[simple].sort(key=len, reverse=True)

    def find(self, text: str, at: int) -> tuple[str, int] | None:
        """The child that is named at `text[at:]`, and where its name ends."""
        match = _SIMPLE.match(text, at)
        simple = match[0] if match else ""
        for name in self.odd.get(simple, ()):
            end = _written(name, text, at)
            if end is not None and _SIMPLE.match(text, end)[0] == "":  # type: ignore[index]  # it always matches
                return name, end
        return (simple, at + len(simple)) if simple in self.children else None


class Tree:
    """The paths of one job, to find mentions of them in texts."""

    def __init__(self, files: Iterable[WirePath], output: WirePath | None) -> None:
        self._root = _Folder(is_root=True)
        self._drives: set[str] = set()
        for file in files:
            self._add(file, is_file=True)
        if output is not None:
            self._add(output, is_file=False)

    def map(self, text: str, folder: str) -> str:
        """`text` with every mention of the job's paths turned into a path below `folder`."""
        pieces: list[str] = []
        done = at = 0
        while (match := _MENTION.search(text, at)) is not None:
            start = match.start()
            at = match.end()
            if text.startswith("//", start) and start and text[start - 1] == ":":
                if not text.startswith("///", start) or not text[:start].endswith("file:"):
                    at = start + 2  # a URL
                    continue
                start, at = start + 2, start + 3
            elif not _begins(text, start):
                continue
            if match[0] != "/":
                drive = match[0][0].upper()
                at += 1  # past the slash, which begins nothing of its own
                if drive in self._drives:
                    end = _end_on_drive(text, start)
                    rest = text[start + 2 : end].replace("\\", "/")
                    pieces += [text[done:start], place(folder, drive), rest]
                    done = at = end
            elif (known := self._reach(text, start)) is not None:
                pieces += [text[done:start], place(folder, "")]
                done, at = start, known  # a slash behind a quote that is part of a name begins nothing
        return "".join([*pieces, text[done:]])

    def _add(self, path: WirePath, *, is_file: bool) -> None:
        if path.drive:
            self._drives.add(path.drive)
            return
        folder = self._root
        for name in path.names[:-1] if is_file else path.names:
            folder = folder.add(name)
        if is_file and path.names:
            folder.add_file(path.names[-1])
        folder.open = not folder.is_root  # else everything would be a mention

    def _reach(self, text: str, at: int) -> int | None:
        """How far the absolute path at `text[at:]` is known to go, or None when it means nothing of the job."""
        way = [self._root]
        while True:
            while text.startswith("/", at):
                at += 1
            folder = way[-1]
            found = folder.find(text, at)
            if found is not None:
                name, at = found
                child = folder.children[name]
                if child is None or not text.startswith("/", at):
                    return at
                way.append(child)
                continue
            match = _NAME.match(text, at)
            name = match[0] if match else ""
            if name == "..":
                way = way[: max(1, len(way) - 1)]
            elif name != ".":
                is_last = not text.startswith("/", at + len(name))
                is_one = any(one.open for one in way) or _may_be_child(folder, name, is_last=is_last)
                return at + len(name) if is_one else None
            at += len(name)


def _may_be_child(folder: _Folder, name: str, *, is_last: bool) -> bool:
    """Whether an unknown name in a folder of the job, or none, still means something of the job."""
    if folder.is_root:
        return False
    if not name or _WILD.search(name):
        return True
    return is_last and any(child.startswith(name) for child in folder.children)


def _begins(text: str, start: int) -> bool:
    """Whether an absolute path can begin here."""
    if not start or not _CONTINUES.match(text, start - 1):
        return True
    return _OPTION.search(text, max(0, start - 3), start) is not None


def _written(name: str, text: str, at: int) -> int | None:
    """Where `name` ends if it is written at `text[at:]`, with or without backslashes."""
    for letter in name:
        if text.startswith("\\", at) and text.startswith(letter, at + 1) and letter != "\\":
            at += 1
        if not text.startswith(letter, at):
            return None
        at += 1
    return at


def _end_on_drive(text: str, start: int) -> int:
    """Where a path on a drive ends: at the quote that it began with, else at the first blank or quote."""
    quote = text[start - 1] if start and text[start - 1] in "\"'" else None
    stops = re.compile(f"[;\n{quote}]") if quote else _DRIVE_STOPS
    match = stops.search(text, start)
    return match.start() if match else len(text)


def tree_of(paths: Iterable[str], output_path: str) -> Tree:
    """The tree of a job from the texts of the wire; what is not absolute is no part of it."""
    files = [path for path in map(parse, paths) if path is not None]
    return Tree(files, parse(output_path))
