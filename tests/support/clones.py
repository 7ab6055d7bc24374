"""This tree as a clone has it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support.programs import ROOT


def clone(folder: Path) -> Path:
    """Copy the files of the tree that are versioned, and those that are to be, into a new folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder
