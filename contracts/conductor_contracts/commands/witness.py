"""``conductor-contracts witness``: a published client against the fake."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conductor_contracts import witness
from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo


@click.command("witness")
@click.argument("requirement", metavar="ciocore[==VERSION]")
@click.option(
    "--clone",
    "place",
    type=LocalPath(exists=True, file_okay=False, path_type=Path),
    help="Clone of the project, which has the scenarios; else what this was installed from, or the current folder.",
)
@click.option(
    "--cache",
    type=LocalPath(file_okay=False, path_type=Path),
    help="Folder for the installed clients; .venv-vendor of the clone.",
)
@click.option("--junit", type=LocalPath(dir_okay=False, path_type=Path), help="Write a JUnit XML report.")
@click.option("--only", metavar="EXPRESSION", help="Only tests that fit, as pytest -k takes it.")
def witness_command(
    requirement: str, place: Path | None, cache: Path | None, junit: Path | None, only: str | None
) -> None:
    """Install a published client and run the scenarios of the project's tests with it, against the fake.

    Without a version it is the newest in the package index. Needs a clone with its development installation.
    Exits 0 if all agree, 1 if not or if none was tried, 2 on bad input.
    """
    try:
        version = witness.wanted_version(requirement)
        found = witness.clone(place)
        witness.require_modules(found)
    except witness.WitnessError as error:
        raise click.UsageError(str(error)) from None
    try:
        published = witness.published_version(version)
    except witness.WitnessError as error:
        raise click.ClickException(str(error)) from None
    echo(f"{witness.CLIENT} {published}, with {witness.SCENARIOS.as_posix()} of {found}")
    sys.stdout.flush()
    code = witness.play(published, found, cache=cache, junit=junit, only=only)
    echo(witness.verdict(published, code))
    if code:
        raise SystemExit(1)
