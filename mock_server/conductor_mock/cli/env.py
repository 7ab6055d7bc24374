"""`conductor-mock env`: what points a shell's clients at a server."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import click

from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_mock.cli.unusable import Unusable
from conductor_mock.commands.target import read_ready_file
from conductor_mock.serving import ready
from conductor_mock.serving.environment import client_environment, merged, removed
from conductor_mock.settings import default_data_dir
from conductor_mock.store.keys import Keys, KeysError, load_or_create, load_or_create_file


@click.command()
@click.option(
    "--url", help="Where the server listens, if it keeps its data elsewhere than it looks from here."
)
@click.option(
    "--data-dir",
    type=LocalPath(path_type=Path, file_okay=False),
    help="The data directory whose server is meant.  [default: yours]",
)
@click.option(
    "--keys", type=LocalPath(path_type=Path, dir_okay=False), help="With --url: the file of its --keys."
)
@click.option(
    "--ready-file",
    type=LocalPath(path_type=Path, dir_okay=False),
    help="The file that 'serve --ready-file' wrote, instead of all that.",
)
@click.option("--json", "as_json", is_flag=True, help="Print an object; null is a variable to be unset.")
def env(
    url: str | None, data_dir: Path | None, keys: Path | None, ready_file: Path | None, as_json: bool
) -> None:
    """Print lines that point a shell's clients at the server that runs: eval "$(conductor-mock env)"."""
    if keys is not None and url is None:
        raise Unusable("--keys only says which keys the server has: say with --url where it listens")
    if keys is not None and data_dir is not None:
        raise Unusable("--keys says which keys the server has, whatever lies in --data-dir: leave that out")
    if keys is not None and url is not None and ready_file is None:
        given = client_environment(url, _keys_in(keys))
    elif ready_file is None:
        given = _environment_of(url, data_dir or default_data_dir())
    elif url is not None or data_dir is not None:
        raise Unusable("--ready-file tells all that --url and --data-dir do; give it alone")
    else:
        given = read_ready_file(ready_file)["env"]
    if as_json:
        echo(json.dumps({**merged(os.environ, given), **dict.fromkeys(removed(given))}, indent=2), raw=True)
        return
    for name, value in merged(os.environ, given).items():
        echo(f"export {name}={shlex.quote(value)}", raw=True)
    echo(f"unset {' '.join(removed(given))}")


def _keys_in(path: Path) -> Keys:
    """The keys in a file of `--keys`, which is there."""
    if not path.exists():
        raise Unusable(f"there is no file {path}: the server makes it when it starts")
    try:
        return load_or_create_file(path)
    except (KeysError, OSError) as error:
        raise Unusable(str(error)) from None


def _environment_of(url: str | None, directory: Path) -> dict[str, str]:
    """The environment for the server of a data directory, or for the one at `url` with the keys of that directory."""
    if not directory.is_dir():
        raise Unusable(
            f"there is no data directory {directory}; start 'conductor-mock serve' first, or name a server that "
            "runs by --ready-file (of 'make serve': build/ready.json) or its --data-dir"
        )
    if url is None:
        found = ready.of_running(directory)
        if found is None and ready.is_running(directory):
            raise Unusable(
                f"{directory} is in use, and nothing there says where a server listens: it is starting, 'check' or "
                "'prune' is at work, or of several servers the one started last has stopped; name one that runs by "
                "--url or --ready-file"
            )
        if found is None:
            raise Unusable(
                f"no server runs on the data directory {directory}; start 'conductor-mock serve' first, or name one "
                "that runs with --data-dir or --ready-file"
            )
        return dict(found["env"])
    try:
        keys = load_or_create(directory)
    except (KeysError, OSError) as error:
        raise Unusable(str(error)) from None
    return client_environment(url, keys)
