"""How often to ask a service that does not call back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from conductor.lib.exceptions import TryAgainError
from conductor.lib.wire.backoff import growing

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Polling:
    """Waits between two questions, in seconds: ``first``, then ``factor`` times as long each, at most ``longest``.

    They begin anew whenever an answer brought something. A service that cannot be reached is asked for ``outage``
    seconds before that is an error.
    """

    first: float = 1.0
    factor: float = 1.5
    longest: float = 30.0
    outage: float = 600.0


@dataclass
class Pacer:
    """Keeps the pace of one poller. ``wait`` sleeps; ``clock`` is in seconds, from any beginning."""

    polling: Polling
    wait: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _pauses: int = field(init=False, default=0)
    _away_since: float | None = field(init=False, default=None)

    def answered(self, *, news: bool) -> None:
        """Note an answer, and whether it brought anything."""
        self._away_since = None
        if news:
            self._pauses = 0

    def failed(self, error: TryAgainError) -> None:
        """Note that the service could not answer. Raises the error again where that has lasted too long."""
        now = self.clock()
        self._away_since = now if self._away_since is None else self._away_since
        if now - self._away_since >= self.polling.outage:
            raise error
        logger.warning("%s; asking again", error)

    def pause(self, at_most: float | None = None) -> None:
        """Wait until it is time for the next question, or for ``at_most`` seconds."""
        polling = self.polling
        seconds = growing(polling.first, self._pauses, polling.longest, polling.factor)
        self._pauses += 1
        self.wait(seconds if at_most is None else min(seconds, at_most))
