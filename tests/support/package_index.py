"""Installing from the package index, for the tests that cannot do without."""

from __future__ import annotations

import os
import subprocess

INSTALL_S = 600

_UNREACHABLE = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "Connection refused",
)
"""What pip says, among other things, when it cannot talk to its index."""


class InstallError(Exception):
    """What was asked for could not be installed; the message is what pip or venv said."""


class IndexUnreachableError(InstallError):
    """The package index does not answer from here."""


def install(*command: str) -> None:
    """Run a step of an installation, by pip or venv. Raises InstallError, IndexUnreachableError."""
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    if done.returncode == 0:
        return
    said = (done.stdout + done.stderr)[-4000:]
    if any(word in done.stderr for word in _UNREACHABLE):
        raise IndexUnreachableError(f"{' '.join(command)}: the package index cannot be reached\n{said}")
    raise InstallError(f"{' '.join(command)} failed with {done.returncode}\n{said}")
