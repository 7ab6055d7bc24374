"""What is done to a data directory that no server uses: looking through it, and taking away what nothing refers to."""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy.exc import SQLAlchemyError

from conductor_mock.contents_store import open_bucket
from conductor_mock.data_directory import open_directory
from conductor_mock.settings import Settings, default_data_dir
from conductor_mock.store import bucket_belonging
from conductor_mock.store.belonging import NotItsDatabaseError
from conductor_mock.store.bucket_sweeper import sweep_bucket
from conductor_mock.store.checker import Checker, Found, check_directory
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import DatabaseError, file_of, of_file
from conductor_mock.store.schema import is_half_rebuilt
from conductor_mock.store.sweeper import Swept, sweep
from conductor_mock.store.trouble import first_line


def prune(settings: Settings, *, dry_run: bool) -> Swept:
    """Take away what nothing refers to in a data directory that no server uses, or only count it.

    Raises DatabaseError when the data is in use, newer than this version or cannot be opened; NoHomeError.
    """
    wanted = settings.data_dir or default_data_dir()
    if not wanted.is_dir():
        raise DatabaseError(f"there is no data directory {wanted}: nothing to prune")
    with ExitStack() as resources:
        directory = open_directory(settings, resources)
        url = settings.database_url or of_file(directory / "conductor.db")
        file = file_of(url)
        if file is not None and not file.exists():
            raise DatabaseError(f"there is no {file}: give the --database-url that {directory} was used with")
        # It counts no transactions: what a server is to be told of a lost tail must not be taken back.
        database = resources.enter_context(Database(url, counts=False))
        bucket = open_bucket(settings, directory)
        try:
            swept = sweep(database, directory, dry_run=dry_run)
            return swept if bucket is None else swept + sweep_bucket(database, bucket, dry_run=dry_run)
        except NotItsDatabaseError as error:
            raise DatabaseError(first_line(error)) from error


def check(settings: Settings, *, repair: bool) -> Found:
    """Look through a data directory that no server uses for what is not as it was written, and set it aside or not.

    Raises DatabaseError when the data is in use, newer than this version or cannot be opened; NoHomeError.
    """
    wanted = settings.data_dir or default_data_dir()
    if not wanted.is_dir():
        raise DatabaseError(f"there is no data directory {wanted}: nothing to check")
    found = Found()
    with ExitStack() as resources:
        directory = open_directory(settings, resources)
        url = settings.database_url or of_file(directory / "conductor.db")
        file = file_of(url)
        check_directory(directory, file, repair=repair, found=found)
        if file is not None and (not file.exists() or is_half_rebuilt(file)):
            return found
        try:
            # It counts no transactions: what a server is told of a lost tail must not be taken back by looking.
            database = resources.enter_context(Database(url, counts=repair))
            bucket = open_bucket(settings, directory)
            if bucket is None:
                bucket_belonging.check_local(database)
            else:
                bucket_belonging.check_belongs(database, bucket)
            Checker(database, directory, found, repair=repair, bucket=bucket).check()
        except (DatabaseError, SQLAlchemyError) as error:
            if not found.damages:
                raise
            found.add(f"the tables cannot be looked at: {first_line(error)}")
    return found
