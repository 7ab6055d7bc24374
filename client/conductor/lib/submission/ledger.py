"""What other submissions of this user are known to have made: a small file for each, seen by every process.

The job list names no submission, so a job in it can only be told to be one's own where nobody else can have made it.
A submission notes itself before it sends anything, and what came of it afterwards: whoever finds a job whose answer
was lost reads then which jobs have their submission, and whether there is one whose end nobody knows. Used only where
the service does not honour Idempotency-Key. What is seen is one machine, or one cache folder that several share.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from conductor.lib.files.digests import hashed_name
from conductor.lib.files.local_paths import cache_folder
from conductor.lib.files.replacing import replace_file

logger = logging.getLogger(__name__)

# Seconds after which a submission that was never heard of again makes no job any more; twice what an answer may take.
KEPT = 600.0


class Others(NamedTuple):
    """What may have come of other submissions since one began.

    ``made`` are ids of jobs that have their submission; ``unsettled`` says that there may be others.
    """

    made: frozenset[str] = frozenset()
    unsettled: bool = False


def ledger_folder() -> Path:
    """Return where the files lie: in the user's cache folder."""
    return cache_folder() / "submissions"


class Ledger:
    """The submissions of one title to one service."""

    def __init__(self, folder: Path, origin: str, title: str) -> None:
        self._folder = folder
        self._group = hashed_name(f"{origin}\0{title.strip()}")[:32]

    @contextmanager
    def entry(self) -> Iterator[Entry]:
        """Note a submission, before it sends anything; it stays noted unless the entry is settled in the block."""
        own = self._folder / f"{self._group}-{os.urandom(16).hex()}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._forget_old()
            own.touch(mode=0o600)
            settled = frozenset(path.name for path, jid in self.read() if jid)
        except OSError as error:
            logger.warning("submissions cannot be noted in %s: %s", self._folder, error.strerror)
            yield Entry(self, None, frozenset())
            return
        yield Entry(self, own, settled)

    def read(self) -> list[tuple[Path, str]]:
        """Return each submission with the id of its job; empty where it is not known. Raises OSError."""
        found = []
        for path in self._folder.glob(f"{self._group}-*"):
            with suppress(FileNotFoundError):  # it made no job
                found.append((path, path.read_text(encoding="utf-8")))
        return found

    def _forget_old(self) -> None:
        oldest = time.time() - KEPT
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):  # another process was faster
                if path.stat().st_mtime < oldest:
                    path.unlink()


class Entry:
    """One submission in the ledger. ``settled`` are those that had their job, for all to see, before it began."""

    def __init__(self, ledger: Ledger, path: Path | None, settled: frozenset[str]) -> None:
        self._ledger, self._path, self._settled = ledger, path, settled

    def made(self, jid: str) -> None:
        """Note the id of its job."""
        if self._path is not None:
            try:
                replace_file(self._path, jid.encode(), private=True)
            except OSError as error:  # then it stays one whose end is not known
                logger.warning("%s cannot be written: %s", self._path, error.strerror)

    def none(self) -> None:
        """Forget it: it certainly made no job."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def others(self) -> Others:
        """Return what may have come of others. Read the job list first: who is in it was noted before."""
        if self._path is None:
            return Others(unsettled=True)
        try:
            listed = [(path, jid) for path, jid in self._ledger.read() if self._concerns(path)]
        except OSError as error:
            logger.warning("the notes of submissions cannot be read: %s", error)
            return Others(unsettled=True)
        return Others(frozenset(jid for _, jid in listed if jid), not all(jid for _, jid in listed))

    def _concerns(self, path: Path) -> bool:
        return path != self._path and path.name not in self._settled
