"""Mentions of a job's paths in its commands and variables, turned into paths of a private folder.

A mention is an absolute path, anywhere in a text: on its own, in quotes, behind `=`, `:`, `,` or an option
(`-I/proj/include`), as an entry of a list of paths, in a `file:` URL, behind `~name`, or as the beginning of a name
(`/proj/render/shot_`). What it means is what is left of it without `.`, `..` and empty names. It is mapped when that
is something of the job:

1. the output path, or anything below it;
2. an uploaded file, or a folder on the way to one or to the output path (`/` itself excepted);
3. anything in a folder that directly holds an uploaded file (`/` excepted), whether it was uploaded or not:
   `/proj/textures/wood_%04d.exr`;
4. a wildcard or variable in a folder of 2 (`/proj/*/a.ma`, `/proj/$SHOT/a.ma`), or the beginning of a name there;
5. anything on a drive (`C:/`, `C:\\`) on which the job has a file or its output path; backslashes become slashes.

Everything else is left alone, so `/usr/bin/python` is this machine's, though the job has files in `/usr/local/x/`.
A mapped mention has no `..` left in it: the folder before it need not exist. What was mapped is read once more, in
other ways (`leaks.py`), and a text that still leads into the job's paths is refused.
"""

from __future__ import annotations

import pwd
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from conductor_mock.execution.beginnings import begins, is_file_url, url_at
from conductor_mock.execution.paths import WirePath, parse, place, without_dots
from conductor_mock.execution.reading import read

_STOPS = r"\s\"'`;|&<>(),:=/\\"
_NAME = re.compile(rf"(?:[^{_STOPS}]|\\[^/])*", re.DOTALL)
_SIMPLE = re.compile(rf"[^{_STOPS}]*")
_SLASHES = re.compile(r"(?:\\?/)+")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MENTION = re.compile(r"[A-Za-z]:(?=[/\\])|\\?/|~[A-Za-z_][\w.-]*")
_WILD = re.compile(r"[*?\[{$<#%]")
_DRIVE_STOPS = re.compile(r"[\s\"'`;|&<>,]")

Homes = Callable[[str], "str | None"]
"""The home of a user of this machine, by name."""


def home_of(user: str) -> str | None:
    """What a shell makes of `~user`."""
    try:
        return pwd.getpwnam(user).pw_dir
    except KeyError:
        return None


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
        for name in self.odd.get(_match(_SIMPLE, text, at), ()):
            end = _written(name, text, at)
            if end is not None and not _match(_SIMPLE, text, end):
                return name, end
        written = _match(_NAME, text, at)
        for name in dict.fromkeys((written, _closed(written))):
            plain = _ESCAPE.sub(r"\1", name)
            for child in (name, plain):
                if child in self.children:
                    return child, at + len(name)
        return None


class Tree:
    """The paths of one job, to find mentions of them in texts."""

    def __init__(self, files: Iterable[WirePath], output: WirePath | None) -> None:
        self._root = _Folder(is_root=True)
        self._drives: set[str] = set()
        for file in files:
            self._add(file, is_file=True)
        if output is not None:
            self._add(output, is_file=False)

    def map(self, text: str, folder: str, *, is_command: bool = True, homes: Homes = home_of) -> str:
        """`text` with every mention of the job's paths turned into a path below `folder`."""
        if not _MENTION.search(text):
            return text
        reading = read(text, is_command=is_command)
        seen = reading.seen
        edits: list[tuple[int, int, str]] = []
        at = 0
        while (match := _MENTION.search(seen, at)) is not None:
            start, at = match.start(), match.end()
            if (host := url_at(seen, start)) is not None:
                at = host
                if not is_file_url(seen, start) or not seen.startswith("/", host):
                    continue
                start, at = host, host + 1
            elif not begins(reading, text, start):
                continue
            if seen[start].isalpha():
                drive = seen[start].upper()
                if (
                    drive in self._drives
                ):  # else a list, or a folder of this machine: the slash may begin a mention
                    at += 1
                    first = reading.starts[start]
                    end = _end_on_drive(text, first)
                    rest = without_dots(text[first + 2 : end].replace("\\", "/"))
                    edits.append((first, end, place(folder, drive) + rest))
                    at = max(at, bisect_left(reading.starts, end))
            elif (mention := self._read(seen, start, match, homes)) is not None:
                first = reading.starts[start]
                is_home = seen[start] == "~"
                after = reading.ends[match.end() - 1] if is_home else first
                edits.append((first, after, place(folder, "") + mention.home))
                for index in mention.dropped:
                    edits.append((reading.starts[index], reading.ends[index], ""))
                at = mention.end  # a slash behind a quote that is part of a name begins nothing
        return _edited(text, edits)

    def holds(self, names: Sequence[str], *, is_whole: bool = True) -> bool:
        """Whether a path without dots means something of the job; `is_whole` unless its last name may go on."""
        return self._is_ours(list(names), is_last=not is_whole)

    def roots(self) -> list[tuple[str, ...]]:
        """The folders of POSIX paths in which everything is the job's; those below another one are not named."""
        found: list[tuple[str, ...]] = []
        left: list[tuple[tuple[str, ...], _Folder]] = [((), self._root)]
        while left:
            names, folder = left.pop()
            if folder.open:
                found.append(names)
            else:
                left += [((*names, name), one) for name, one in folder.children.items() if one is not None]
        return found

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

    def _read(self, seen: str, start: int, match: re.Match[str], homes: Homes) -> _Mention | None:
        """The absolute path at `seen[start:]`, or None when it means nothing of the job."""
        home, at = "", start
        if seen[start] == "~":
            at = match.end()
            home = homes(match[0][1:]) or ""
            if not home:
                return None
        above = parse(home)
        way = [_Step(name, None) for name in (above.names if above else ())]
        dropped: list[int] = []
        is_last = True
        while (slashes := _SLASHES.match(seen, at)) is not None:
            first, at = at, slashes.end()
            folder = self._folder([step.name for step in way])
            found = None if folder is None else _child(folder, seen, slashes)
            if found is None:
                written = _closed(_match(_NAME, seen, at))
                found = _ESCAPE.sub(r"\1", written), at + len(written)
            name, at = found
            is_last = bool(name)
            if name == "..":
                gone = way.pop() if way else None
                if gone is not None and gone.start is None:
                    home = home.rstrip("/").rpartition("/")[0]
                dropped += range(first if gone is None or gone.start is None else gone.start, at)
            elif name not in ("", "."):
                way.append(_Step(name, first))
        if not self._is_ours([step.name for step in way], is_last=is_last):
            return None
        return _Mention(at, sorted(set(dropped)), home.rstrip("/"))

    def _folder(self, names: list[str]) -> _Folder | None:
        folder: _Folder | None = self._root
        for name in names:
            folder = None if folder is None else folder.children.get(name)
        return folder

    def _is_ours(self, names: list[str], *, is_last: bool) -> bool:
        folder = self._root
        for index, name in enumerate(names):
            if folder.open:
                return True
            if name not in folder.children:
                return _may_be_child(folder, name, is_last=is_last and index == len(names) - 1)
            child = folder.children[name]
            if child is None:
                return True
            folder = child
        return not folder.is_root


@dataclass(frozen=True, slots=True)
class _Step:
    """A name of a mention, and where the slashes in front of it begin; None for a name of a home."""

    name: str
    start: int | None


@dataclass(frozen=True, slots=True)
class _Mention:
    """Where a mention ends, what of it `..` undoes, and what `~name` in front of it stands for."""

    end: int
    dropped: list[int]
    home: str


def _may_be_child(folder: _Folder, name: str, *, is_last: bool) -> bool:
    """Whether an unknown name in a folder of the job, or none, still means something of the job."""
    if folder.is_root:
        return False
    if not name or _WILD.search(name):
        return True
    return is_last and any(child.startswith(name) for child in folder.children)


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end, new in sorted(edits, key=lambda edit: edit[0]):  # of one place: as they were made
        pieces += [text[done:start], new]
        done = max(done, end)
    return "".join([*pieces, text[done:]])


def _child(folder: _Folder, seen: str, slashes: re.Match[str]) -> tuple[str, int] | None:
    """The child that is named behind these slashes, and where its name ends.

    A backslash before a slash is part of it, unless a child is called that.
    """
    for at in range(slashes.start() + 1, slashes.end()):
        if seen[at] == "\\" and (found := folder.find(seen, at)) is not None:
            return found
    return folder.find(seen, slashes.end())


def _match(pattern: re.Pattern[str], text: str, at: int) -> str:
    match = pattern.match(text, at)
    return match[0] if match else ""


def _closed(name: str) -> str:
    """A name up to the brace that closes what was opened before it: `${OUT:-/proj/render}`, `{/proj/a,/proj/b}`."""
    depth = 0
    for index, letter in enumerate(name):
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return name[:index]
    return name


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
