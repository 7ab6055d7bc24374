"""The tests of the kit reach no other machine: whoever tries is refused, and told at the end, whatever became of it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest


def is_here(host: object) -> bool:
    """Whether a host of an address is this machine's own; what is None is every address, to listen at."""
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host)).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="module", autouse=True)
def only_loopback() -> Iterator[None]:
    """While tests of the kit run, let sockets connect to this machine alone, and ask nobody for names of others."""
    tried: list[object] = []

    def guarded(own: Callable[..., Any], host_of: Callable[..., object]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            host = host_of(*args, **options)
            if not is_here(host):
                tried.append(host)
                raise OSError(f"the tests of the kit reach no other machine, and {host!r} is one")
            return own(*args, **options)

        return call

    def of_address(sock: socket.socket, address: Any) -> object:
        return address[0] if sock.family in (socket.AF_INET, socket.AF_INET6) else None

    def of_name(host: object, *_: object, **__: object) -> object:
        return host

    with pytest.MonkeyPatch.context() as patched:
        for name in ("connect", "connect_ex"):
            patched.setattr(socket.socket, name, guarded(getattr(socket.socket, name), of_address))
        patched.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, of_name))
        yield
    assert tried == []
