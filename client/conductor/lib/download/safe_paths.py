"""Where a file that the service names may go on this machine: below the output folder, or nowhere.

A server's word is no path. What climbs out of the folder is refused on every system: absolute paths, ``..``,
drives, UNC shares, links on the way. So is, unless ``portable`` is off, what only some systems can hold: device
names (``NUL``), dots and spaces at the end, the characters that Windows forbids, and names that differ only in case
within one download. A farm serves many workstations, and what lies on a shared disk must be there for all of them.
"""

from __future__ import annotations

import os
import re
import stat as stat_modes
import unicodedata
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

_DRIVE = re.compile(r"[A-Za-z]:")
_SEPARATORS = re.compile(r"[/\\]")
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"|?*]')
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE
)
_REPARSE_POINT = 0x400  # FILE_ATTRIBUTE_REPARSE_POINT: links and junctions of Windows


class UnsafePathError(ValueError):
    """A path that is not used; the message says why."""


def safe_parts(relative_path: str, *, windows: bool, portable: bool = True) -> tuple[str, ...]:
    """Return the parts of a path that stays below whatever it is put under. Raises UnsafePathError.

    ``windows`` says for which system, since there a backslash separates, and all that is not portable is refused.
    """
    _check_text(relative_path)
    if relative_path[:1] in ("/", "\\"):
        raise UnsafePathError("it is absolute")
    if _DRIVE.match(relative_path):
        raise UnsafePathError("it begins with a drive")
    if ".." in _SEPARATORS.split(relative_path):
        raise UnsafePathError("it leads out of the folder (..)")
    portable = portable or windows
    if "\\" in relative_path and not windows and portable:
        raise UnsafePathError("it holds a backslash, which separates folders on Windows")
    written = _SEPARATORS.split(relative_path) if windows else relative_path.split("/")
    if written[-1] in ("", "."):
        raise UnsafePathError("it names no file")
    parts = tuple(part for part in written if part not in ("", "."))
    if portable:
        for part in parts:
            _check_portable(part)
    return parts


def _check_text(path: str) -> None:
    if not path:
        raise UnsafePathError("it is empty")
    if "\0" in path:
        raise UnsafePathError("it holds NUL")
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise UnsafePathError("it is not text") from None


def _check_portable(part: str) -> None:
    # Windows reads "nul.0001.exr" and "nul .exr" as the device too.
    if _DEVICE.fullmatch(part.partition(".")[0].rstrip(" ")):
        raise UnsafePathError(f"{part!r} is a device on Windows")
    if part[-1] in ". ":
        raise UnsafePathError(f"{part!r} ends with a dot or a space, which Windows drops")
    if _FORBIDDEN.search(part):
        raise UnsafePathError(f"{part!r} holds a character that Windows forbids")


def output_folder(
    output_dir: str, job_id: str, destination: PurePath | None, home: PurePath, *, windows: bool
) -> PurePath:
    """Return the folder that a job's files go below. Raises UnsafePathError.

    ``destination``/JOB if there is one, else the job's own output path, else, where that is a path of another
    system, ``home``/CONDUCTOR_DOWNLOADS/JOB, as with the vendor's client (wire reference 2.14).
    """
    flavour = PureWindowsPath if windows else PurePosixPath
    if destination is None:
        _check_text(output_dir)
        own = flavour(output_dir)
        if ".." in own.parts:
            raise UnsafePathError(f"the job's output path {output_dir!r} holds ..")
        if own.is_absolute():
            return own
        if not (PureWindowsPath(output_dir).is_absolute() or PurePosixPath(output_dir).is_absolute()):
            raise UnsafePathError(f"the job's output path {output_dir!r} is not absolute; name a destination")
        destination = home / "CONDUCTOR_DOWNLOADS"
    parts = safe_parts(job_id, windows=windows)
    if len(parts) != 1:
        raise UnsafePathError(f"the job id {job_id!r} is not the name of a folder")
    return destination / parts[0]


def check_way(folder: Path, parts: tuple[str, ...]) -> None:
    """Look at what is there between the folder and the file, the file included. Raises UnsafePathError.

    The folder itself may be a link: whoever named it chose so.
    """
    way = folder
    for number, part in enumerate(parts, 1):
        way = way / part
        try:
            stat = way.lstat()
        except FileNotFoundError:
            return
        except NotADirectoryError:
            raise UnsafePathError(f"{way.parent} is not a folder") from None
        if stat_modes.S_ISLNK(stat.st_mode) or getattr(stat, "st_file_attributes", 0) & _REPARSE_POINT:
            raise UnsafePathError(f"{way} is a link")
        if number == len(parts) and not stat_modes.S_ISREG(stat.st_mode):
            raise UnsafePathError(f"{way} is there already and is not a regular file")


class Claims:
    """Which file of one download is where, so that no two different ones end up as one."""

    def __init__(self, *, portable: bool = True) -> None:
        self._portable = portable
        self._owners: dict[str, tuple[str, str, str | None]] = {}

    def claim(self, path: PurePath, owner: str, md5: str | None) -> None:
        """Note a path for a file. Raises UnsafePathError if a file of other content has it in this download."""
        key = _folded(str(path)) if self._portable else str(path)
        before, who, held = self._owners.setdefault(key, (str(path), owner, md5))
        if before != str(path):
            raise UnsafePathError(f"its name differs only in case from {before} of {who}")
        if who != owner and (md5 is None or md5 != held):
            raise UnsafePathError(f"{who} has another file of this name")


def _folded(path: str) -> str:
    """Return what is equal for names that file systems without case take for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def is_windows() -> bool:
    """Say whether paths of this system are those of Windows."""
    return os.name == "nt"
