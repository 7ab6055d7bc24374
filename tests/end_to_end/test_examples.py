"""The examples that tasks really run, in their smallest form: from a submission to a contact sheet."""

from __future__ import annotations

from pathlib import Path

from support.programs import ROOT, python, run

RENDER = ROOT / "examples" / "render.py"


def test_without_blender_its_example_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "bpy.py").write_text("raise ImportError('there is no bpy here')", encoding="utf-8")
    command = python(str(RENDER), "blender", "--folder", str(tmp_path / "demo"))
    finished = run(command, {"PYTHONPATH": str(tmp_path)})
    assert finished.returncode == 1
    assert "there is no bpy here: install 'conductor-mock[blender]'" in finished.stderr
    assert "Traceback" not in finished.stderr
