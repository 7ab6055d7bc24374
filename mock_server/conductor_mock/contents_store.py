"""Where the contents of a server lie: small ones in its database, others in its data directory or in a bucket."""

from __future__ import annotations

from pathlib import Path

from conductor_mock.settings import Settings, SettingsError
from conductor_mock.store import bucket_belonging
from conductor_mock.store.bucket import Bucket, BucketError, Location, LocationError, NoBucketError
from conductor_mock.store.bucket_objects import BucketObjects
from conductor_mock.store.content_store import ContentStore
from conductor_mock.store.database import Database
from conductor_mock.store.read_write_lock import Shared
from conductor_mock.store.table_and_bucket import TableAndBucket
from conductor_mock.store.table_and_files import TableAndFiles


def contents_store(
    settings: Settings, directory: Path, database: Database, shared: Shared | None
) -> ContentStore:
    """Where contents lie: in the data directory, or in a bucket of the database's own. Raises as `open_service`."""
    bucket = _bucket(settings)
    if bucket is None:
        bucket_belonging.check_local(database)
        return TableAndFiles(directory, database, durable=not settings.ephemeral, shared=shared)
    store = TableAndBucket(
        directory, bucket, database, most_fetched=settings.max_fetched_bytes, shared=shared
    )
    try:
        bucket_belonging.join(database, store)
    except BucketError as error:
        raise SettingsError(f"--objects {bucket.location}: {error}") from None
    return store


def open_bucket(settings: Settings, root: Path) -> BucketObjects | None:
    """What the bucket of these settings has, if they name one, without what the database has; `root` is a folder of
    the caller's own. Raises SettingsError, also where the store does not answer or has no such bucket.
    """
    bucket = _bucket(settings)
    return None if bucket is None else BucketObjects(root, bucket, most_fetched=settings.max_fetched_bytes)


def _bucket(settings: Settings) -> Bucket | None:
    if settings.objects is None:
        return None
    if settings.ephemeral:
        raise SettingsError(
            "--objects keeps contents, and --ephemeral throws the rest away: leave one of them out"
        )
    try:
        bucket = Bucket(Location.parse(settings.objects), settings.objects_endpoint)
    except LocationError as error:
        raise SettingsError(f"--objects {error}") from None
    try:
        bucket.check()
    except NoBucketError:
        raise SettingsError(_no_bucket(bucket.location, settings.objects_endpoint)) from None
    except BucketError as error:
        raise SettingsError(f"--objects {bucket.location}: {error}") from None
    return bucket


def _no_bucket(location: Location, endpoint: str | None) -> str:
    where = (
        f"--objects-endpoint {endpoint}" if endpoint else "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, or AWS"
    )
    return (
        f"--objects {location}: there is no bucket {location.bucket} at the store ({where}): make the bucket, or name "
        "one that is there; --objects-endpoint is the URL of the store alone, without a bucket in its path"
    )
