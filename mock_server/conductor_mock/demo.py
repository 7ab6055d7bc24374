"""`conductor-mock demo`: a whole submission to look at, from a project on this machine to its downloaded frames.

The client is started as a user would start it, as a program of its own: the two sides share no code.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.farm import billing, views
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.holds import Hold, holds
from conductor_mock.farm.ids import tid
from conductor_mock.farm.state import Job, State
from conductor_mock.farm.steps import advance_until
from conductor_mock.service import Service
from conductor_mock.serving.environment import handed_out
from conductor_mock.serving.server import Server
from conductor_mock.serving.signals import put_off
from conductor_mock.settings import Settings
from conductor_mock.store.account_contents import UploadedFile

QUICKSTART = "quickstart.py"
TURNTABLE = "turntable.yml"


class DemoError(Exception):
    """The demo did not come to its end; the text says why."""


def run_demo(console: Console, folder: Path) -> None:
    """Make a project below `folder`, serve a fake, submit the documented quick start and a job file to it, let the farm
    render, approve the scouts of the one job, download the frames, and show all of it. The project and its frames stay.
    Raises DemoError.
    """
    quickstart = _quickstart()
    app = create_app(Settings(ephemeral=True))
    service = service_of(app)
    with Server(app) as server, tempfile.TemporaryDirectory(prefix="conductor-demo-home-") as home:
        project, tools = make_project(folder)
        console.print(f"A fake Conductor service at {server.url}, a project at {project}", soft_wrap=True)

        environment = {**server.environment(), "HOME": home, "PROJECT": str(project), "TOOLS": str(tools)}
        shell = _Shell(console, environment)
        response = ast.literal_eval(shell.python(quickstart).splitlines()[-1])
        submitted = json.loads(shell.conductor("submit", "--json", "--file", str(project / TURNTABLE)))
        account_id = service.accounts.sign_in(service.keys.client_id, service.keys.private_key)
        console.print(_files_table(service.contents.files(account_id)))
        console.print("\nSimulated time runs on until nothing is due any more.")
        for hold in _render(service, account_id):
            console.print(f"{hold.reason}.", highlight=False, soft_wrap=True, markup=False)
        shell.conductor("unhold", "--scouts", submitted["response"]["jobid"])
        _render(service, account_id)
        console.print("\nThe scouts are approved: simulated time ran on until the farm was idle.")
        shell.conductor("download", response["jobid"], submitted["response"]["jobid"])
        with service.accounts.open(account_id) as account:
            console.print(_tasks_table(account.state))
    frames = sorted((project / "output").rglob("*.png"))
    console.print(f"{len(frames)} frames are in {project / 'output'}", highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Shell:
    """Runs programs as a user would, and shows them with what they print. Raises DemoError when one fails."""

    console: Console
    environment: Mapping[str, str]

    def python(self, script: Path) -> str:
        return self._run(f"python {script.name}", [str(script)])

    def conductor(self, *arguments: str) -> str:
        return self._run(f"conductor {' '.join(arguments)}", ["-m", "conductor", *arguments])

    def _run(self, shown: str, arguments: Sequence[str]) -> str:
        self.console.print(f"\n$ {shown}", highlight=False, soft_wrap=True)
        others = {
            name: value for name, value in os.environ.items() if not name.startswith(("CONDUCTOR_", "XDG_"))
        }
        code, printed = _ran([sys.executable, *arguments], handed_out(others, self.environment))
        self.console.print(printed, highlight=False, soft_wrap=True, markup=False)
        if code != 0:
            raise DemoError(f"{shown} ended with exit code {code}")
        return printed


def _ran(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a program to its end: its exit code, and what it printed. Whoever ends us ends it too."""
    process = None
    try:
        with put_off():  # `subprocess.run` loses a program that was just started
            process = subprocess.Popen(arguments, env=environment, text=True, stdout=subprocess.PIPE)
        printed, _ = process.communicate()
    finally:
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode, printed.rstrip()


def _render(service: Service, account_id: str) -> list[Hold]:
    """Let the farm work until it is idle; what holds then."""
    held: list[Hold] = []
    finished = False
    while not finished:
        with service.accounts.open(account_id) as account:
            command, finished = advance_until(account.state, service.wall(), None)
            account.append(command)
            held = list(holds(account.state))
    return held


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


def _quickstart() -> Path:
    """`quickstart.py` as installed beside this module, or in the checkout that this module is run from."""
    here = Path(__file__).parent
    for candidate in (here / "examples" / QUICKSTART, here.parents[1] / "examples" / QUICKSTART):
        if candidate.is_file():
            return candidate
    raise DemoError(f"the installation lacks examples/{QUICKSTART}")


def _files_table(files: list[UploadedFile]) -> Table:
    table = Table("file", "size", "md5", title="uploaded")
    for file in files:
        table.add_row(file.path, str(file.size), file.md5)
    return table


def _tasks_table(state: State) -> Table:
    """Every task: when it ran in simulated time, what that cost, and what it left."""
    table = Table(title="tasks")
    for name in ("job", "task", "frames", "status", "machine"):
        table.add_column(name)
    for name in ("attempts", "waited", "ran", "cost", "files"):
        table.add_column(name, justify="right")
    total = 0
    for job in state.jobs.values():
        for index, task in enumerate(job.tasks):
            cost = billing.task_cost(job, task, state.now_us)
            total += cost
            table.add_row(
                views.job_record(state, job)["jid"],
                tid(index),
                task.frames,
                task.status,
                job.machine.name,
                str(len(task.attempts)),
                _seconds(_waited_us(job, index)),
                _seconds(views.runtime_us(task, state.now_us)),
                f"$ {billing.dollars(cost):.4f}",
                str(len(task.outputs or ())),
            )
    table.add_section()
    table.add_row("", "", "", "", "", "", "", "", f"$ {billing.dollars(total):.4f}", "")
    return table


def _waited_us(job: Job, index: int) -> int:
    """From the submission to the start of the first attempt."""
    attempts = job.tasks[index].attempts
    return attempts[0].started_us - job.created_us if attempts else 0


def _seconds(time_us: int) -> str:
    return f"{time_us / SECOND:.0f} s"
