"""Makes the example's scene: `scene.blend` and the texture that it uses. Needs bpy, Blender as a Python module.

python make_scene.py /some/folder
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

try:
    import bpy
    import numpy as np
except ImportError as error:
    sys.exit(
        f"{error}: install 'conductor-mock[blender]' into a Python 3.11 to have Blender as a Python module"
    )

FRAMES = 12
TEXTURE = "textures/tiles.png"


def make_texture(path: Path, size: int = 512) -> None:
    """Four inks where waves of six directions meet: a pattern of stars that fits to itself on every side."""
    place = np.linspace(0, math.tau, size, endpoint=False, dtype=np.float32)
    x, y = np.meshgrid(place, place)
    waves = sum(np.cos(a * x + b * y) for a, b in ((3, 0), (0, 3), (3, 3), (3, -3), (6, 0), (0, 6)))
    inks = np.array(
        [(0.03, 0.07, 0.14), (0.04, 0.34, 0.42), (0.90, 0.62, 0.24), (0.95, 0.92, 0.84)], np.float32
    )
    # Between two inks lies a narrow edge, so that the pattern is crisp and not jagged.
    levels = np.array([-1.32, -1.28, -0.02, 0.02, 1.68, 1.72], np.float32)
    pixels = np.ones((size, size, 4), np.float32)
    for channel in range(3):
        pixels[..., channel] = np.interp(waves, levels, np.repeat(inks[:, channel], 2)[1:-1])
    image = bpy.data.images.new("tiles", size, size)
    image.pixels.foreach_set(pixels.ravel())
    path.parent.mkdir(parents=True, exist_ok=True)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def make_scene(folder: Path) -> Path:
    """Write the scene, which finds its texture beside itself; its path."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    make_texture(folder / TEXTURE)
    bpy.context.preferences.filepaths.save_version = 0  # no scene.blend1 beside it
    scene = bpy.context.scene
    _set_up_render(scene)
    tiles = bpy.data.images.load(str(folder / TEXTURE))
    _stage(tiles)
    _figures(tiles)
    _lights(scene)
    _camera(scene)
    path = folder / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.file.make_paths_relative()  # the scene is rendered in another place than it is made in
    bpy.ops.wm.save_mainfile()
    return path


def _set_up_render(scene: bpy.types.Scene) -> None:
    scene.frame_start, scene.frame_end = 1, FRAMES
    render = scene.render
    render.engine = "CYCLES"
    render.resolution_x, render.resolution_y, render.resolution_percentage = 480, 270, 100
    render.image_settings.file_format = "PNG"
    scene.cycles.device = "CPU"
    scene.cycles.samples = 24
    scene.cycles.use_denoising = True
    scene.cycles.max_bounces = 6
    scene.cycles.seed = 4
    scene.view_settings.look = "AgX - Medium High Contrast"


def _stage(tiles: bpy.types.Image) -> None:
    """A floor, and a round plinth with the texture on it that turns once in the film."""
    bpy.ops.mesh.primitive_plane_add(size=400)
    _give(_material("floor", (0.055, 0.075, 0.095), roughness=0.42))
    bpy.ops.mesh.primitive_cylinder_add(vertices=160, radius=2.6, depth=0.35, location=(0, 0, 0.175))
    _round_off(0.05)
    _give(_material("plinth", tiles=tiles, scale=0.62, roughness=0.25))
    _turn(bpy.context.object)


def _figures(tiles: bpy.types.Image) -> None:
    """A monkey of gold that turns, and four balls that go around it."""
    bpy.ops.mesh.primitive_monkey_add(size=2.0, location=(0, 0, 1.36), rotation=(-0.32, 0, 0))
    monkey = bpy.context.object
    monkey.modifiers.new("smooth", "SUBSURF").render_levels = 3
    bpy.ops.object.shade_smooth()
    _give(_material("gold", (0.95, 0.56, 0.18), metallic=1.0, roughness=0.2))
    monkey.driver_add(
        "rotation_euler", 2
    ).driver.expression = f"0.35 + 0.5 * sin((frame - 1) * 2 * pi / {FRAMES})"
    balls = (
        (_material("glass", (0.90, 0.97, 1.0), roughness=0.02, transmission=1.0), 0.46),
        (_material("red", (0.62, 0.03, 0.03), roughness=0.18), 0.34),
        (_material("ball", tiles=tiles, scale=1.6, roughness=0.3), 0.46),
        (_material("teal", (0.02, 0.26, 0.30), roughness=0.12), 0.34),
    )
    for number, (material, radius) in enumerate(balls):
        bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=radius)
        bpy.ops.object.shade_smooth()
        _give(material)
        ball = bpy.context.object
        angle = f"((frame - 1) / {FRAMES} + {number / len(balls)}) * 2 * pi"
        for axis, expression in enumerate((f"1.95 * cos({angle})", f"1.95 * sin({angle})")):
            ball.driver_add("location", axis).driver.expression = expression
        hop = (
            f"{0.35 + radius} + {0.55 * (number % 2)} * abs(sin((frame - 1) * 2 * pi / {FRAMES} + {number}))"
        )
        ball.driver_add("location", 2).driver.expression = hop
        ball.driver_add("rotation_euler", 2).driver.expression = f"2 * {angle}"


def _lights(scene: bpy.types.Scene) -> None:
    """A large warm light from the left, a cool one from behind on the right, and a dim sky."""
    for location, size, watts, colour in (
        ((-4.5, -4.0, 5.5), 3.0, 620, (1.0, 0.86, 0.70)),
        ((5.0, 3.5, 3.6), 2.5, 420, (0.55, 0.74, 1.0)),
        ((0.5, -6.0, 1.2), 2.0, 60, (1.0, 0.95, 0.9)),
    ):
        light = bpy.data.lights.new("area", "AREA")
        light.size, light.energy, light.color = size, watts, colour
        lamp = bpy.data.objects.new("area", light)
        lamp.location = location
        scene.collection.objects.link(lamp)
        _look_at(lamp, (0, 0, 1.0))
    world = bpy.data.worlds.new("sky")
    scene.world = world
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.10, 0.14, 0.22, 1)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.45


def _camera(scene: bpy.types.Scene) -> None:
    camera = bpy.data.cameras.new("camera")
    camera.lens = 46
    camera.dof.use_dof = True
    camera.dof.focus_distance, camera.dof.aperture_fstop = 8.2, 2.0
    eye = bpy.data.objects.new("camera", camera)
    eye.location = (1.7, -8.3, 3.75)
    scene.collection.objects.link(eye)
    _look_at(eye, (0, 0, 0.92))
    scene.camera = eye


def _material(
    name: str,
    colour: tuple[float, float, float] = (1, 1, 1),
    *,
    tiles: bpy.types.Image | None = None,
    scale: float = 1.0,
    metallic: float = 0.0,
    roughness: float = 0.5,
    transmission: float = 0.0,
) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    tree = material.node_tree
    surface = tree.nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = (*colour, 1)
    surface.inputs["Metallic"].default_value = metallic
    surface.inputs["Roughness"].default_value = roughness
    surface.inputs["Transmission Weight"].default_value = transmission
    if tiles is not None:
        texture, place = tree.nodes.new("ShaderNodeTexImage"), tree.nodes.new("ShaderNodeTexCoord")
        spread = tree.nodes.new("ShaderNodeMapping")
        texture.image, texture.projection = tiles, "BOX"
        texture.projection_blend = 0.15
        spread.inputs["Scale"].default_value = (scale, scale, scale)
        tree.links.new(place.outputs["Object"], spread.inputs["Vector"])
        tree.links.new(spread.outputs["Vector"], texture.inputs["Vector"])
        tree.links.new(texture.outputs["Color"], surface.inputs["Base Color"])
    return material


def _give(material: bpy.types.Material) -> None:
    bpy.context.object.data.materials.append(material)


def _round_off(width: float) -> None:
    bevel = bpy.context.object.modifiers.new("edge", "BEVEL")
    bevel.width, bevel.segments = width, 4
    bpy.ops.object.shade_auto_smooth()


def _turn(thing: bpy.types.Object) -> None:
    thing.driver_add("rotation_euler", 2).driver.expression = f"(frame - 1) * 2 * pi / {FRAMES}"


def _look_at(thing: bpy.types.Object, target: tuple[float, float, float]) -> None:
    from mathutils import Vector  # comes with bpy, and after it

    direction = Vector(target) - thing.location
    thing.rotation_euler = direction.to_track_quat("-Z", "Y").to_euler()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_scene.py FOLDER")
    print(make_scene(Path(sys.argv[1]).resolve()))
