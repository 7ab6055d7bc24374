"""Fetching one file: is it here, what is missing of it, is it right, then into its place."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.download.partial_file import PartialFile, RangeIgnoredError
from conductor.lib.download.plan import Overwrite, Placed
from conductor.lib.download.records import DownloadFile
from conductor.lib.download.report import FileResult, FileStatus
from conductor.lib.download.safe_paths import UnsafePathError, check_way
from conductor.lib.exceptions import (
    ConductorError,
    FileChangedError,
    InvalidPathError,
    LoginError,
    RefusedError,
    TryAgainError,
)
from conductor.lib.files.hashing import hash_file
from conductor.lib.files.local import LocalFile
from conductor.lib.wire.calls import Calls

logger = logging.getLogger(__name__)

# How often the whole file is fetched when what came is not what was promised (as the legacy downloaders do).
WHOLE_ATTEMPTS = 3
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG} if hasattr(errno, "EDQUOT") else {errno.ENOSPC})
_RANGE_NOT_SATISFIABLE = 416


class WrongContentError(TryAgainError):
    """What came is not what the service promised; nothing of it was kept."""


def check_md5(path: Path, *, size: int, md5: str | None) -> LocalFile | None:
    """Return the file at the path if it is this one: this many bytes, and this md5 (base64) unless None.

    None if it is another one, is not there, or is written to meanwhile. Raises InvalidPathError if it cannot be
    read.
    """
    try:
        here = LocalFile(str(path), path.stat())
        if here.size != size or md5 is None:
            return here if here.size == size else None
        here = hash_file(str(path))
    except (FileNotFoundError, FileChangedError):
        return None
    except OSError as error:
        raise InvalidPathError(f"{path} cannot be read: {error.strerror}") from None
    return here if here.md5 == md5 else None


class FileFetcher:
    """Fetches files for one download. Safe to use from several threads.

    ``renew`` returns a file with a new URL, for when one is no longer valid.
    """

    def __init__(
        self,
        calls: Calls,
        *,
        overwrite: Overwrite,
        cancellation: Cancellation,
        renew: Callable[[DownloadFile], DownloadFile],
    ) -> None:
        self._calls = calls
        self._overwrite = overwrite
        self._cancellation = cancellation
        self._renew = renew
        self.seen: list[LocalFile] = []
        """Files that are here, with the md5s that were found or fetched."""

    def fetch(
        self, placed: Placed, known: LocalFile | None = None, got: Callable[[int], None] = lambda _: None
    ) -> FileResult:
        """Make the file be in its place. ``got`` is told the bytes of every block.

        Returns what became of it; raises only CancelledError and what no other file would survive either.
        """
        self._cancellation.check()
        counted = _Counted(got, self._cancellation)
        status, reason, failure = FileStatus.FAILED, "", None
        try:
            check_way(placed.folder, placed.parts)
            status = self._bring(placed, known, counted)
        except UnsafePathError as error:
            status, reason = FileStatus.REFUSED, str(error)
        except OSError as error:
            reason = error.strerror or str(error)
            if error.filename and str(error.filename) != str(placed.path):
                reason += f" ({error.filename})"
        except (CancelledError, LoginError):
            raise
        except ConductorError as error:
            reason, failure = str(error), error
        return FileResult(placed.file, str(placed.path), status, reason, counted.bytes, failure)

    def _bring(self, placed: Placed, known: LocalFile | None, counted: _Counted) -> FileStatus:
        if self._is_here(placed, known):
            return FileStatus.KEPT
        placed.path.parent.mkdir(parents=True, exist_ok=True)
        waited = _Waited(self._cancellation)
        file = placed.file
        partial = PartialFile(placed.path, size=file.size, md5=file.md5, wait=waited, got=counted)
        with closing(partial):
            if waited.for_another and self._is_here(placed, None):
                partial.discard()
                return FileStatus.KEPT
            try:
                self._complete(partial, file)
            except BaseException as error:
                full = isinstance(error, OSError) and error.errno in _FULL  # what is freed may do for others
                if full or partial.count == 0:
                    partial.discard()
                raise
            check_way(placed.folder, placed.parts)
            fetched = LocalFile(str(placed.path), partial.put_in_place())
        if file.md5:
            self.seen.append(fetched.with_md5(file.md5))
        return FileStatus.FETCHED

    def _is_here(self, placed: Placed, known: LocalFile | None) -> bool:
        if self._overwrite is Overwrite.ALWAYS:
            return False
        if self._overwrite is Overwrite.NEVER:
            return placed.path.exists()
        file = placed.file
        if known is not None:
            return known.size == file.size and known.md5 == file.md5
        here = check_md5(placed.path, size=file.size, md5=file.md5)
        if here is not None and here.md5:
            self.seen.append(here)
        return here is not None

    def _complete(self, partial: PartialFile, file: DownloadFile) -> None:
        """Fetch what is missing until the whole is right. Raises what the last attempt did."""
        for attempt in range(1, WHOLE_ATTEMPTS + 1):
            begun_with = partial.count
            if not partial.right:
                if partial.count >= file.size and file.size:
                    partial.start_over()
                    begun_with = 0
                self._receive(partial, file)
            if partial.right:
                return
            wrong = _wrong(partial, file)
            partial.start_over()
            logger.info("%s; attempt %d, begun with %d bytes", wrong, attempt, begun_with)
        partial.discard()
        raise wrong

    def _receive(self, partial: PartialFile, file: DownloadFile) -> None:
        """Fetch what is missing, on and on while something comes; with a new URL where the old one is refused."""
        furthest, renewed = partial.count, False
        while True:
            try:
                self._calls.objects_get(file.url, partial, about=repr(file.relative_path))
            except RefusedError as error:
                if error.status == _RANGE_NOT_SATISFIABLE and partial.count:
                    partial.start_over()
                elif renewed:
                    raise
                else:
                    file, renewed = self._renewed(file, error), True
            except RangeIgnoredError:
                if not partial.count:
                    raise
                partial.start_over()
            except TryAgainError:
                if partial.count <= furthest:
                    raise
            else:
                return
            self._cancellation.check()
            furthest = max(furthest, partial.count)

    def _renewed(self, file: DownloadFile, refusal: RefusedError) -> DownloadFile:
        try:
            return self._renew(file)
        except (TryAgainError, RefusedError) as error:
            raise RefusedError(
                f"{refusal}; a new URL could not be got: {error}",
                operation=refusal.operation,
                status=refusal.status,
                attempts=refusal.attempts,
                acted=refusal.acted,
            ) from None


def _wrong(partial: PartialFile, file: DownloadFile) -> ConductorError:
    got = (
        f"more than {file.size}" if partial.overrun else f"{partial.count} bytes of md5 {partial.actual_md5}"
    )
    return WrongContentError(
        f"expected {file.size} bytes of md5 {file.md5}, got {got}",
        operation="objects.get",
    )


class _Counted:
    """Counts the bytes of a file's blocks, and ends it between two of them when cancelled."""

    def __init__(self, got: Callable[[int], None], cancellation: Cancellation) -> None:
        self._got, self._cancellation = got, cancellation
        self.bytes = 0

    def __call__(self, count: int) -> None:
        self.bytes += count
        self._got(count)
        self._cancellation.check()


class _Waited:
    """Waits for another process, and remembers that it did."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self.for_another = False

    def __call__(self, seconds: float) -> None:
        self.for_another = True
        self._cancellation.wait(seconds)
        self._cancellation.check()
