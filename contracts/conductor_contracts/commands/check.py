"""``conductor-contracts check``: would the service take this submission?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

import click

from conductor_contracts.check import Verdict, check_text
from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_contracts.problems import Problem, count

MAX_BYTES = 128 << 20
"""As large as a submission may be; a fake refuses more with 413."""


@click.command("check")
@click.argument("payload", type=LocalPath(exists=True, dir_okay=False, allow_dash=True))
@click.option("--strict", is_flag=True, help="Exit with 1 for what is unusual, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def check_command(payload: str, strict: bool, as_json: bool) -> None:
    """Say whether the service would take a submission, what is wrong with it, and what is unusual.

    PAYLOAD is a file with the JSON body of jobs.create, or - for the standard input. Nothing is sent. Exits 0 if it
    would be taken, 1 if not, 2 on bad input.
    """
    verdict = check_text(_read(payload))
    if as_json:
        echo(json.dumps(_document(verdict)), raw=True)
    else:
        _show("refused", verdict.problems)
        _show("unusual", verdict.unusual)
        echo("would be taken" if verdict.taken else f"would be refused: {_counted(verdict.problems)}")
    if not verdict.taken or (strict and verdict.unusual):
        raise SystemExit(1)


def _read(path: str) -> bytes:
    try:
        with click.open_file(path, "rb") as file:
            body: bytes = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    if len(body) > MAX_BYTES:
        raise click.UsageError(f"{path} has more than {MAX_BYTES} bytes, which is more than one job may have")
    if path == "-" and not body and sys.stdin.isatty():
        raise click.UsageError("nothing came from the standard input")
    return body


def _show(word: str, problems: Iterable[Problem]) -> None:
    for problem in problems:
        echo(f"{word}  {problem}")


def _counted(problems: tuple[Problem, ...]) -> str:
    return count(len(problems), "problem")


def _document(verdict: Verdict) -> dict[str, object]:
    def listed(problems: Iterable[Problem]) -> list[dict[str, str]]:
        return [{"path": problem.path, "message": problem.message} for problem in problems]

    return {
        "taken": verdict.taken,
        "problems": listed(verdict.problems),
        "unusual": listed(verdict.unusual),
    }
