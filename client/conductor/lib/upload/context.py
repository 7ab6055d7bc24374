"""One upload as its files see it: the service, what was done so far, and what waits to be sent."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from conductor.lib.cancellation import Cancellation
from conductor.lib.files.local import LocalFile
from conductor.lib.transfers.work_pool import Work
from conductor.lib.upload.plan import UploadPlan, plan_of
from conductor.lib.upload.progress import Meter
from conductor.lib.wire.calls import Calls

if TYPE_CHECKING:
    from conductor.lib.upload.part_memory import PartMemory  # SQLite is only loaded where it is used


class UploadContext:
    """What the files of one upload share. Only the coordinating thread may change it; ``ask`` is a piece of work."""

    def __init__(
        self,
        calls: Calls,
        project: str | None,
        stop: Cancellation,
        meter: Meter,
        part_memory: PartMemory | None,
    ) -> None:
        self.calls, self.project, self.stop = calls, project, stop
        self.meter, self.part_memory = meter, part_memory
        self.to_send: deque[Work] = deque()
        self.sent: set[str] = set()
        self.bytes_sent = self.bytes_resumed = 0

    def ask(self, files: list[LocalFile]) -> UploadPlan:
        """Ask the service where these files go."""
        asked = {file.path: (file.md5 or "", file.size) for file in files}
        sizes = {file.path: file.size for file in files}
        return plan_of(self.calls.files_get_upload_urls(asked, self.project), sizes)

    def stored(self, file: LocalFile, pieces: tuple[str, ...] = (), resumed: int = 0) -> None:
        """Take note that the service has a file that was sent.

        ``pieces`` are its parts if it went in several, ``resumed`` the bytes of those that an earlier upload had sent.
        """
        self.meter.settle(file, pieces)
        self.sent.add(file.path)
        self.bytes_sent += file.size
        self.bytes_resumed += resumed
