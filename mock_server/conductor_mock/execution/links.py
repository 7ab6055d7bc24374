"""Signed URLs of this server for whoever runs its tasks elsewhere: a content to fetch, an output to bring."""

from __future__ import annotations

from dataclasses import dataclass

from conductor_mock.auth.signing import Grant, Signer, content_path, output_path
from conductor_mock.store.wall import WallClock


@dataclass(frozen=True, slots=True)
class Links:
    """URLs of one account, at the `origin` at which workers reach the server; each lives `ttl_s` wall seconds."""

    signer: Signer
    origin: str
    account_id: str
    ttl_s: int
    wall: WallClock

    def to_fetch(self, md5: bytes) -> str:
        """Where a content is, which its md5 names."""
        return self._url(Grant("GET", content_path(self.account_id, md5, "content"), None, self._expires_s()))

    def to_bring(self, md5: bytes, size: int) -> str:
        """Where an output of this md5 and size goes."""
        return self._url(Grant("PUT", output_path(self.account_id, md5), size, self._expires_s()))

    def _expires_s(self) -> int:
        return self.wall() // 1_000_000 + self.ttl_s

    def _url(self, grant: Grant) -> str:
        return self.signer.url(self.origin, grant)
