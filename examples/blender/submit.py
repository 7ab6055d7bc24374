"""Submits 12 frames of a Blender scene, two to a task, with the documented Python API. Prints the job's id.

    python examples/blender/make_scene.py /some/project
    python examples/blender/submit.py --project /some/project --output /some/folder

The service has to run tasks for real, as `conductor-mock serve --execute` does. `make demo-blender` shows all of it.
This Python has to have bpy, Blender as a Python module: `pip install 'conductor-mock[blender]'`, for Python 3.11 only.
"""

import argparse
import sys
from pathlib import Path

from conductor.lib import conductor_submit

TOOLS = Path(__file__).resolve().parent / "bin"


def arguments(project: Path, output: Path, first: int, last: int, chunk: int) -> dict[str, object]:
    """The arguments of the submission: the scene, its texture, and the `blender` command that renders it."""
    render = f'blender --background "{project}/scene.blend" --render-output "{output}/monkey_"'
    chunks = [(start, min(start + chunk - 1, last)) for start in range(first, last + 1, chunk)]
    return {
        "job_title": "Golden monkey",
        "project": "default",
        "instance_type": "n1-standard-2",
        "upload_paths": [
            f"{project}/scene.blend",
            f"{project}/textures",
            f"{TOOLS}/blender",
            f"{TOOLS}/blender.py",
        ],
        "output_path": str(output),
        "tasks_data": [
            {
                "command": f"{render} --frame-start {start} --frame-end {end} --render-anim",
                "frames": f"{start}-{end}" if end > start else str(start),
            }
            for start, end in chunks
        ],
        # The uploaded `blender` is found first, and starts the Python that has bpy.
        "environment": {"PATH": str(TOOLS), "BLENDER_PYTHON": sys.executable},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Submit frames of the Blender scene.")
    parser.add_argument("--project", type=Path, required=True, help="the folder with scene.blend")
    parser.add_argument("--output", type=Path, required=True, help="the folder that the pictures are for")
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--end", type=int, default=12)
    parser.add_argument("--chunk", type=int, default=2, help="frames of a task")
    given = parser.parse_args()
    args = arguments(given.project.resolve(), given.output.resolve(), given.start, given.end, given.chunk)
    response, _ = conductor_submit.Submit(args).main()
    print(response["jobid"])


if __name__ == "__main__":
    main()
