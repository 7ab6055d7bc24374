"""The commands about a data directory itself: what is of no use in it, a copy of it, what is damaged.

Each loads what it needs when it runs: a server starts without.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from conductor_contracts.paths import LocalPath
from conductor_contracts.printing import echo
from conductor_mock.cli.options import F, objects_options
from conductor_mock.cli.unusable import Unusable
from conductor_mock.settings import Settings, SettingsError, default_data_dir

DAMAGED = 1
"""Exit code of `check` when something is damaged still."""

_data_dir = click.option(
    "--data-dir", type=LocalPath(path_type=Path, file_okay=False), help="Where data is kept."
)
_database_url = click.option(
    "--database-url", help="A SQLAlchemy URL (SQLite or PostgreSQL) for the command log."
)


def _objects(command: F) -> F:
    for option in reversed(objects_options()):
        command = option(command)
    return command


@click.command()
@_data_dir
@_database_url
@_objects
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def prune(
    data_dir: Path | None,
    database_url: str | None,
    objects: str | None,
    objects_endpoint: str | None,
    dry_run: bool,
) -> None:
    """Remove what nothing refers to from a data directory that no server uses: contents, parts of uploads.

    A server does the same when it starts after a crash.
    """
    from conductor_mock.store.database_url import DatabaseError
    from conductor_mock.upkeep import prune as prune_data

    try:
        settings = Settings(
            data_dir=data_dir, database_url=database_url, objects=objects, objects_endpoint=objects_endpoint
        )
        swept = prune_data(settings, dry_run=dry_run)
    except (DatabaseError, SettingsError) as error:
        raise Unusable(str(error)) from None
    echo(f"{'would remove' if dry_run else 'removed'} {swept}")


@click.command()
@_data_dir
@_database_url
@_objects
@click.argument("folder", type=LocalPath(path_type=Path))
def backup(
    data_dir: Path | None,
    database_url: str | None,
    objects: str | None,
    objects_endpoint: str | None,
    folder: Path,
) -> None:
    """Copy a data directory to FOLDER, which is not there yet; a server may use it meanwhile.

    The copy is a data directory itself: serve it, or put it in the place of one that was lost. Contents in a bucket
    are fetched into it. A PostgreSQL database is copied with its own tools, and this says how.
    """
    from conductor_mock.contents_store import open_bucket
    from conductor_mock.store.backup import BackUpError, back_up

    source = (data_dir or default_data_dir()).absolute()
    try:
        settings = Settings(objects=objects, objects_endpoint=objects_endpoint)
        with TemporaryDirectory(prefix="conductor-mock-") as passing:
            bucket = open_bucket(settings, Path(passing))
            made = back_up(source, folder.absolute(), database_url, bucket)
    except (BackUpError, SettingsError) as error:
        raise Unusable(str(error)) from None
    echo(f"{folder}: {made}")


@click.command()
@_data_dir
@_database_url
@_objects
@click.option(
    "--repair", is_flag=True, help="Set aside what is damaged, so that a server goes on with the rest."
)
def check(
    data_dir: Path | None,
    database_url: str | None,
    objects: str | None,
    objects_endpoint: str | None,
    repair: bool,
) -> None:
    """Look through a data directory that no server uses for what is not as it was written.

    Ends with 0 when nothing is damaged, or everything that was is repaired; else with 1.
    """
    from conductor_mock.store.database_url import DatabaseError
    from conductor_mock.upkeep import check as check_data

    try:
        settings = Settings(
            data_dir=data_dir, database_url=database_url, objects=objects, objects_endpoint=objects_endpoint
        )
        found = check_data(settings, repair=repair)
    except (DatabaseError, SettingsError) as error:
        raise Unusable(str(error)) from None
    for what in found.damages:
        echo(f"{'repaired' if what in found.repaired else 'damaged'}: {what}")
    looked_at = ", ".join(f"{number:,} {what}" for what, number in found.looked_at.items())
    echo(f"{len(found.left)} damaged, {len(found.repaired)} repaired; looked at {looked_at or 'nothing'}")
    if found.repaired:
        echo("what was set aside lies in the folder 'damaged' of the data directory")
    sys.exit(DAMAGED if found.left else 0)
