"""The directory of a server's data: who has it, alone or with others, and whether the last one stopped as it should."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from conductor_mock.settings import Settings, default_data_dir
from conductor_mock.store.belonging import is_the_directory_of
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.membership import Membership
from conductor_mock.store.ownership import NotToBeSharedError, in_use, lock_file
from conductor_mock.store.sweeper import CLEAN, sweep
from conductor_mock.store.trouble import first_line

log = logging.getLogger(__name__)

FOLDERS = ("objects", "parts", "incoming")
"""What lies in a data directory as folders, made when they are first needed."""


def directory_of(settings: Settings) -> Path:
    """Where data lies that is kept, or that others throw away. Absolute: SQLite takes a name that begins with `file:`
    for a URL.
    """
    return (settings.data_dir or default_data_dir()).absolute()


def open_directory(settings: Settings, resources: ExitStack) -> Path:
    """The directory of a server's data, which is ours alone from now on; a throw-away one goes in the end."""
    if settings.ephemeral:
        directory = Path(tempfile.mkdtemp(prefix="conductor-mock-"))
        resources.callback(shutil.rmtree, directory, ignore_errors=True)
    else:
        directory = directory_of(settings)
    resources.callback(lock_file(directory / "lock", f"the data directory {directory}").release)
    _check_folders(directory)
    return directory


def join_directory(settings: Settings, resources: ExitStack) -> Membership:
    """Be one of the servers that share the data directory. Raises DatabaseError."""
    directory = directory_of(settings)
    member = Membership(directory)
    resources.callback(member.release)
    resources.push(partial(_leave, member, directory))
    _check_folders(directory)
    return member


def share(member: Membership, directory: Path) -> None:
    try:
        member.share()
    except NotToBeSharedError:
        raise in_use(f"the data directory {directory}") from None


def check_shared(database: Database, directory: Path) -> None:
    """Raise DatabaseError where the contents that servers of a database share would not be found here."""
    if not is_the_directory_of(database, directory):
        raise DatabaseError(
            f"the contents that {database.shown_url} refers to lie in another data directory than {directory}: give "
            "all servers that share it the same --data-dir, on a disk that they share, or an --objects"
        )


def sweep_after_a_crash(database: Database, directory: Path) -> None:
    """Take away what the last server could not, if it did not stop cleanly. Nothing is lost where that fails."""
    try:
        (directory / CLEAN).unlink()
    except FileNotFoundError:
        pass
    else:
        return
    try:
        swept = sweep(database, directory)
    except (OSError, SQLAlchemyError) as error:
        log.warning("what a crash left was not taken away; nothing is lost: %s", first_line(error))
        return
    if swept.bytes or swept.parts or swept.contents:
        log.info("taken away, since nothing refers to it: %s", swept)


def say_clean(directory: Path) -> None:
    with suppress(OSError):  # the next start looks through the directory then
        (directory / CLEAN).touch(0o600)


def _leave(member: Membership, directory: Path, kind: type[BaseException] | None, *_: object) -> None:
    with suppress(OSError):  # the next start looks through the directory then
        if member.leave(is_clean=kind is None):
            (directory / CLEAN).touch(0o600)


def _check_folders(directory: Path) -> None:
    for name in FOLDERS:
        if os.path.lexists(directory / name) and not (directory / name).is_dir():
            raise DatabaseError(f"cannot use the data directory {directory}: {name} in it is no folder")
