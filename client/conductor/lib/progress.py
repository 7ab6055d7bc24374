"""How far a transfer is, as values that a caller may show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """The state of an upload or a download at one moment.

    ``done_files`` of ``files`` need nothing more, those that the other side had already among them. ``bytes`` is
    the size of all of them and ``done_bytes`` what of it was moved or need not be; ``seconds`` is the time since
    the start.
    """

    done_files: int
    files: int
    done_bytes: int
    bytes: int
    seconds: float

    @property
    def rate(self) -> float:
        """Bytes a second since the start; 0.0 as long as no time has passed."""
        return self.done_bytes / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """The time that the rest takes at this rate, 0.0 when nothing is left, None when nothing tells yet."""
        if self.done_files >= self.files:
            return 0.0
        return (self.bytes - self.done_bytes) / self.rate if self.rate > 0 else None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.done_files >= self.files


ProgressCallback = Callable[[Progress], None]
"""Called in the thread that called ``upload`` or ``download``; what it raises ends the transfer."""
