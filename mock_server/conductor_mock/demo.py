"""`conductor-mock demo`: a whole submission to look at, on one machine and thrown away afterwards.

The client is started as a user would start it, as a program of its own: the two sides share no code.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from conductor_mock.app import create_app, service_of
from conductor_mock.farm import views
from conductor_mock.serving import Server
from conductor_mock.settings import Settings
from conductor_mock.store.accounts import Accounts
from conductor_mock.store.holdings import HeldFile

QUICKSTART = "quickstart.py"


class DemoError(Exception):
    """The demo did not come to its end; the text says why."""


def run_demo(console: Console) -> None:
    """Make a project, serve a fake, run the documented quick start against it, show what arrived.

    Raises DemoError.
    """
    quickstart = _quickstart()
    with tempfile.TemporaryDirectory(prefix="conductor-demo-") as folder:
        project, tools, home = make_project(Path(folder))
        app = create_app(Settings(ephemeral=True))
        service = service_of(app)
        with Server(app) as server:
            console.print(f"A fake Conductor service at {server.url}, a project at {project}")
            console.print(f"$ python {quickstart.name}")
            environment = {
                **{name: value for name, value in os.environ.items() if not name.startswith("CONDUCTOR_")},
                **server.environment(),
                "HOME": str(home),
                "PROJECT": str(project),
                "TOOLS": str(tools),
            }
            finished = subprocess.run(
                [sys.executable, str(quickstart)],
                env=environment,
                check=False,
                text=True,
                stdout=subprocess.PIPE,
            )
            account_id = service.accounts.sign_in(service.keys.client_id, service.keys.private_key)
            console.print(_files_table(service.holdings.files(account_id)))
            console.print(_jobs_table(service.accounts, account_id))
    console.print(finished.stdout.rstrip(), highlight=False)
    if finished.returncode != 0:
        raise DemoError(f"the quick start ended with exit code {finished.returncode}")


def make_project(root: Path) -> tuple[Path, Path, Path]:
    """Two scenes, textures in a folder, a tools folder, and an empty home: `(project, tools, home)` below `root`."""
    project, tools, home = root / "project", root / "tools" / "custom_vray", root / "home"
    home.mkdir(parents=True)
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
    return project, tools, home


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


def _files_table(files: list[HeldFile]) -> Table:
    table = Table("file", "size", "md5", title="uploaded")
    for file in files:
        table.add_row(file.path, str(file.size), file.md5)
    return table


def _jobs_table(accounts: Accounts, account_id: str) -> Table:
    table = Table("job", "title", "machine", "tasks", "status", title="jobs")
    with accounts.open(account_id) as account:
        for job in account.state.jobs.values():
            record = views.job_record(account.state, job)
            table.add_row(record["jid"], job.title, job.machine.name, str(len(job.tasks)), record["status"])
    return table
