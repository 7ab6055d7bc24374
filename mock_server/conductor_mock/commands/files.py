"""`conductor-mock files`: what was uploaded."""

from __future__ import annotations

from typing import Any

import click

from conductor_contracts.problems import count
from conductor_mock.commands.target import Target, target_options


@click.command()
@target_options
def files(target: Target) -> None:
    """List the paths that were declared for upload and whose content is held (--account '*': of all)."""
    answer = target.ask("GET", "files")
    target.show(answer, map(_line, answer["files"]) if answer["files"] else ["no files"])


def _line(file: dict[str, Any]) -> str:
    return f"{file['md5']}  {count(file['size'], 'byte')}  {file['path']}"
