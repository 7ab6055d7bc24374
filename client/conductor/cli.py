"""The ``conductor`` command; its exit codes are in ``EPILOG``."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from conductor.lib.arguments import ARGUMENTS, Argument
from conductor.lib.compound_kinds import ListOf, MapOf, Metadata, Record
from conductor.lib.exceptions import BadArgumentError, ConductorError, InvalidPathError, Problem
from conductor.lib.kinds import Flag
from conductor.version import version


class _Failed(click.ClickException):
    """An error of the library as the command line shows it."""

    def __init__(self, error: ConductorError) -> None:
        super().__init__(str(error))
        vars(self)["exit_code"] = error.exit_code  # one class for all codes, where click has a class for each

    def show(self, file: Any = None) -> None:
        click.echo(f"conductor: {self.message}", err=True)


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        failure: ConductorError
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("conductor: interrupted", err=True)
            ctx.exit(130)
        except ConductorError as error:
            failure = error
        raise _Failed(failure)


EPILOG = (
    "Answers go to the standard output, progress and errors to the standard error. Exit codes: 0 done, 1 failed "
    "(later it may work), 2 bad input, 3 not logged in, 4 a job may or may not have been made, 130 interrupted."
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(version(), prog_name="conductor")
@click.option("-v", "--verbose", is_flag=True, help="Log every request.")
@click.option("-q", "--quiet", is_flag=True, help="Log nothing but warnings.")
def cli(verbose: bool, quiet: bool) -> None:
    """Submit jobs to a Conductor render farm.

    The farm and the login are configured by CONDUCTOR_URL and CONDUCTOR_API_KEY (or CONDUCTOR_API_KEY_PATH), or
    in ~/.conductor/config.yml.
    """
    from conductor.lib.conductor_submit import set_logging
    from conductor.lib.config import Config

    level: int | str = logging.DEBUG if verbose else logging.WARNING if quiet else Config.load()["log_level"]
    set_logging(level)


def _json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _argument_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command an option for every argument of a submission."""
    for argument in reversed(ARGUMENTS):
        command = _option(argument)(command)
    return command


def _option(argument: Argument) -> Callable[..., Any]:
    spellings = [name.replace("_", "-") for name in argument.names]
    if isinstance(argument.kind, Flag):
        declarations = [f"--{name}/--no-{name}" for name in spellings]
        return click.option(*declarations, argument.name, default=None, help=argument.doc)
    repeated = isinstance(argument.kind, (MapOf, Metadata)) or _is_plain_list(argument)
    hint = "NAME=VALUE" if isinstance(argument.kind, (MapOf, Metadata)) else None
    if isinstance(argument.kind, Record) or argument.name == "tasks_data":
        hint = "JSON"
    declarations = [f"--{name}" for name in spellings]
    return click.option(*declarations, argument.name, multiple=repeated, metavar=hint, help=argument.doc)


def _is_plain_list(argument: Argument) -> bool:
    return isinstance(argument.kind, ListOf) and not isinstance(argument.kind.item, Record)


def _from_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that options gave, as ``Submit`` takes them."""
    given: dict[str, Any] = {}
    problems: list[Problem] = []
    for argument in ARGUMENTS:
        value = options.get(argument.name)
        if value is None or value == ():
            continue
        try:
            given[argument.name] = _read(argument, value)
        except ValueError as error:
            problems.append(
                Problem(f"--{argument.name.replace('_', '-')}", str(error), argument.kind.accepts)
            )
    if problems:
        raise BadArgumentError.listing(problems)
    return given


def _read(argument: Argument, value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return argument.kind.from_text(value)
    if _is_plain_list(argument):
        return list(value)
    pairs = [text.partition("=") for text in value]
    if not all(mark for _, mark, _ in pairs):
        raise ValueError("text without =")
    return {name: text for name, _, text in pairs}


def _from_file(path: Path) -> dict[str, Any]:
    """Read the arguments of a job from JSON (by its suffix) or YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidPathError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidPathError(f"{path} is not UTF-8 text") from None
    content = _parse(text, path)
    if not isinstance(content, dict):
        raise BadArgumentError(f"{path} must hold arguments by name")
    return content


def _parse(text: str, path: Path) -> Any:
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadArgumentError(f"{path} is not JSON: {error}") from None
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise BadArgumentError(f"{path} is not YAML: {' '.join(str(error).split())}") from None


@cli.command()
@click.option(
    "--file", "job_file", type=click.Path(path_type=Path), help="Arguments of the job, as JSON or YAML."
)
@_argument_options
@_json_option
def submit(job_file: Path | None, as_json: bool, **options: Any) -> None:
    """Upload a job's files and submit it. Options win over the file."""
    from conductor.lib.conductor_submit import Submit

    args = {**(_from_file(job_file) if job_file else {}), **_from_options(options)}
    submission = Submit(args)
    response, status = submission.main()
    if as_json:
        click.echo(json.dumps({"status_code": status, "response": response}))
    elif response.get("jobid"):
        click.echo(f"submitted job {response['jobid']} ({status})")
    else:
        click.echo(f"{response.get('message', 'submitted')} ({status})")


@cli.command()
@click.argument("paths", nargs=-1, required=True)
@_json_option
def upload(paths: tuple[str, ...], as_json: bool) -> None:
    """Upload files, directories and patterns, without a job."""
    from conductor.lib.api_client import ApiClient
    from conductor.lib.file_utils import expand_paths
    from conductor.lib.local_files import look_at
    from conductor.lib.uploader import Uploader

    files = look_at(expand_paths(_absolute(path) for path in paths))
    with ApiClient() as client:
        report = Uploader(client).upload(files)
    if as_json:
        listed = [
            {"path": file.path, "size": file.size, "md5": file.md5, "sent": file.path in report.sent}
            for file in report.files
        ]
        click.echo(json.dumps({"files": listed, "bytes_sent": report.bytes_sent}))
    else:
        click.echo(
            f"{len(report.sent)} files sent ({report.bytes_sent} bytes), {report.skipped} already there"
        )


def _absolute(path: str) -> str:
    """Return what a shell user means by a relative path; one that begins with a variable is left for later."""
    return path if path.startswith("$") else str(Path(path).absolute())


@cli.command()
@_json_option
def packages(as_json: bool) -> None:
    """List the software packages, with the ids that a submission names."""
    from conductor.lib.api_client import request_software_packages

    records = sorted(request_software_packages(), key=lambda record: str(record.get("relative_path", "")))
    _show(records, ("package_id", "relative_path", "platform"), as_json)


@cli.command()
@click.option("--all", "every", is_flag=True, help="Also those that are not active.")
@_json_option
def projects(every: bool, as_json: bool) -> None:
    """List the projects that a job can belong to."""
    from conductor.lib.api_client import ApiClient

    with ApiClient() as client:
        _show(client.list_projects(() if every else ("active",)), ("name", "status"), as_json)


@cli.command("instance-types")
@click.option(
    "--filter", "filter_text", default="", help="Such as 'cores=gte:8:int,operating_system=ne:windows'."
)
@_json_option
def instance_types(filter_text: str, as_json: bool) -> None:
    """List the machines that tasks can run on."""
    from conductor.lib.api_client import request_instance_types

    _show(
        request_instance_types(filter_text),
        ("name", "cores", "memory", "operating_system", "description"),
        as_json,
    )


def _show(records: Iterable[Mapping[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    """Print records as JSON, or as columns that other programs can cut too."""
    rows = list(records)
    if as_json:
        click.echo(json.dumps(rows))
        return
    cells = [columns, *(tuple(str(row.get(column, "")) for column in columns) for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        click.echo("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def main() -> None:
    """Run the command."""
    cli(prog_name="conductor")
