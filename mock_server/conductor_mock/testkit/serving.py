"""Accounts of servers that are there, in a test's hands: on a socket, for programs that are started and clients without
the requests library, or in this process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conductor_mock.testkit.beginning import Beginning
from conductor_mock.testkit.fake import Fake
from conductor_mock.testkit.given import settings_of
from conductor_mock.testkit.mocking import new_account, pointed_at
from conductor_mock.testkit.places import InMemory, Place, listening


@contextmanager
def served(**settings: Any) -> Iterator[Fake]:
    """A server of its own for the length of the block, frozen without `speed`, and the process pointed at it."""
    with listening(settings_of(settings)) as place, account_of(place) as fake:
        yield fake


@contextmanager
def account_of(
    place: Place, beginning: Beginning | None = None, *, vendor_waits: bool = False
) -> Iterator[Fake]:
    """A new account of a server, emptied in the end, and the process pointed at it."""
    fake = Fake(place, new_account(), beginning)
    try:
        with pointed_at(fake, vendor_waits=vendor_waits):
            yield fake
    finally:
        fake.start()
        fake.empty()


@contextmanager
def account_in_process(
    place: InMemory, beginning: Beginning | None = None, *, vendor_waits: bool = False
) -> Iterator[Fake]:
    """A new account of a server of this process, which answers for the length of the block."""
    place.service.start()
    try:
        with account_of(place, beginning, vendor_waits=vendor_waits) as fake:
            yield fake
    finally:
        place.service.stop()
