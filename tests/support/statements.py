"""What a thread asks a database, whatever others ask it meanwhile."""

from __future__ import annotations

import threading
from typing import Any

import sqlalchemy as sa


def of_this_thread(engine: sa.Engine) -> list[str]:
    """The statements that the calling thread executes from now on; the list grows with them."""
    asked: list[str] = []
    here = threading.get_ident()

    def note(*what: Any) -> None:
        if threading.get_ident() == here:
            asked.append(what[2])

    sa.event.listen(engine, "before_cursor_execute", note)
    return asked
