"""An example from its submission to a contact sheet: submits it, waits for it, downloads its pictures.

    conductor-mock run --execute -- python examples/render.py raytracer --folder /some/folder
    conductor-mock run --execute -- python examples/render.py blender --folder /some/folder

Everything goes through the client, as a user would do it in a shell.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from conductor.lib.config import Config
from conductor.lib.logs import get_log
from conductor.lib.tasks import list_tasks

HERE = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Render an example on the farm; further options go to its submit.py."
    )
    parser.add_argument("example", choices=["raytracer", "blender"])
    parser.add_argument("--folder", type=Path, required=True, help="where the pictures are to be")
    given, more = parser.parse_known_args()  # what this script does not know is for submit.py
    folder = given.folder.resolve()
    renders = folder / "renders"
    options = ["--output", str(renders), *more]
    if given.example == "blender":
        python(HERE / "blender" / "make_scene.py", str(folder / "project"))
        options += ["--project", str(folder / "project")]
    job = python(HERE / given.example / "submit.py", *options, read=True)
    print(f"job {job}, while it renders at {Config.load().url}/jobs/{job}", flush=True)
    conductor("wait", "--interval", "1", job)
    again = taken_away(job)
    print(
        f"frames whose machine was taken away, and which were rendered again: {', '.join(again) or 'none'}",
        flush=True,
    )
    conductor("download", job)
    python(HERE / "contact_sheet.py", str(renders), "--out", str(folder / "contact_sheet.png"))
    return 0


def taken_away(job: str) -> list[str]:
    """The frames of the tasks whose logs tell of a preemption."""
    return [
        task.frames
        for task in list_tasks(job)
        if any(line.endswith(" preempted") for line in get_log(job, task.tid).lines)
    ]


def python(script: Path, *arguments: str, read: bool = False) -> str:
    """Run a script to its end; the last line that it prints, if that is to be read."""
    finished = subprocess.run(
        [sys.executable, str(script), *arguments],
        check=True,
        text=True,
        stdout=subprocess.PIPE if read else None,
    )
    return finished.stdout.splitlines()[-1] if read else ""


def conductor(*arguments: str) -> None:
    """Run the client's command line."""
    subprocess.run([sys.executable, "-m", "conductor", *arguments], check=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd[1:3])} ended with exit code {error.returncode}")
