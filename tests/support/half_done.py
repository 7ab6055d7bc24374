"""Half-done changes: a copy of the tree is changed in some of the places that a change has, and tests are run on it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.programs import PATIENCE_S, ROOT

SOURCES = ("client", "mock_server", "contracts")
COPIED = (*SOURCES, "tests", "docs", "examples", "benchmarks")


class StaleError(Exception):
    """The tree no longer has what a half-done change begins with: the row has to follow it."""


@dataclass(frozen=True)
class Edit:
    """One place of a change: `old`, which stands in a file once, becomes `new`. Without `old` it is a new file."""

    path: str
    old: str
    new: str

    def apply(self, tree: Path) -> None:
        """Make the edit in a copy. Raises StaleError."""
        file = tree / self.path
        if not self.old:
            if file.exists():
                raise StaleError(f"{self.path} is there already")
            file.write_text(self.new, encoding="utf-8")
            return
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        if text.count(self.old) != 1:
            raise StaleError(f"{self.path} has {text.count(self.old)} times: {self.old}")
        file.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True)
class HalfDone:
    """A change of which only `edits` were made: the test `noticed_by` of `file` must fail, unless all of it `says`."""

    name: str
    edits: tuple[Edit, ...]
    file: str
    noticed_by: str
    says: str = ""
    """What whoever tries to run anything is told, where the server or the client no longer starts."""

    @property
    def test(self) -> str:
        """The test as pytest names it."""
        return f"{self.file}::{self.noticed_by}"


@dataclass(frozen=True)
class Run:
    """What became of tests on a copy."""

    failed: frozenset[str]
    passed: bool
    output: str

    def noticed(self, change: HalfDone) -> bool:
        """Whether a half-done change was noticed as it ought to be."""
        if change.says:
            return not self.passed and change.says in self.output
        return change.noticed_by in self.failed


def copy_of_the_tree(folder: Path) -> Path:
    """Copy what the tests read; nothing that was made from it."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "dist", "build")
    for name in COPIED:
        shutil.copytree(ROOT / name, tree / name, ignore=ignored)
    for file in ROOT.iterdir():
        if file.is_file() and file.suffix in (".toml", ".md", ".py", "") and not file.name.startswith("."):
            shutil.copy(file, tree)
    return tree


def run_checks(tree: Path, *checks: str) -> Run:
    """Run files of tests on a copy, against the packages of that copy."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *checks]
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        "PYTHONPATH": os.pathsep.join(str(tree / source) for source in SOURCES),
    }
    done = subprocess.run(
        command, cwd=tree, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    failed = re.findall(r"^(?:FAILED|ERROR) (?:[\w/.]+::)?(\w+)", done.stdout, re.MULTILINE)
    return Run(frozenset(failed), done.returncode == 0, done.stdout + done.stderr)
