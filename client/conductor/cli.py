"""The ``conductor`` command; its exit codes are in ``EPILOG``.

Every command lives in a module of ``conductor.commands`` that is imported when the command is used: ``COMMANDS``
is all that ``conductor --help`` reads. To add one, write ``commands/NAME.py`` with a click command (``-`` in the
command's name is ``_`` in the function's) and give it a line here.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import click

from conductor.commands.failures import guarded
from conductor.commands.groups import NearGroup
from conductor.commands.printing import guarded_output
from conductor.version import VERSION


class Listed(NamedTuple):
    """Where a command is, and the line that ``--help`` says about it: the first sentence of its docstring."""

    module: str
    help: str


COMMANDS = {
    "submit": Listed("submit", "Upload a job's files and submit it."),
    "upload": Listed("upload", "Upload files, directories and patterns, without a job."),
    "download": Listed("download", "Download the outputs of completed tasks."),
    "downloader": Listed(
        "daemons", "Download outputs as tasks complete, until stopped by Ctrl-C or SIGTERM."
    ),
    "uploader": Listed(
        "daemons",
        "Upload the files of jobs that were submitted without them, until stopped by Ctrl-C or SIGTERM.",
    ),
    "jobs": Listed("jobs", "List jobs and how far they are, the newest last."),
    "tasks": Listed("jobs", "List the tasks of a job."),
    "logs": Listed("logs", "Print the log of a task."),
    "wait": Listed("wait", "Wait until jobs have ended."),
    "kill": Listed("actions", "Kill jobs or tasks, whether they are pending or running."),
    "hold": Listed("actions", "Hold pending jobs or tasks, so that they do not start."),
    "unhold": Listed("actions", "Release jobs or tasks that are held."),
    "retry": Listed("actions", "Start jobs or tasks again that have ended."),
    "packages": Listed("packages", "List the software packages, with the ids that a submission names."),
    "projects": Listed("choices", "List the projects that a job can belong to."),
    "instance-types": Listed("choices", "List the machines that tasks can run on."),
    "usage": Listed("usage", "Show what rendering, or storage, cost on each day."),
    "catalog": Listed("catalog", "Export an account's packages, projects, machines and environment."),
    "config": Listed("config", "Show the settings."),
    "login": Listed("login", "Log in with a web browser, for use without an API key."),
    "completion": Listed("completion", "Print a shell's completion script."),
}

EPILOG = (
    "Answers go to the standard output, progress and errors to the standard error. Exit codes: 0 done, 1 failed "
    "(later it may work), 2 bad input, 3 not logged in, 4 unknown whether it was done, 130 interrupted, 141 the "
    "reader of the output has gone. 'conductor wait' has some of its own."
)


NAMES = ("conductor", "conductor-farm")
"""What the command is installed as. The vendor's ciocore brings a ``conductor`` too, and whichever came last is it."""


class Commands(NearGroup):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of ``COMMANDS``."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        listed = COMMANDS.get(cmd_name)
        if listed is None:
            return None
        module = import_module(f"conductor.commands.{listed.module}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, listed.help) for name, listed in COMMANDS.items()])

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command, and let its output be what it may."""
        with guarded_output("conductor"):
            return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; every failure becomes a line and an exit code."""
        with guarded(ctx):
            return super().invoke(ctx)


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(f"conductor, version {VERSION}")
        ctx.exit()


def _dashed(name: str) -> str:
    """Return the name of an option or command as it is declared; the tools of 2019 wrote ``--task_id``."""
    return name.replace("_", "-")


@click.group(
    "conductor",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": _dashed},
    epilog=EPILOG,
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.option("-v", "--verbose", is_flag=True, help="Log every request.")
@click.option("-q", "--quiet", is_flag=True, help="Log nothing but warnings.")
def cli(verbose: bool, quiet: bool) -> None:
    """Submit jobs to a Conductor render farm.

    The farm and the login are configured by CONDUCTOR_URL and CONDUCTOR_API_KEY (or CONDUCTOR_API_KEY_PATH), or
    in ~/.conductor/config.yml.
    """
    from conductor.lib.conductor_submit import set_logging
    from conductor.lib.config import Config

    settings = logging.getLogger(Config.__module__)
    settings.disabled = (
        True  # what is odd about them is said when the command reads them, once, and as logs are
    )
    try:
        level: int | str = (
            logging.DEBUG if verbose else logging.WARNING if quiet else Config.load()["log_level"]
        )
    finally:
        settings.disabled = False
    set_logging(level)


def command_name() -> str:
    """Return the name that the command was called by: one of its two, the first for ``python -m conductor``."""
    called = Path(sys.argv[0]).stem
    return called if called in NAMES else NAMES[0]


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command, with the words of this process by default. It ends by SystemExit, which has the exit code."""
    cli(None if argv is None else list(argv), prog_name=command_name())
