"""The client's wheel on Python 3.9, the oldest that it promises: all of it, with a fake that runs elsewhere."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from conductor.version import VERSION
from support.distributions import Built, Environment
from support.package_index import IndexUnreachableError
from support.programs import run
from support.served import served
from support.submitting import SUBMISSION

pytestmark = pytest.mark.slow

OLDEST = "3.9"
IMPORTED = """
import importlib, json, pkgutil, sys
import conductor
names = [module.name for module in pkgutil.walk_packages(conductor.__path__, "conductor.")]
for name in names:
    importlib.import_module(name)
for name in conductor.__all__:
    getattr(conductor, name)
print(json.dumps([list(sys.version_info[:2]), conductor.__file__, names]))
"""


def interpreter() -> str | None:
    """Return a Python 3.9 that runs, None if none is found: on the path, or among the versions of a pyenv there."""
    named = shutil.which(f"python{OLDEST}")
    if named is None:
        return None
    versions = Path(named).parent.parent / "versions"  # pyenv's own program refuses those that are not chosen
    for candidate in [named, *map(str, sorted(versions.glob(f"{OLDEST}.*/bin/python{OLDEST}")))]:
        if run([candidate, "--version"]).stdout.startswith(f"Python {OLDEST}."):
            return candidate
    return None


@pytest.fixture
def oldest(dist: Built, tmp_path: Path) -> Environment:
    """The client with its command line on that Python. Skips, but in CI only where there is none, and says why."""
    python = interpreter()
    if python is None:
        pytest.skip(f"no python{OLDEST} is found, so the client was not tried on it")
    try:
        return Environment.fetching(python, tmp_path / "venv", f"{dist.client.path}[cli]")
    except IndexUnreachableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"what the client needs on Python {OLDEST} cannot be fetched: {error}")


def test_every_module_is_imported_the_command_line_runs_and_a_job_is_submitted(
    dist: Built, oldest: Environment, tmp_path: Path
) -> None:
    imported = oldest.run("python", "-W", "error", "-c", IMPORTED)
    assert imported.returncode == 0, imported.stderr
    version, where, names = json.loads(imported.stdout)
    assert (version, where.startswith(str(oldest.folder))) == ([3, 9], True)
    assert len(names) == len([name for name in dist.client.contents if name.endswith(".py")]) - 1

    assert oldest.run("conductor", "--help").stdout.startswith("Usage: conductor [OPTIONS]")
    assert oldest.run("conductor-farm", "--version").stdout == f"conductor, version {VERSION}\n"

    scene = tmp_path / "scene.ma"
    scene.write_text("a scene")
    with served(tmp_path / "server") as server:
        submitted = oldest.run("python", "-c", SUBMISSION, str(scene), **server.ready["env"])
        listed = oldest.run("conductor", "jobs", "--json", **server.ready["env"])
    assert submitted.returncode == 0, submitted.stderr
    assert json.loads(submitted.stdout)[:2] == [201, "00001"]
    assert [job["jid"] for job in json.loads(listed.stdout)] == ["00001"]
