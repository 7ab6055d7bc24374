"""A small ray tracer: spheres on a chequered floor, a soft light, reflections. Needs numpy and Pillow.

    python raytracer.py --scene scene.json --frame 7 --out renders/spheres.####.png
    python raytracer.py --scene scene.json --start 1 --end 24 --out renders/spheres_

The scene is a loop of so many frames as its file says; a frame is always the same picture.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]

GRID = 3
"""Rays of a pixel, along each side; each of them asks another spot of the light."""

BOUNCES = 3
FAR = np.float32(1e6)
NEAR = np.float32(1e-3)


@dataclass(frozen=True)
class Scene:
    """What is to be seen at one moment. Colours and mirror shares go from 0 to 1."""

    centres: Array
    radii: Array
    colours: Array
    mirrors: Array
    eye: Array
    target: Array
    lens: float
    light: dict[str, Any]
    sky: dict[str, Any]
    floor: dict[str, Any]


def scene_at(document: dict[str, Any], frame: int) -> Scene:
    """The scene of a document at a frame: the spheres dance around the middle one, and the camera swings."""
    turn = (frame - 1) / document["frames"]
    spheres = document["spheres"]
    camera = document["camera"]
    angle = camera["swing"] * math.sin(math.tau * turn) + 0.6
    return Scene(
        centres=np.array([_centre(sphere, turn) for sphere in spheres], np.float32),
        radii=np.array([sphere["radius"] for sphere in spheres], np.float32),
        colours=np.array([sphere["colour"] for sphere in spheres], np.float32),
        mirrors=np.array([sphere["mirror"] for sphere in spheres], np.float32),
        eye=np.array(
            [camera["orbit"] * math.sin(angle), camera["height"], camera["orbit"] * math.cos(angle)],
            np.float32,
        ),
        target=np.array(camera["target"], np.float32),
        lens=camera["lens"],
        light=document["light"],
        sky=document["sky"],
        floor=document["floor"],
    )


def _centre(sphere: dict[str, Any], turn: float) -> list[float]:
    if "centre" in sphere:
        return list(sphere["centre"])
    angle = math.tau * (sphere["turn"] + turn)
    height = sphere["radius"] + sphere["bounce"] * abs(math.sin(math.tau * (turn + sphere["turn"])))
    return [sphere["orbit"] * math.cos(angle), height, sphere["orbit"] * math.sin(angle)]


def render(scene: Scene, width: int, height: int) -> Image.Image:
    """The picture of a scene."""
    total = np.zeros((height * width, 3), np.float32)
    noise = np.random.default_rng(7).random((height * width, 2), np.float32)
    for ray in range(GRID * GRID):
        row, column = divmod(ray, GRID)
        directions = _camera(scene, width, height, (column + 0.5) / GRID, (row + 0.5) / GRID)
        origins = np.broadcast_to(scene.eye, directions.shape)
        spot = _spot(scene, (noise + np.array([column / GRID, row / GRID], np.float32)) % 1)
        total += _trace(scene, origins, directions, spot, BOUNCES)
    colours = total / (GRID * GRID)
    colours = colours * (1 + colours / 5) / (1 + colours)  # bright parts keep their shades
    colours = np.clip(colours * 1.5, 0, 1) ** (1 / 2.2)
    return Image.fromarray((colours * 255 + 0.5).astype(np.uint8).reshape(height, width, 3))


def _camera(scene: Scene, width: int, height: int, x: float, y: float) -> Array:
    """The direction of a ray through each pixel, at a place within it."""
    ahead = _unit(scene.target - scene.eye)
    right = _unit(np.cross(ahead, np.array([0, 1, 0], np.float32)))
    up = np.cross(right, ahead)
    across = ((np.arange(width, dtype=np.float32) + np.float32(x)) * 2 - width) / height
    down = (height - (np.arange(height, dtype=np.float32) + np.float32(y)) * 2) / height
    directions = (
        ahead * np.float32(scene.lens) + across[None, :, None] * right + down[:, None, None] * up
    ).reshape(-1, 3)
    return _unit(directions)


def _spot(scene: Scene, places: Array) -> Array:
    """A spot on the disk of the light for each place in the unit square."""
    radius = np.sqrt(places[:, 0]) * scene.light["radius"]
    angle = places[:, 1] * math.tau
    offset = np.stack([radius * np.cos(angle), np.zeros_like(radius), radius * np.sin(angle)], axis=1)
    return np.array(scene.light["position"], np.float32) + offset.astype(np.float32)


def _trace(scene: Scene, origins: Array, directions: Array, spots: Array, bounces: int) -> Array:
    """What rays see."""
    colours = _sky(scene, directions)
    distance, which = _nearest(scene, origins, directions)
    hit = distance < FAR
    if not hit.any():
        return colours
    origins, directions, spots, which = origins[hit], directions[hit], spots[hit], which[hit]
    reached = distance[hit][:, None]
    points = origins + directions * reached
    normals, albedo, mirror = _surface(scene, points, which)
    points = points + normals * NEAR * 4
    to_light = spots - points
    reach = np.linalg.norm(to_light, axis=1)
    to_light /= reach[:, None]
    facing = np.clip(_dot(normals, to_light), 0, 1)
    lit = facing * _visible(scene, points, to_light, reach)
    sky_light = (0.5 + 0.5 * normals[:, 1:2]) * np.array(scene.sky["horizon"], np.float32) * 0.3
    sky_light *= _openness(scene, points, normals)[:, None]
    seen = albedo * (sky_light + lit[:, None] * np.array(scene.light["colour"], np.float32) * 1.5)
    mirrored = directions - 2 * _dot(directions, normals)[:, None] * normals
    seen += (np.clip(_dot(mirrored, to_light), 0, 1) ** 60 * (lit > 0) * (which >= 0) * 0.6)[:, None]
    grazing = (1 - np.clip(-_dot(directions, normals), 0, 1)) ** 5
    share = np.clip(mirror + (1 - mirror) * grazing * 0.5, 0, 1)[:, None]
    if bounces > 0:
        ahead = share[:, 0] > 0.02
        reflected = np.zeros_like(seen)
        reflected[ahead] = _trace(scene, points[ahead], mirrored[ahead], spots[ahead], bounces - 1)
        seen = seen * (1 - share) + reflected * share
    haze = (1 - np.exp(-reached * 0.035)) * (which[:, None] < 0)
    colours[hit] = seen * (1 - haze) + colours[hit] * haze
    return colours


def _sky(scene: Scene, directions: Array) -> Array:
    height = np.clip(directions[:, 1:2], 0, 1) ** 0.55
    zenith, horizon = (np.array(scene.sky[name], np.float32) for name in ("zenith", "horizon"))
    sun = _unit(np.array(scene.light["position"], np.float32))
    glow = np.clip(directions @ sun, 0, 1)[:, None] ** 24
    colours: Array = horizon * (1 - height) + zenith * height + glow * np.array([0.5, 0.42, 0.3], np.float32)
    return colours


def _nearest(scene: Scene, origins: Array, directions: Array) -> tuple[Array, NDArray[np.int8]]:
    """How far rays go until they meet something, and what: a sphere's number, -1 for the floor."""
    down = directions[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        nearest = np.where(down < -1e-5, -origins[:, 1] / down, FAR).astype(np.float32)
    which = np.full(len(nearest), -1, np.int8)
    for number in range(len(scene.radii)):
        distance = _meet(scene, number, origins, directions)
        closer = distance < nearest
        nearest[closer] = distance[closer]
        which[closer] = number
    return nearest, which


def _meet(scene: Scene, number: int, origins: Array, directions: Array) -> Array:
    """How far rays go until they meet a sphere."""
    offset = origins - scene.centres[number]
    half = _dot(offset, directions)
    under = half * half - (_dot(offset, offset) - scene.radii[number] ** 2)
    distance = -half - np.sqrt(np.maximum(under, 0))
    met: Array = np.where((under > 0) & (distance > NEAR), distance, FAR).astype(np.float32)
    return met


def _visible(scene: Scene, points: Array, directions: Array, reach: Array) -> Array:
    """1 where nothing lies between a point and the light, else 0."""
    free = np.ones(len(points), np.float32)
    for number in range(len(scene.radii)):
        free[_meet(scene, number, points, directions) < reach] = 0
    return free


def _openness(scene: Scene, points: Array, normals: Array) -> Array:
    """How much of the sky a point sees past the spheres: dark where they touch the floor."""
    free = np.ones(len(points), np.float32)
    for centre, radius in zip(scene.centres, scene.radii, strict=True):
        offset = centre - points
        far = np.maximum(np.linalg.norm(offset, axis=1), radius)
        free *= 1 - np.clip(_dot(offset, normals) / far, 0, 1) * np.square(radius / far)
    return free


def _surface(scene: Scene, points: Array, which: NDArray[np.int8]) -> tuple[Array, Array, Array]:
    """Normal, colour and mirror share at each point."""
    on_floor = which < 0
    normals = points - scene.centres[which]
    normals /= scene.radii[which][:, None]
    normals[on_floor] = (0, 1, 0)
    colours, mirrors = scene.colours[which], scene.mirrors[which]
    fields = (np.floor(points[on_floor, 0]) + np.floor(points[on_floor, 2])) % 2
    light, dark = (np.array(scene.floor[name], np.float32) for name in ("light", "dark"))
    colours[on_floor] = np.where(fields[:, None] > 0, light, dark)
    mirrors[on_floor] = scene.floor["mirror"]
    return normals, colours, mirrors


def _dot(first: Array, second: Array) -> Array:
    product: Array = np.einsum("ij,ij->i", first, second)
    return product


def _unit(vectors: Array) -> Array:
    unit: Array = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def path_of(out: str, frame: int) -> Path:
    """Where a frame goes: `####` is its number, and to a beginning without an ending the number is added."""
    if "#" in out:
        return Path(re.sub("#+", lambda mark: f"{frame:0{len(mark[0])}d}", out))
    return Path(out) if Path(out).suffix else Path(f"{out}{frame:04d}.png")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Render frames of a scene.")
    parser.add_argument("--scene", type=Path, default=Path(__file__).with_name("scene.json"))
    parser.add_argument("--frame", type=int, help="one frame; or --start and --end")
    parser.add_argument("--start", type=int)
    parser.add_argument("--end", type=int)
    parser.add_argument("--out", required=True, help="a file with #### for the number, or a beginning")
    parser.add_argument("--size", type=_size, default=(320, 180), help="WIDTHxHEIGHT [320x180]")
    given = parser.parse_args(arguments)
    first = given.frame if given.frame is not None else given.start
    last = given.frame if given.frame is not None else given.end
    if first is None or last is None or first > last:
        parser.error("say --frame, or --start and --end")
    frames = range(first, last + 1)
    if len(frames) > 1 and path_of(given.out, first) == path_of(given.out, last):
        parser.error(f"--out {given.out} is one file for {len(frames)} frames: put #### into its name")
    document = json.loads(given.scene.read_text(encoding="utf-8"))
    for number, frame in enumerate(frames, 1):
        began = time.perf_counter()
        path = path_of(given.out, frame)
        path.parent.mkdir(parents=True, exist_ok=True)
        render(scene_at(document, frame), *given.size).save(path)
        print(f"frame {frame}: {path} in {time.perf_counter() - began:.2f} s", flush=True)
        print(f"progress {100 * number // len(frames)}%", flush=True)
    return 0


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT")
    return int(match[1]), int(match[2])


if __name__ == "__main__":
    sys.exit(main())
