"""Which servers use a data directory together: who came first, and whether all of them went as they should.

Each of them has a file in the folder `running` for as long as it runs. One that is still there when the last one goes
is of a server that was killed, and the next one looks for what that has left behind.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from conductor_mock.store.durable import private_folder
from conductor_mock.store.ownership import SharedOwnership, share_file

FOLDER = "running"


class Membership:
    """One server among those that share a data directory. The first one has it alone until `share`."""

    def __init__(self, directory: Path) -> None:
        """Raises DatabaseError for a directory that somebody has alone, OSError."""
        self._folder = directory / FOLDER
        self._lock: SharedOwnership = share_file(directory / "lock", f"the data directory {directory}")
        self.is_first = self._lock.is_first
        self._mine = self._folder / secrets.token_hex(8)
        try:
            private_folder(self._folder)
            if self.is_first:
                for left in self._folder.iterdir():
                    left.unlink()
            self._mine.touch(0o600)
        except BaseException:
            self._lock.release()
            raise

    def share(self) -> None:
        """All is prepared: let the others in. Raises NotToBeSharedError."""
        if self.is_first:
            self._lock.share()

    def leave(self, *, is_clean: bool) -> bool:
        """Go; whether it was the last one, after all others went as they should. The directory is still ours then."""
        with suppress(OSError):
            if is_clean:
                self._mine.unlink()
        return self._lock.is_last() and not any(self._folder.iterdir())

    def release(self) -> None:
        """Give the directory back."""
        self._lock.release()
