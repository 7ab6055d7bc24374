"""The guard of the tests of the kit lets nobody out."""

from __future__ import annotations

import pytest

from testkit.conftest import is_here


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", b"127.0.0.1", None, ""])
def test_this_machine_is_here(host: object) -> None:
    assert is_here(host)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "2001:db8::1", "0.0.0.0", "example.org", b"example.org", "127.0.0.1.example"]
)
def test_another_one_is_not(host: object) -> None:
    assert not is_here(host)
