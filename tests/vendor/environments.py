"""Versions of the vendor's client, each in a virtual environment of its own, made when first asked for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[2] / ".venv-vendor"
CURRENT = "9.2.0"
OLDER = ("7.0.2", "4.0.7")
INSTALL_S = 600

PINS: dict[str, tuple[str, ...]] = {
    # They name a urllib3 that Python 3.12 cannot import; the last release that their `requests` takes is fine there.
    "7.0.2": ("requests==2.25.1", "urllib3==1.26.20"),
    "4.0.7": ("requests==2.25.1", "urllib3==1.26.20"),
}
"""What an old version needs in the place of its own requirements, on a Python that is newer than it."""

PINNED_FROM = (3, 12)

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
    """The client could not be installed; the message is what pip or venv said."""


class IndexUnreachableError(InstallError):
    """The package index does not answer from here."""


@dataclass(frozen=True)
class Environment:
    """An installed version of the vendor's client."""

    version: str
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def command(self) -> Path:
        """The vendor's `conductor` command. It is called by this path only, so it never shadows ours."""
        return self.folder / "bin" / "conductor"

    @property
    def stamp(self) -> Path:
        """What it was made by and for; it is written last."""
        return self.folder / "installed.json"


def installed(version: str, root: Path = ROOT) -> Environment:
    """The environment of a version, made if it is not there or was made by another Python or for other pins.

    Processes that ask at the same time wait for the one that makes it. Raises InstallError, IndexUnreachableError.
    """
    root.mkdir(parents=True, exist_ok=True)
    environment = Environment(version, root / version)
    wanted = json.dumps({"python": sys.version, "requirements": requirements(version)})
    with FileLock(root / f"{version}.lock", timeout=INSTALL_S):
        if not environment.stamp.exists() or environment.stamp.read_text() != wanted:
            shutil.rmtree(environment.folder, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(environment.folder))
            for step in _steps(version):
                _run(str(environment.python), "-m", "pip", "install", "--disable-pip-version-check", *step)
            environment.stamp.write_text(wanted)
    return environment


def requirements(version: str) -> list[str]:
    """Everything that is asked of pip for a version."""
    return [requirement for step in _steps(version) for requirement in step]


def _steps(version: str) -> list[list[str]]:
    package = f"ciocore=={version}"
    if version not in PINS or sys.version_info < PINNED_FROM:
        return [[package]]
    return [[package], ["--no-deps", *PINS[version]]]


def _run(*command: str) -> None:
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
