"""A Dockerfile as its instructions: as much of the format as ours uses.

https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction: its name in capitals, and the rest of its line."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """The rest as words, of a shell or of a JSON list."""
        return list(json.loads(self.rest)) if self.rest.startswith("[") else shlex.split(self.rest)


def stages(path: Path) -> list[list[Instruction]]:
    """The instructions of each stage, which a FROM begins."""
    text = re.sub(r"^#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    found: list[list[Instruction]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        elif found:
            found[-1].append(Instruction(name, rest.strip()))
    return found


def named(stage: list[Instruction], name: str) -> list[Instruction]:
    """The instructions of a name, in their order."""
    return [instruction for instruction in stage if instruction.name == name]
