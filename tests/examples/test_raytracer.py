"""The example's ray tracer and contact sheet: pictures of frames, where the options say."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image, ImageStat

from support.programs import ROOT

EXAMPLES = ROOT / "examples"
TINY = ("--size", "32x18")


def load(path: Path) -> ModuleType:
    """A script of the examples as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def raytracer() -> ModuleType:
    return load(EXAMPLES / "raytracer" / "raytracer.py")


def test_a_frame_is_always_the_same_picture_and_no_other_is_like_it(
    raytracer: ModuleType, tmp_path: Path
) -> None:
    for out, frame in (("a.png", 3), ("b.png", 3), ("c.png", 9)):
        assert raytracer.main([*TINY, "--frame", str(frame), "--out", str(tmp_path / out)]) == 0
    first, again, other = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert first == again
    assert first != other


def test_the_film_is_a_loop(raytracer: ModuleType) -> None:
    document = json.loads((EXAMPLES / "raytracer" / "scene.json").read_text(encoding="utf-8"))
    first, after = (raytracer.scene_at(document, frame) for frame in (1, 1 + document["frames"]))
    assert after.centres == pytest.approx(first.centres, abs=1e-5)
    assert after.eye == pytest.approx(first.eye, abs=1e-5)


def test_a_picture_shows_floor_sky_and_spheres(raytracer: ModuleType, tmp_path: Path) -> None:
    raytracer.main(["--size", "64x36", "--frame", "1", "--out", str(tmp_path / "a.png")])
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (64, 36)
        assert min(ImageStat.Stat(picture).stddev) > 10
        top, bottom = picture.getpixel((2, 2)), picture.getpixel((2, 33))
        assert top != bottom


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("x_", ["x_0001.png", "x_0002.png"]),
        ("x.##.png", ["x.01.png", "x.02.png"]),
        ("d/x", ["d/x0001.png", "d/x0002.png"]),
    ],
)
def test_frames_go_where_the_options_say(
    raytracer: ModuleType, tmp_path: Path, out: str, expected: list[str]
) -> None:
    assert raytracer.main([*TINY, "--start", "1", "--end", "2", "--out", str(tmp_path / out)]) == 0
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")) == expected


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--out", "x_"], "--start and --end"),
        (["--out", "x_", "--start", "3", "--end", "2"], "--start and --end"),
        (["--out", "x.png", "--start", "1", "--end", "2"], "####"),
        (["--out", "x_", "--frame", "1", "--size", "0x4"], "WIDTHxHEIGHT"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    raytracer: ModuleType, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        raytracer.main(options)
    assert stopped.value.code == 2
    assert reason in capsys.readouterr().err


def test_a_contact_sheet_has_every_picture(tmp_path: Path) -> None:
    sheet = load(EXAMPLES / "contact_sheet.py")
    colours = {"a.png": (200, 0, 0), "b.png": (0, 200, 0), "sub/c.png": (0, 0, 200)}
    for name, colour in colours.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (16, 9), colour).save(tmp_path / name)
    out = tmp_path / "sheet.png"
    assert sheet.main([str(tmp_path), "--out", str(out), "--columns", "2", "--width", "32"]) == 0
    with Image.open(out) as picture:
        found = {colour for _, colour in picture.getcolors(1 << 24) or ()}
    assert set(colours.values()) <= found


def test_a_contact_sheet_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load(EXAMPLES / "contact_sheet.py").main([str(tmp_path), "--out", str(tmp_path / "sheet.png")])
    assert "no picture" in capsys.readouterr().err
