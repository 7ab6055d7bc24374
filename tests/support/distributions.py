"""Both distributions, built from this tree, and environments to install them into without an index."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from filelock import FileLock
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.package_index import install
from support.programs import PATIENCE_S, ROOT, Finished, python, run

PROJECTS = {"conductor-mock-client": ROOT / "client", "conductor-mock": ROOT}
"""The folder that each distribution is built from."""

NO_INDEX = {
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_COMPILE": "0",
}
"""What keeps pip from any index, whatever the machine's settings say, and from compiling what nobody imports."""


@dataclass(frozen=True)
class Wheel:
    """A built wheel."""

    path: Path

    @property
    def names(self) -> frozenset[str]:
        """Every file in it."""
        with zipfile.ZipFile(self.path) as archive:
            return frozenset(archive.namelist())

    @property
    def contents(self) -> frozenset[str]:
        """Every file of its packages."""
        return frozenset(name for name in self.names if ".dist-info/" not in name)

    def information(self, name: str) -> str:
        """Return the text of a file of its ``.dist-info``."""
        with zipfile.ZipFile(self.path) as archive:
            (path,) = (one for one in archive.namelist() if one.endswith(f".dist-info/{name}"))
            return archive.read(path).decode()

    @property
    def requirements(self) -> list[str]:
        """What it requires, as its metadata say."""
        lines = self.information("METADATA").splitlines()
        return [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]


@dataclass(frozen=True)
class Built:
    """What ``make dist`` leaves in ``dist/``."""

    folder: Path

    @property
    def client(self) -> Wheel:
        """The wheel of conductor-mock-client."""
        return self._wheel("conductor_mock_client")

    @property
    def fake(self) -> Wheel:
        """The wheel of conductor-mock."""
        return self._wheel("conductor_mock")

    @property
    def wheels(self) -> dict[str, Wheel]:
        """Both by the name of the distribution."""
        return {"conductor-mock-client": self.client, "conductor-mock": self.fake}

    @property
    def sources(self) -> set[str]:
        """The names of the sdists."""
        return {path.name for path in self.folder.glob("*.tar.gz")}

    def _wheel(self, name: str) -> Wheel:
        (path,) = self.folder.glob(f"{name}-*.whl")
        return Wheel(path)


def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both distributions, built once for all workers, as `make dist` does: each wheel from its sdist."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "dist"
    with FileLock(shared / "dist.lock"):
        if not folder.exists():
            for project in PROJECTS.values():
                _build(project, folder)
    return Built(folder)


def _build(project: Path, folder: Path) -> None:
    command = python("-m", "build", "--no-isolation", "--outdir", str(folder), str(project))
    finished = run(command)
    if finished.returncode != 0:
        pytest.fail(finished.stdout + finished.stderr)


@dataclass(frozen=True)
class Environment:
    """A virtual environment for what was built."""

    folder: Path

    @classmethod
    def fetching(cls, interpreter: str, folder: Path, requirement: str) -> Environment:
        """Make one of another Python, with a requirement and what it needs from the index.

        Raises InstallError, IndexUnreachableError.
        """
        environment = cls(folder)
        install(interpreter, "-m", "venv", "--without-pip", str(folder))
        pip = (sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"))
        install(*pip, "install", "--disable-pip-version-check", "--no-compile", requirement)
        return environment

    @classmethod
    def borrowing(cls, folder: Path, *roots: str) -> Environment:
        """Make one without an index, that has what `roots` need lent by this process's environment, and no more.

        The distributions themselves are not lent where they are ours.
        """
        subprocess.run(python("-m", "venv", "--without-pip", str(folder)), check=True, timeout=PATIENCE_S)
        environment = cls(folder)
        environment.lend(*roots)
        return environment

    def lend(self, *roots: str) -> None:
        """Let it have what `roots` need of this process's environment, and themselves where they are not ours."""
        lent = self.folder / "lent"
        lent.mkdir()
        for source in _files_of(roots):
            (lent / source.name).symlink_to(source)
        (self.packages / "lent.pth").write_text(f"{lent}\n", encoding="utf-8")

    @property
    def packages(self) -> Path:
        (packages,) = self.folder.glob("lib/python*/site-packages")
        return packages

    def pip(self, *arguments: str) -> Finished:
        """Run pip for it, without an index."""
        program = python("-m", "pip", "--python", str(self.folder / "bin" / "python"))
        return run([*program, *arguments], NO_INDEX, cwd=ROOT)

    def install(self, *what: str) -> None:
        """Install wheels, or folders of the clone, whose requirements it must have. Fails the test with pip's words."""
        finished = self.pip("install", "--no-build-isolation", "--no-compile", *what)
        assert finished.returncode == 0, finished.stdout + finished.stderr

    def run(self, name: str, *arguments: str, **env: str) -> Finished:
        """Run one of its programs, away from the clone."""
        return run([str(self.folder / "bin" / name), *arguments], env, cwd=self.folder)

    def size(self) -> int:
        """Return the bytes of all packages in it, those that it borrows included."""
        folders = (self.packages, self.folder / "lent")
        walks = (walked for folder in folders for walked in os.walk(folder, followlinks=True))
        return sum((Path(folder) / name).stat().st_size for folder, _, names in walks for name in names)

    def commands(self) -> set[str]:
        """The names of our programs in it."""
        return {path.name for path in (self.folder / "bin").glob("conductor*")}


def _files_of(roots: tuple[str, ...]) -> set[Path]:
    """Return the top-level files and folders of what distributions need, extras of requirements included."""
    wanted = [Requirement(root) for root in roots]
    seen: set[tuple[str, frozenset[str]]] = set()
    files: set[Path] = set()
    while wanted:
        requirement = wanted.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        distribution = metadata.distribution(name)
        for line in distribution.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": one}) for one in ("", *extras)):
                wanted.append(needed)
        if name not in PROJECTS:
            tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
            files |= {Path(str(distribution.locate_file(top))) for top in tops}
    return files
