"""How this program is called again from the same shell."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

NAME = "conductor-mock"


def called(program: str, environ: Mapping[str, str]) -> str:
    """What to type for `program` (`sys.argv[0]`): its name where the shell finds it by that, else the path it had."""
    own, found = Path(program), shutil.which(NAME, path=environ.get("PATH", ""))
    if own.name != NAME or (found is not None and Path(found).resolve() == own.resolve()):
        return NAME
    return str(own)
