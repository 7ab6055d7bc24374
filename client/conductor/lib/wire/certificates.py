"""Which authorities vouch for a service, read from the environment, and only where a service speaks TLS."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from conductor.lib.exceptions import ConfigError

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The first that is set names a file of certificates, or a folder of them."""


class Authorities:
    """What certificates are checked by. A file is read when the first URL of https is asked about."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._name = next((name for name in VARIABLES if environ.get(name)), "")
        self._path = environ.get(self._name, "")
        self._good = not self._path

    def for_url(self, url: str) -> str | bool:
        """Return a file or folder, or True for those that come with the libraries.

        Raises ConfigError, with the variable's name, for one that cannot be read.
        """
        if url[:6].lower() != "https:":
            return True
        if not self._good:
            reason = _why_no_bundle(Path(self._path))
            if reason:
                raise ConfigError(
                    f"{self._name} is {self._path!r}, {reason}; unset it, or name a file of certificates"
                )
            self._good = True
        return self._path or True


def _why_no_bundle(path: Path) -> str:
    """Say why certificates cannot be read from a file, or a folder, of that name; empty if they can."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)
            return ""
        if not path.exists():
            return "which does not exist"
        if not path.is_file():
            return "which is neither a file nor a folder"
        found = path.stat()
        _read_certificates(path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    except ssl.SSLError:
        return "which holds no certificates in PEM"
    except (OSError, ValueError) as error:
        return f"which cannot be read: {getattr(error, 'strerror', None) or error}"
    return ""


@lru_cache(maxsize=4)
def _read_certificates(path: Path, version: tuple[int, ...]) -> None:
    """Read a file of certificates. One that could be read is not read again until its `version` is another."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
