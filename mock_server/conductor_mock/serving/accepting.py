"""How connections are taken: where this process may open no more files, new ones wait and the others go on.

cheroot raises in the middle of its round, so that connections it has would never be looked at, nor expire, while one
that it cannot take waits; and it says so with a traceback in every round.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from typing import Any

from cheroot.connections import ConnectionManager

from conductor_mock.serving.framing import Connection, Listener

log = logging.getLogger(__name__)

_PAUSE_S = 0.1
"""Until the next try to take a connection that could not be taken."""

_SAY_EVERY_S = 60


class PatientListener(Listener):
    """A listener that goes on serving what it has when it can take no more."""

    def prepare(self) -> None:
        """Bind, and start the threads."""
        super().prepare()
        self._connections._selector.close()  # type: ignore[has-type]  # nothing waits on it yet
        self._connections = _Connections(self)


class _Connections(ConnectionManager):
    _said_at = -float(_SAY_EVERY_S)

    def _from_server_socket(self, server_socket: Any) -> Connection | None:
        """Take a connection; None when there is none, or it cannot be taken yet."""
        try:
            taken: Connection | None = super()._from_server_socket(server_socket)  # type: ignore[misc]
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
            now_s = time.monotonic()
            if now_s - self._said_at >= _SAY_EVERY_S:
                self._said_at = now_s
                log.warning("connections wait: this process may open no more files (ulimit -n)")
            threading.Event().wait(_PAUSE_S)  # else this loop does nothing but fail
            return None
        return taken
