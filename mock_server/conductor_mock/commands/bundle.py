"""`conductor-mock bundle`: an account as one file."""

from __future__ import annotations

from pathlib import Path

import click

from conductor_contracts.groups import Group
from conductor_contracts.paths import LocalPath
from conductor_contracts.problems import count
from conductor_mock.commands.target import Target, target_options
from conductor_mock.store.durable import NewFile


@click.group(cls=Group)
def bundle() -> None:
    """Save what decided an account's runs to one file, or replay such a file into an empty account."""


@bundle.command()
@click.argument("file", type=LocalPath(path_type=Path, dir_okay=False))
@click.option("--with-files", is_flag=True, help="Save uploaded files too, not only their hashes.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@target_options
def save(target: Target, file: Path, with_files: bool, force: bool) -> None:
    """Save an account to FILE, which appears whole or not at all."""
    if file.exists() and not force:
        raise click.ClickException(f"{file} exists; --force replaces it")
    try:
        with NewFile(file.parent, private=True) as sink:
            target.fetch("bundle", sink, query={"files": "1" if with_files else "0"})
            sink.sync()
            sink.place(file)
    except OSError as error:
        raise click.ClickException(f"cannot write {file}: {error.strerror or error}") from None
    size = file.stat().st_size
    target.show({"file": str(file), "size": size}, [f"saved {count(size, 'byte')} to {file}"])


@bundle.command()
@click.argument("file", type=LocalPath(path_type=Path, dir_okay=False))
@target_options
def replay(target: Target, file: Path) -> None:
    """Make an empty account what FILE holds, its clock frozen at the last time recorded."""
    try:
        with file.open("rb") as source:
            answer = target.send("bundle", source, "application/zip")
    except OSError as error:
        raise click.ClickException(f"cannot read {file}: {error.strerror or error}") from None
    jobs, outputs = count(answer["jobs"], "job"), count(answer["outputs"], "output")
    counts = f"{jobs}, {outputs} and {count(answer['files'], 'uploaded file')}"
    target.show(
        answer, [f"the account {answer['account']} has {counts}; its clock is frozen at {answer['now']}"]
    )
