"""A job of the demo's studio: what is submitted, and the files that it wants."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COMMANDS: Mapping[str, str] = {
    "v-ray-standalone": "vray -display=0 -sceneFile={scene} -frames={frame} -imgFile={folder}/{shot}.####.exr",
    "blender": "blender -b {scene} -o {folder}/{shot}.#### -f {frame}",
    "houdini": "husk --frame {frame} --output {folder}/{shot}.{frame:04d}.exr {scene}",
    "nuke": "nuke -F {frame} -X Write1 {scene} {folder}/{shot}.{frame:04d}.exr",
}
"""A product of the catalogue, and how one of its frames is rendered."""

SCENE_ENDINGS: Mapping[str, str] = {
    "v-ray-standalone": "vrscene",
    "blender": "blend",
    "houdini": "usd",
    "nuke": "nk",
}


@dataclass(frozen=True, slots=True)
class Work:
    """A job: who submits what, of so many frames that take some `minutes` each."""

    shot: str
    step: str
    owner: str
    frames: int
    minutes: float
    product: str = "v-ray-standalone"
    project: str = "default"
    machine: str = "n1-standard-8"
    priority: int = 5

    @property
    def title(self) -> str:
        """What the pages call it."""
        return f"{self.shot} {self.step}"

    @property
    def folder(self) -> str:
        """Where the files of its shot are."""
        return f"/proj/heron/{self.shot}"

    @property
    def scene(self) -> str:
        """The file that is rendered."""
        return f"{self.folder}/{self.shot}.{SCENE_ENDINGS[self.product]}"

    @property
    def files(self) -> Mapping[str, bytes]:
        """What is uploaded: the scene, what it shares with others, its camera."""
        return {
            self.scene: f"{self.title}\n".encode() * 200,
            "/proj/heron/assets/heron.abc": b"feathers " * 900,
            f"{self.folder}/camera.abc": f"camera of {self.shot}\n".encode() * 40,
        }

    def payload(
        self,
        files: Sequence[Mapping[str, Any]],
        package_id: str,
        *,
        metadata: Mapping[str, str] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """The body of jobs.create, with these entries of `upload_files`; `more` is what else it has."""
        minutes = {"mock_duration": str(self.minutes * 60)} if self.minutes else {}
        return {
            "job_title": self.title,
            "project": self.project,
            "owner": self.owner,
            "instance_type": self.machine,
            "priority": self.priority,
            "tasks_data": [
                {"command": self._command(frame), "frames": str(frame)} for frame in range(1, self.frames + 1)
            ],
            "output_path": f"{self.folder}/renders",
            "software_package_ids": [package_id],
            "environment": {"OCIO": "/proj/heron/config.ocio", "SHOW": "heron"},
            "metadata": {**minutes, "shot": self.shot, **(metadata or {})},
            "upload_files": list(files),
            "upload_size": sum(entry["st_size"] for entry in files),
            **more,
        }

    def _command(self, frame: int) -> str:
        names = {"scene": self.scene, "folder": f"{self.folder}/renders", "shot": self.shot}
        return COMMANDS[self.product].format(frame=frame, **names)


def uneven(work: Work) -> list[dict[str, Any]]:
    """Rules for a job's frames: each takes between 15 and 48 minutes."""
    drawn = random.Random(1)  # noqa: S311 - a look, no secret
    frames = list(range(1, work.frames + 1))
    drawn.shuffle(frames)
    return [
        {
            "match": {"title": work.title, "frames": ",".join(map(str, sorted(frames[part::12])))},
            "duration": (15 + 3 * part) * 60,
        }
        for part in range(min(12, work.frames))
    ]
