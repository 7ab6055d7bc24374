"""How often to ask a service that does not call back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from conductor.lib.exceptions import TryAgainError

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
    _next: float = field(init=False)
    _away_since: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._next = self.polling.first

    def answered(self, *, news: bool) -> None:
        """Note an answer, and whether it brought anything."""
        self._away_since = None
        if news:
            self._next = self.polling.first

    def failed(self, error: TryAgainError) -> None:
        """Note that the service could not answer. Raises the error again where that has lasted too long."""
        now = self.clock()
        self._away_since = now if self._away_since is None else self._away_since
        if now - self._away_since >= self.polling.outage:
            raise error
        logger.warning("%s; asking again", error)

    def pause(self, at_most: float | None = None) -> None:
        """Wait until it is time for the next question, or for ``at_most`` seconds."""
        self.wait(self._next if at_most is None else min(self._next, at_most))
        self._next = min(self._next * self.polling.factor, self.polling.longest)
