"""Submits 24 frames of the ray tracer with the documented Python API. Prints the job's id.

    python examples/raytracer/submit.py --output /some/folder

The service has to run tasks for real, as `conductor-mock serve --execute` does. `make demo-execute` shows all of it.
"""

import argparse
import sys
from pathlib import Path

from conductor.lib import conductor_submit

HERE = Path(__file__).resolve().parent

# Some machines are taken away within their first second. The fake is told which, by reserved keys of the job's
# metadata; the frames are started again, as the policy below allows.
TAKEN_AWAY = {"mock_outcome": "preempted,success", "mock_duration": "1", "mock_frames": "5,11,17,23"}


def arguments(output: Path, first: int, last: int, size: str) -> dict[str, object]:
    """The arguments of the submission: a task for each frame."""
    render = (
        f"python {HERE}/raytracer.py --scene {HERE}/scene.json --size {size} --out {output}/spheres.####.png"
    )
    return {
        "job_title": "Spheres, traced",
        "project": "default",
        "instance_type": "n1-standard-2",
        "upload_paths": [str(HERE / "raytracer.py"), str(HERE / "scene.json")],
        "output_path": str(output),
        "tasks_data": [
            {"command": f"{render} --frame {frame}", "frames": str(frame)} for frame in range(first, last + 1)
        ],
        # Tasks of a fake run on this machine: they are to find this Python, which has numpy.
        "environment": {"PATH": str(Path(sys.executable).parent), "OMP_NUM_THREADS": "1"},
        "preemptible": True,
        "autoretry_policy": {"preempted": {"max_retries": 5}},
        "metadata": TAKEN_AWAY,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Submit frames of the ray tracer.")
    parser.add_argument("--output", type=Path, required=True, help="the folder that the pictures are for")
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--end", type=int, default=24)
    parser.add_argument("--size", default="320x180", help="WIDTHxHEIGHT")
    given = parser.parse_args()
    args = arguments(given.output.resolve(), given.start, given.end, given.size)
    response, _ = conductor_submit.Submit(args).main()
    print(response["jobid"])


if __name__ == "__main__":
    main()
