"""The end of TLS in tests, with a certificate of an authority of its own."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import trustme


class TlsEnd:
    """A certificate for `host`; `bundle` is the file, in `folder`, of the authority that it is of."""

    def __init__(self, folder: Path, host: str) -> None:
        authority = trustme.CA()
        self.bundle = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.bundle)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(self._context)

    def opened(self, client: socket.socket) -> socket.socket:
        """What is inside of a client's TLS. Raises OSError where there is none."""
        return self._context.wrap_socket(client, server_side=True)
