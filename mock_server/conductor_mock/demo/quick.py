"""A whole submission, a line for each step: from a project on this machine to its downloaded frames.

The client is started as a user would start it, as a program of its own: the two sides share no code.
"""

from __future__ import annotations

import ast
import getpass
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from conductor_contracts.problems import count
from conductor_mock.app import create_app
from conductor_mock.context import service_of
from conductor_mock.demo import DemoError
from conductor_mock.demo.project import TURNTABLE, make_project
from conductor_mock.farm import billing
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.holds import Hold, holds
from conductor_mock.farm.payload import upload_files
from conductor_mock.farm.state import State
from conductor_mock.farm.statuses import DELIVERED, Outcome
from conductor_mock.farm.steps import advance_until
from conductor_mock.service import Service
from conductor_mock.serving.environment import handed_out
from conductor_mock.serving.server import Server
from conductor_mock.serving.signals import put_off
from conductor_mock.settings import Settings

QUICKSTART = "quickstart.py"

Say = Callable[[str], None]


def run_demo(say: Say, folder: Path | None) -> None:
    """Make a project, serve a fake, submit the documented quick start and a job file to it, let the farm render,
    approve the scouts of the one job, download the frames; `say` gets a line of each step.

    Project and frames are below `folder` and stay there; without one they go. Raises DemoError.
    """
    quickstart = _quickstart()
    app = create_app(Settings(ephemeral=True))
    service = service_of(app)
    with Server(app) as server, tempfile.TemporaryDirectory(prefix="conductor-demo-") as own:
        home = Path(own) / "home"
        home.mkdir()
        project, tools = make_project(folder or Path(own))
        say(f"a fake Conductor service at {server.url}, a project at {project}")

        environment = {
            **server.environment(),
            **owner(),
            "HOME": str(home),
            "PROJECT": str(project),
            "TOOLS": str(tools),
        }
        shell = _Shell(environment)
        first = ast.literal_eval(shell.python(quickstart).splitlines()[-1])["jobid"]
        account_id = service.accounts.sign_in(service.keys.client_id, service.keys.private_key)
        say(f"python {QUICKSTART}: {_submitted(service, account_id, first)}")
        submitted = json.loads(shell.conductor("submit", "--json", "--file", str(project / TURNTABLE)))
        second = submitted["response"]["jobid"]
        say(f"conductor submit --file {TURNTABLE}: {_submitted(service, account_id, second)}")
        for hold in _render(say, service, account_id):
            say(f"  {hold.reason}")
        shell.conductor("unhold", "--scouts", second)
        say(f"conductor unhold --scouts {second}: the scouts are approved")
        _render(say, service, account_id)
        shell.conductor("download", first, second)
        frames = sorted((project / "output").rglob("*.png"))
        kept = project / "output" if folder else "a throw-away folder; --folder FOLDER keeps them"
        say(f"conductor download {first} {second}: {count(len(frames), 'frame')} in {kept}")
    say(f"its page was {server.url}/; conductor-mock demo --keep (make demo KEEP=1) leaves one to look at")


def owner() -> dict[str, str]:
    """A variable that says whose the jobs are where the system has no name for whoever runs this."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        return {"CONDUCTOR_OWNER": "demo"}
    return {}


@dataclass(frozen=True, slots=True)
class _Shell:
    """Runs programs as a user would; what they print is shown when one fails. Raises DemoError then."""

    environment: Mapping[str, str]

    def python(self, script: Path) -> str:
        return self._run(f"python {script.name}", [str(script)])

    def conductor(self, *arguments: str) -> str:
        return self._run(f"conductor {' '.join(arguments)}", ["-m", "conductor", *arguments])

    def _run(self, shown: str, arguments: Sequence[str]) -> str:
        others = {
            name: value for name, value in os.environ.items() if not name.startswith(("CONDUCTOR_", "XDG_"))
        }
        code, printed, logged = _ran([sys.executable, *arguments], handed_out(others, self.environment))
        if code != 0:
            said = "\n".join(filter(None, (printed, logged)))
            raise DemoError(f"{shown} ended with exit code {code}\n{said}")
        return printed


def _ran(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Run a program to its end: its exit code, and what it printed and logged. Whoever ends us ends it too."""
    process = None
    try:
        with put_off():  # `subprocess.run` loses a program that was just started
            process = subprocess.Popen(
                arguments, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        printed, logged = process.communicate()
    finally:
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
    return process.returncode, printed.rstrip(), logged.rstrip()


def _submitted(service: Service, account_id: str, name: str) -> str:
    """What a submission brought: its job, and the files that it uploaded."""
    with service.accounts.open(account_id) as account:
        job = account.state.jobs[int(name)]
        tasks, files = len(job.tasks), sum(1 for _ in upload_files(account.payload(job)))
    return f"job {name}, {count(tasks, 'task')}, {count(files, 'file')} uploaded"


def _render(say: Say, service: Service, account_id: str) -> list[Hold]:
    """Let the farm work until it is idle, and say how far it came; what holds then."""
    held: list[Hold] = []
    finished = False
    while not finished:
        with service.accounts.open(account_id) as account:
            command, finished = advance_until(account.state, service.wall(), None)
            account.append(command)
            held, said = list(holds(account.state)), _progress(account.state)
    say(f"simulated time runs on: {said}")
    return held


def _progress(state: State) -> str:
    """How far all jobs are, how often their machines were taken away, and what that cost."""
    jobs = list(state.jobs.values())
    done = sum(job.counts[status] for job in jobs for status in DELIVERED)
    cost = sum(billing.job_cost(job, state.now_us) for job in jobs)
    minutes = (state.now_us - min(job.created_us for job in jobs)) / (60 * SECOND)
    preempted = sum(
        attempt.outcome == Outcome.PREEMPTED
        for job in jobs
        for task in job.tasks
        for attempt in task.attempts
    )
    words = [f"{done} of {sum(len(job.tasks) for job in jobs)} tasks done after {minutes:.0f} minutes"]
    if preempted:
        words.append(f"{count(preempted, 'preemption')} on the way")
    return ", ".join([*words, f"$ {billing.dollars(cost):.4f}"])


def _quickstart() -> Path:
    """`quickstart.py` as installed beside this package, or in the checkout that this module is run from."""
    here = Path(__file__).parents[1]
    for candidate in (here / "examples" / QUICKSTART, here.parents[1] / "examples" / QUICKSTART):
        if candidate.is_file():
            return candidate
    raise DemoError(f"the installation lacks examples/{QUICKSTART}")
