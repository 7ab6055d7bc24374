"""The example's `blender` command follows options as Blender does: a stand-in for bpy writes down what it is told."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.programs import ROOT, Finished, run

BLENDER = ROOT / "examples" / "blender" / "bin" / "blender"
STAND_IN = """
from types import SimpleNamespace as Space

render = Space(filepath="//", engine="", image_settings=Space(file_format=""))
scene = Space(frame_start=1, frame_end=3, render=render, frame_set=lambda frame: print("at", frame))
context = Space(scene=scene)


def open_mainfile(filepath):
    if "missing" in filepath:
        raise RuntimeError(f"cannot read {filepath}")


ops = Space(
    wm=Space(open_mainfile=open_mainfile),
    render=Space(render=lambda write_still: print("rendered", render.filepath, render.engine)),
)
"""


Blender = Callable[[str], Finished]


@pytest.fixture
def blender(tmp_path: Path) -> Blender:
    (tmp_path / "bpy.py").write_text(STAND_IN, encoding="utf-8")

    def call(options: str) -> Finished:
        return run(
            [str(BLENDER), *shlex.split(options)],
            {"BLENDER_PYTHON": sys.executable, "PYTHONPATH": str(tmp_path), "PATH": os.defpath},
        )

    return call


def rendered(finished: Finished) -> list[str]:
    assert finished.returncode == 0, finished.stderr
    return [line for line in finished.stdout.splitlines() if line.startswith("rendered")]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-b a.blend -E CYCLES -o /out/x_ -s 2 -e 3 -a", ["/out/x_0002 CYCLES", "/out/x_0003 CYCLES"]),
        ("--background a.blend --render-output /out/ --frame-end 1 --render-anim", ["/out/0001 "]),
        ("-b a.blend -o 'a b/x' -f 1..2,7 -- --start=9", ["a b/x0001 ", "a b/x0002 ", "a b/x0007 "]),
        ("-b a.blend -f 1 -o /too/late_", ["//0001 "]),
        ("-b a.blend -o x --python-expr 'bpy.context.scene.frame_end = 1' -a", ["x0001 "]),
    ],
)
def test_options_are_followed_in_their_order(blender: Blender, options: str, expected: list[str]) -> None:
    assert rendered(blender(options)) == [f"rendered {line}" for line in expected]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("-b a.blend --threads 4", "--threads is not known"),
        ("-b a.blend -o", "-o wants a value"),
        ("-b a.blend -f one", "'one' is not a frame"),
        ("-b missing.blend -a", "cannot read missing.blend"),
    ],
)
def test_what_it_cannot_follow_is_said_without_a_traceback(
    blender: Blender, options: str, reason: str
) -> None:
    finished = blender(options)
    assert finished.returncode == 1
    assert reason in finished.stderr
    assert "Traceback" not in finished.stderr
