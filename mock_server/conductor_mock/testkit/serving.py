"""A fake on a socket in a test's hands: for programs that are started, and for clients without the requests library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from conductor_mock.testkit.beginning import Beginning
from conductor_mock.testkit.fake import Fake
from conductor_mock.testkit.given import settings_of
from conductor_mock.testkit.mocking import new_account, pointed_at
from conductor_mock.testkit.places import Place, listening


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
