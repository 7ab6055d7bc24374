"""What the quick demo submits: a small project on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

TURNTABLE = "turntable.yml"


def make_project(root: Path) -> tuple[Path, Path]:
    """Scenes, textures in a folder, a job file, and a tools folder: `(project, tools)` below `root`."""
    project, tools = root / "project", root / "tools" / "custom_vray"
    for frame in (8, 24):
        _write(
            project / f"batman_{frame:04d}.vrscene",
            f"// frame {frame}\nRenderView view {{ fov=0.78; }}\n" * 40,
        )
    for name in ("cape", "cowl", "rooftop"):
        _write(project / "textures" / f"{name}.ppm", f"P3\n# {name}\n16 16\n255\n" + "12 14 40\n" * 256)
    _write(tools / "bin" / "vray", '#!/bin/sh\necho rendering "$@"\n')
    _write(tools / "plugin" / "vray_bat_shader.so", "not really a plugin\n" * 100)
    (tools / "bin" / "vray").chmod(0o755)
    _write(project / "turntable.vrscene", "// a signal lamp on a turntable\n" * 40)
    _write(project / TURNTABLE, yaml.safe_dump(turntable(project), sort_keys=False))
    return project, tools


def turntable(project: Path) -> dict[str, Any]:
    """Arguments of a job of twelve frames: three are scouts, and two lose their machine and start again."""
    scene, image = f"{project}/turntable.vrscene", f"{project}/output/turntable/lamp.####.exr"
    return {
        "job_title": "Turntable",
        "project": "default",
        "instance_type": "n1-standard-4",
        "upload_paths": [scene],
        "output_path": f"{project}/output",
        "tasks_data": [
            {"command": f"vray -sceneFile={scene} -frames={frame} -imgFile={image}", "frames": str(frame)}
            for frame in range(1, 13)
        ],
        "scout_frames": "1,6,12",
        "preemptible": True,
        "autoretry_policy": {"preempted": {"max_retries": 3}},
        "metadata": {"mock_outcome": "preempted,success", "mock_frames": "4,9"},
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
