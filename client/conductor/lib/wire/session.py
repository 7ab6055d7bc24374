"""The requests library's way to a connection, without what is worked out anew for each request and comes out the same.

What is sent and what is raised is decided by `requests`: its ``Session.send`` and ``HTTPAdapter.send`` are not
replaced, so whoever watches or replaces those sees every request. Replaced are the steps that they leave to
subclasses: which pool a request goes through, how its target is written, what an answer becomes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Optional, Union

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict

from conductor.lib.wire.connections import OpenConnections
from conductor.lib.wire.urls import origin_and_target

_POOLS = 8
_Verify = Optional[Union[bool, str]]


class _NoCookies(RequestsCookieJar):
    """A jar that nothing is put into: no request of this client says what an earlier answer wanted kept."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Leave them."""


class Adapter(HTTPAdapter):
    """The adapter of one session: one connection for each origin, sent through in blocks of ``block_bytes``.

    Pools are looked up, and their certificates checked for, once for an origin and the proxy that leads to it.
    """

    def __init__(self, connections: OpenConnections, block_bytes: int) -> None:
        self._pool_classes = connections.pool_classes
        self._block_bytes = block_bytes
        self._pools: dict[tuple[object, ...], Any] = {}
        self._verified: dict[Any, _Verify] = {}
        super().__init__(pool_connections=_POOLS, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools' manager."""
        super().init_poolmanager(*args, blocksize=self._block_bytes, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pool_classes

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Return the manager for a proxy."""
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pool_classes
        return manager

    def close(self) -> None:
        """Close every connection."""
        self._forget()
        super().close()

    def _forget(self) -> None:
        self._pools.clear()
        self._verified.clear()

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: _Verify,
        proxies: Mapping[str, str] | None = None,
        cert: Any = None,
    ) -> Any:
        """Return the pool for a request. Raises as that of requests does."""
        key = (origin_and_target(request.url or "")[0], verify, cert, *(proxies or {}).items())
        pool = self._pools.get(key)
        if pool is None:
            # No more than the manager keeps, which closes the one that it gave out longest ago.
            if len(self._pools) == _POOLS:
                self._forget()
            pool = super().get_connection_with_tls_context(
                request, verify, proxies=dict(proxies or {}), cert=cert
            )
            self._pools[key] = pool
        return pool

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Let a pool check certificates. Raises OSError where there are none to check them by."""
        if conn not in self._verified or self._verified[conn] != verify or cert:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]
            self._verified[conn] = verify

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        """Return what is asked for, as its line names it."""
        if proxies:
            return super().request_url(request, proxies)
        return origin_and_target(request.url or "")[1]

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return the answer, with its headers as urllib3 holds them, no cookies, and no guess at an encoding."""
        headers: Any = getattr(resp, "headers", {})
        # Those of urllib3 are as good for whoever reads, and there already.
        if not hasattr(headers, "getlist"):
            headers = CaseInsensitiveDict(headers)
        response = requests.Response()
        response.status_code = getattr(resp, "status", 0)
        response.headers = headers
        response.raw, response.reason = resp, resp.reason
        response.url = req.url or ""
        response.request = req
        response.connection = self
        return response


class Session(requests.Session):
    """A session that knows which origins it holds an idle connection to. It keeps no cookies, follows no redirects."""

    def __init__(self, connections: OpenConnections, sent_bytes: int) -> None:
        super().__init__()
        self.trust_env = False
        self.used: set[str] = set()
        self.cookies = _NoCookies()
        adapter = Adapter(connections, sent_bytes)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def resolve_redirects(self, *args: Any, **kwargs: Any) -> Iterator[requests.Response]:
        """Yield nothing, instead of what might have been asked next."""
        return iter(())
