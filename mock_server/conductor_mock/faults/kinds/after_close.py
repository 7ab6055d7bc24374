from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from conductor_mock.faults.bodies import kept
from conductor_mock.faults.fault import Exchange, Fault
from conductor_mock.faults.options import wall_seconds
from conductor_mock.wire.answer import Answer


@dataclass(frozen=True, slots=True)
class AfterClose(Fault):
    """Nothing until it hangs up, or until the time is over and the connection is closed; only then is the request
    carried out, and its answer reaches nobody. A body of more than 128 MiB is refused (413).
    """

    kind = "after_close"
    seconds: float = wall_seconds(default=60.0, most=600, meaning="for how long")

    @property
    def refused_first(self) -> bool:
        """It is carried out later."""
        return True

    def prepare(self, environ: dict[str, Any]) -> None:
        """Read the body while the client is there."""
        environ["wsgi.input"] = kept(environ, self.kind)

    def answer(self, first: Answer, exchange: Exchange) -> NoReturn:
        """Wait until nobody waits, and carry it out."""
        first.close()
        exchange.wire.hold_back(self.seconds)
        exchange.environ["wsgi.input"].seek(0)
        exchange.again().close()
        exchange.wire.close()
