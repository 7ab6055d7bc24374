"""A submitter as a studio writes one: a job file and a project in, a job on the farm out.

    python submitter.py shot.json

prints the job's id. What is decided is in `Shot` and `arguments`, which touch nothing; `submit` talks to the service.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from conductor.lib.api_client import ApiClient
from conductor.lib.conductor_submit import Submit
from conductor.lib.exceptions import ConductorError


class ShotError(ValueError):
    """A job file that cannot be meant; the text says why."""


@dataclass(frozen=True)
class Shot:
    """What is to be rendered: frames `first` to `last`, `chunk` of them in a task."""

    title: str
    scene: Path
    textures: tuple[Path, ...]
    output: Path
    first: int
    last: int
    chunk: int = 1
    project: str = "default"
    machine: str = "n1-standard-8"

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ShotError(f"{self.title}: last is {self.last}, before first, {self.first}")
        if self.chunk < 1:
            raise ShotError(f"{self.title}: chunk is {self.chunk}, and a task has one frame or more")

    @classmethod
    def of_file(cls, path: Path) -> Shot:
        """The shot of a job file (JSON). Its paths are meant from its folder. Raises ShotError."""
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        unknown = sorted(document.keys() - {field.name for field in fields(cls)})
        if unknown:
            raise ShotError(f"{path.name}: unknown {', '.join(unknown)}")
        folder = path.resolve().parent
        return cls(
            **{
                **document,
                "scene": folder / document["scene"],
                "output": folder / document["output"],
                "textures": tuple(folder / texture for texture in document.get("textures", [])),
            }
        )

    def chunks(self) -> Iterator[tuple[int, int]]:
        """First and last frame of each task."""
        for start in range(self.first, self.last + 1, self.chunk):
            yield start, min(start + self.chunk - 1, self.last)


def arguments(shot: Shot) -> dict[str, Any]:
    """What `Submit` takes for a shot."""
    textures = " ".join(f'-t "{path.as_posix()}"' for path in shot.textures)
    command = f'render -s {{}} -e {{}} {textures} "{shot.scene.as_posix()}"'
    return {
        "job_title": shot.title,
        "project": shot.project,
        "instance_type": shot.machine,
        "output_path": shot.output.as_posix(),
        "upload_paths": [path.as_posix() for path in (shot.scene, *shot.textures)],
        "tasks_data": [
            {
                "command": command.format(first, last),
                "frames": str(first) if first == last else f"{first}-{last}",
            }
            for first, last in shot.chunks()
        ],
    }


def submit(shot: Shot, client: ApiClient | None = None) -> str:
    """Upload what a shot needs, submit it, and return the job's id. One job at most. Raises ConductorError."""
    answer, _ = Submit(arguments(shot), client=client).main()
    return str(answer["jobid"])


def main(words: list[str]) -> int:
    """The command line: 0, or 1 and a sentence."""
    try:
        for word in words:
            print(submit(Shot.of_file(Path(word))))
    except (ShotError, ConductorError) as error:
        print(f"submitter: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
