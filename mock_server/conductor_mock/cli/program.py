"""The program: which commands there are, and how it ends where the system fails them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from conductor_contracts.groups import COMPLETION, Commands
from conductor_contracts.listed import Listed
from conductor_contracts.printing import echo
from conductor_mock.cli.unusable import TOO_FEW_FILES, TOO_FEW_THREADS, Unusable, is_out_of_threads
from conductor_mock.commands import COMMANDS as ASKING
from conductor_mock.serving.init import work_below_init
from conductor_mock.serving.signals import ended_in_order, wait_for_children
from conductor_mock.settings import NoHomeError

_HERE = "conductor_mock.cli"

COMMANDS: Mapping[str, Listed] = {
    **ASKING,
    "serve": Listed(f"{_HERE}.serve:serve", "Serve the fake until SIGTERM or Ctrl-C."),
    "run": Listed(
        f"{_HERE}.run:run",
        "Start a private fake on a free port, run COMMAND with its environment set, stop the fake.",
    ),
    "demo": Listed(
        f"{_HERE}.demo:demo",
        "Run the documented quick start against a throw-away fake, and download the frames that come of it.",
    ),
    "env": Listed(
        f"{_HERE}.env:env",
        'Print lines that point a shell\'s clients at the server that runs: eval "$(conductor-mock env)".',
    ),
    "prune": Listed(
        f"{_HERE}.data:prune",
        "Remove what nothing refers to from a data directory that no server uses: contents, parts of uploads.",
    ),
    "backup": Listed(
        f"{_HERE}.data:backup",
        "Copy a data directory to FOLDER, which is not there yet; a server may use it meanwhile.",
    ),
    "check": Listed(
        f"{_HERE}.data:check",
        "Look through a data directory that no server uses for what is not as it was written.",
    ),
    "completion": COMPLETION,
}
"""Each is loaded when it is called."""


class _Program(Commands):
    """Commands that end in a sentence where the system fails them; as the program of a process, in order by signals."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run as the program of this process."""
        wait_for_children()
        return work_below_init(lambda: self._run(*args, **kwargs), is_first=os.getpid() == 1)

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        with ended_in_order():
            return self.main(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that is asked for."""
        try:
            return super().invoke(ctx)
        except _errors_of_the_system() as error:
            from conductor_mock.store.trouble import first_line, is_out_of_files

            raise Unusable(
                TOO_FEW_FILES if is_out_of_files(error) else f"the system refused: {first_line(error)}"
            ) from None
        except NoHomeError as error:
            raise Unusable(str(error)) from None
        except RuntimeError as error:
            if not is_out_of_threads(error):
                raise
            raise Unusable(TOO_FEW_THREADS) from None


def _errors_of_the_system() -> tuple[type[Exception], ...]:
    """What the system and a database raise. A process that never loaded a database has no errors of one."""
    of_databases = (("sqlalchemy.exc", "SQLAlchemyError"), ("sqlite3", "Error"))
    return (
        OSError,
        *(getattr(sys.modules[where], name) for where, name in of_databases if where in sys.modules),
    )


def _show_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        from conductor_mock.version import version

        echo(f"{ctx.info_name}, version {version()}")
        ctx.exit()


@click.group("conductor-mock", cls=_Program, listed=COMMANDS)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
def main() -> None:
    """A fake Conductor render farm for developing and testing submissions on one machine."""
