"""A published client as a witness of the contract: its version is found in the package index, its scenarios are run.

The scenarios are tests of the project (``tests/vendor``) and lie in a clone only, not in what an index would hold.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CLIENT = "ciocore"
SCENARIOS = Path("tests", "vendor")
NEEDED = ("pytest", "pytest_timeout", "hypothesis", "pip")
"""Modules that running the scenarios takes, of those that only a development installation has."""

VERSION_VARIABLE = "CONDUCTOR_MOCK_TEST_CIOCORE"
CACHE_VARIABLE = "CONDUCTOR_MOCK_TEST_CLIENTS"
_REQUIREMENT = re.compile(
    r"ciocore(?:==(?P<version>[0-9]+(?:\.[0-9]+)*(?:(?:a|b|rc)[0-9]+)?(?:\.(?:post|dev)[0-9]+)*))?"
)
_LONGEST = 100
_RESOLVE_S = 120
_NOTHING_RAN = 5
"""The exit code of pytest where no test was selected."""


class WitnessError(Exception):
    """The client cannot be tried here; the message says what to do."""


def wanted_version(requirement: str) -> str | None:
    """The version that ``ciocore==VERSION`` names; None for ``ciocore``, the newest. Raises WitnessError."""
    found = _REQUIREMENT.fullmatch(requirement) if len(requirement) <= _LONGEST else None
    if found is None:
        raise WitnessError(
            f"give {CLIENT}==VERSION, such as {CLIENT}==9.2.0, or {CLIENT} for the newest; got {requirement[:60]!r}"
        )
    return found["version"]


def clone(named: Path | None) -> Path:
    """The clone whose scenarios are run: the one named, or what this was installed from. Raises WitnessError."""
    places = [named] if named is not None else [Path(__file__).resolve().parents[2], Path.cwd()]
    for place in places:
        if (place / SCENARIOS / "scenarios.py").is_file():
            return place.resolve()
    raise WitnessError(
        f"the scenarios of {CLIENT} ({SCENARIOS.as_posix()}) are not in {' or '.join(map(str, places))}; "
        "they lie in a clone of the project only: go there, or name it with --clone"
    )


def require_modules(place: Path) -> None:
    """Raises WitnessError if one of NEEDED is not installed."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise WitnessError(
            f"the scenarios need {', '.join(missing)}: in {place}, pip install -e './client[cli]' -e '.[dev]'"
        )


def published_version(version: str | None) -> str:
    """The version as the package index has it for this Python, the newest one for None. Raises WitnessError."""
    requirement = CLIENT if version is None else f"{CLIENT}=={version}"
    asked = (
        "install",
        "--dry-run",
        "--no-deps",
        "--ignore-installed",
        "--quiet",
        "--report",
        "-",
        requirement,
    )
    try:
        done = subprocess.run(
            (sys.executable, "-m", "pip", "--disable-pip-version-check", *asked),
            capture_output=True,
            text=True,
            timeout=_RESOLVE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WitnessError(f"the package index did not answer in {_RESOLVE_S} s; try again later") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            done.stderr.strip()
        ]
        raise WitnessError(f"pip finds no {requirement} for this Python: {said[-1].removeprefix('ERROR: ')}")
    return str(json.loads(done.stdout)["install"][0]["metadata"]["version"])


def play(version: str, place: Path, *, cache: Path | None, junit: Path | None, only: str | None) -> int:
    """Run the scenarios with a version; they print what became of them. The exit code of pytest."""
    options = [f"--junitxml={junit.absolute()}"] if junit else []
    options += ["-k", only] if only else []
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, SCENARIOS.as_posix())
    return subprocess.run(
        command, cwd=place, env=environment(os.environ, version, cache), check=False
    ).returncode


def environment(around: Mapping[str, str], version: str, cache: Path | None) -> dict[str, str]:
    """The variables for a run with a version. Those of a pytest that is around it would lead it astray."""
    kept = {name: text for name, text in around.items() if not name.startswith("PYTEST_")}
    return {
        **kept,
        VERSION_VARIABLE: version,
        **({CACHE_VARIABLE: str(cache.absolute())} if cache is not None else {}),
    }


def verdict(version: str, code: int) -> str:
    """What an exit code of pytest says about a version, in words."""
    words = {0: "agrees with the fake", 1: "does not agree with the fake in what failed above"}
    words[_NOTHING_RAN] = "was not tried: no scenario fits"
    return f"{CLIENT} {version} {words.get(code, f'was not tried to the end (pytest ended with {code})')}"
