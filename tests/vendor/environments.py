"""Versions of the vendor's client, and plug-ins of it, each in a virtual environment, made when first asked for.

What is installed has a name: the version of `ciocore`, or `PLUG_INS` has it.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from support.package_index import INSTALL_S, install

CLIENT = "CONDUCTOR_MOCK_TEST_CIOCORE"
"""The variable with which `conductor-contracts witness` puts another version in the place of the current one."""
CACHE = "CONDUCTOR_MOCK_TEST_CLIENTS"
"""The variable that names another folder for the environments."""

ROOT = Path(os.environ.get(CACHE) or Path(__file__).resolve().parents[2] / ".venv-vendor")
ASKED_FOR = os.environ.get(CLIENT)
CURRENT = ASKED_FOR or "9.2.0"
OLDER = ("7.0.2", "4.0.7")

PINS = {"7.0.2": ("requests==2.25.1", "urllib3==1.26.20")}
"""What an old version needs in place of its own requirements from Python 3.12 on.

It names a urllib3 that does not import there; the last one that its `requests` takes does.
"""

PINNED_FROM = (3, 12)

NUKE, CINEMA4D, UNREAL = PLUG_IN_NAMES = ("cionuke-0.9.0", "cioc4d-1.3.0", "ciounreal-0.1.5")
PLUG_INS: Mapping[str, Sequence[Sequence[str]]] = {
    NUKE: [["cionuke==0.9.0", "ciocore==9.2.0"]],
    CINEMA4D: [["cioc4d==1.3.0", "ciocore==9.2.0"]],
    # Without its Perforce, of which there is no build for every Python.
    UNREAL: [["ciocore==8.3.3", "cioseq==0.5.1"], ["--no-deps", "ciounreal==0.1.5"]],
}
"""The plug-ins by name, each with what is asked of pip, step by step. `README.md` here says how to add one."""

OBSTACLES = {"4.0.7": ((3, 12), "ciocore 4.0.7 imports modules that Python 3.12 no longer has")}
"""From which Python on a version cannot run at all, and why."""


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


def obstacle(version: str, python: tuple[int, int] = sys.version_info[:2]) -> str | None:
    """Why a version cannot run on a Python, this one by default; None if it can."""
    since, reason = OBSTACLES.get(version, (None, None))
    return reason if since is not None and python >= since else None


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
            # Without a pip of its own, which takes longer to install than the client.
            install(sys.executable, "-m", "venv", "--without-pip", str(environment.folder))
            pip = (sys.executable, "-m", "pip", "--python", str(environment.python))
            for step in _steps(version):
                install(*pip, "install", "--disable-pip-version-check", *step)
            environment.stamp.write_text(wanted)
    return environment


def requirements(version: str, python: tuple[int, int] = sys.version_info[:2]) -> list[str]:
    """Everything that is asked of pip for a version on a Python, this one by default."""
    return [requirement for step in _steps(version, python) for requirement in step]


def _steps(version: str, python: tuple[int, int] = sys.version_info[:2]) -> Sequence[Sequence[str]]:
    if version in PLUG_INS:
        return PLUG_INS[version]
    package = f"ciocore=={version}"
    if version not in PINS or python < PINNED_FROM:
        return [[package]]
    return [[package], ["--no-deps", *PINS[version]]]
