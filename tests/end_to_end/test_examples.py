"""The examples that tasks really run, in their smallest form: from a submission to a contact sheet."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from support.control import Control
from support.programs import ROOT, python, run
from support.served import served

RENDER = ROOT / "examples" / "render.py"
TINY = ("--start", "4", "--end", "5", "--size", "64x36")


def test_the_ray_tracer_is_rendered_by_its_tasks_and_one_of_them_twice(tmp_path: Path) -> None:
    """Frame 5 loses its machine once: its first attempt is ended, its second one renders."""
    with served(tmp_path / "served", "--execute", "--speed", "60") as server:
        finished = run(
            python(str(RENDER), "raytracer", "--folder", str(tmp_path / "demo"), *TINY), server.ready["env"]
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        job = Control(server.url).job("00001")
    assert [[attempt["outcome"] for attempt in task["attempts"]] for task in job["tasks"]] == [
        ["success"],
        ["preempted", "success"],
    ]
    assert job["status"] == "downloaded"
    for frame in (4, 5):
        by_hand = tmp_path / f"{frame}.png"
        script = ROOT / "examples" / "raytracer" / "raytracer.py"
        run(python(str(script), "--size", "64x36", "--frame", str(frame), "--out", str(by_hand)))
        rendered = tmp_path / "demo" / "renders" / f"spheres.{frame:04d}.png"
        assert rendered.read_bytes() == by_hand.read_bytes()
    with Image.open(tmp_path / "demo" / "contact_sheet.png") as sheet:
        assert sheet.width > sheet.height > 100


def test_without_blender_its_example_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "bpy.py").write_text("raise ImportError('there is no bpy here')", encoding="utf-8")
    command = python(str(RENDER), "blender", "--folder", str(tmp_path / "demo"))
    finished = run(command, {"PYTHONPATH": str(tmp_path)})
    assert finished.returncode == 1
    assert "there is no bpy here: install 'conductor-mock[blender]'" in finished.stderr
    assert "Traceback" not in finished.stderr
