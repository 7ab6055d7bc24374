"""Which proxy a request goes through, read from the environment once."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit


class Proxies(NamedTuple):
    """Proxies by scheme, and the hosts that do without.

    Loopback never goes through a proxy, whatever the environment says: a fake on this machine cannot be
    reached from anywhere else.
    """

    by_scheme: Mapping[str, str] = MappingProxyType({})
    without: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Proxies:
        """Read ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``, lower case first."""

        def read(name: str) -> str:
            return environ.get(name) or environ.get(name.upper()) or ""

        everything = read("all_proxy")
        by_scheme = {scheme: read(f"{scheme}_proxy") or everything for scheme in ("http", "https")}
        without = tuple(entry.strip().lower() for entry in read("no_proxy").split(",") if entry.strip())
        return cls({scheme: proxy for scheme, proxy in by_scheme.items() if proxy}, without)

    def for_url(self, url: str) -> dict[str, str]:
        """Return the proxies to use for this URL, empty for none."""
        if not self.by_scheme:
            return {}
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if is_loopback(host) or any(_matches(entry, host, parts.port) for entry in self.without):
            return {}
        return {scheme: proxy for scheme, proxy in self.by_scheme.items() if scheme == parts.scheme}


def is_loopback(host: str) -> bool:
    """Say whether the host name or address is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _matches(entry: str, host: str, port: int | None) -> bool:
    """Say whether a ``no_proxy`` entry covers the host: ``*``, a network, ``name[:port]`` or a suffix."""
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, _, wanted_port = entry.partition(":") if entry.count(":") == 1 else (entry, "", "")
    if wanted_port and wanted_port != str(port):
        return False
    name = name.lstrip("*").lstrip(".")
    return host == name or host.endswith(f".{name}")
