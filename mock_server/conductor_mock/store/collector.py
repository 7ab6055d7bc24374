"""Python's garbage collector beside accounts of a million tasks.

The state of a farm has no reference cycles, so it is freed without the collector, which all the same looks through
every object of it, again and again, while every thread of the process waits: seconds, for a million tasks.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """No collections while much is made that will stay. Of two that overlap the earlier one ends both: no harm."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def spare_what_is_there() -> None:
    """Never look through again what is there now, short-lived garbage apart. For processes of our own only."""
    gc.collect(1)
    gc.freeze()
