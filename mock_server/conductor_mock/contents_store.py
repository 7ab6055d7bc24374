"""Where the contents of a server lie: small ones in its database, others in its data directory or in a bucket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conductor_mock.settings import Settings, SettingsError
from conductor_mock.store import bucket_belonging
from conductor_mock.store.content_store import ContentStore
from conductor_mock.store.database import Database
from conductor_mock.store.parts import Parts
from conductor_mock.store.read_write_lock import Shared
from conductor_mock.store.table_and_files import TableAndFiles

if TYPE_CHECKING:  # a server without a bucket starts without them
    from conductor_mock.store.bucket import Bucket, Location
    from conductor_mock.store.bucket_objects import BucketObjects


def contents_store(
    settings: Settings, directory: Path, database: Database, shared: Shared | None
) -> ContentStore:
    """Where contents lie: in the data directory, or in a bucket of the database's own. Raises as `open_service`."""
    bucket = _bucket(settings)
    if bucket is None:
        bucket_belonging.check_local(database)
        return TableAndFiles(directory, database, durable=not settings.ephemeral, shared=shared)
    from conductor_mock.store.bucket import BucketError
    from conductor_mock.store.table_and_bucket import TableAndBucket

    store = TableAndBucket(
        directory, bucket, database, most_fetched=settings.max_fetched_bytes, shared=shared
    )
    try:
        bucket_belonging.join(database, store)
    except BucketError as error:
        raise SettingsError(f"--objects {bucket.location}: {error}") from None
    return store


def bucket_and_parts(
    database: Database, objects: ContentStore, directory: Path, *, durable: bool
) -> tuple[BucketObjects | None, Parts]:
    """The bucket of a store that `contents_store` made, if it has one, and the parts of uploads beside its contents."""
    if isinstance(objects, TableAndFiles):
        return None, Parts(database, directory, durable=durable)
    from conductor_mock.store.bucket_objects import BucketObjects
    from conductor_mock.store.bucket_parts import BucketParts

    assert isinstance(objects, BucketObjects)  # noqa: S101 - there is no third kind
    return objects, BucketParts(database, directory, objects)


def open_bucket(settings: Settings, root: Path) -> BucketObjects | None:
    """What the bucket of these settings has, if they name one, without what the database has; `root` is a folder of
    the caller's own. Raises SettingsError, also where the store does not answer or has no such bucket.
    """
    bucket = _bucket(settings)
    if bucket is None:
        return None
    from conductor_mock.store.bucket_objects import BucketObjects

    return BucketObjects(root, bucket, most_fetched=settings.max_fetched_bytes)


def _bucket(settings: Settings) -> Bucket | None:
    if settings.objects is None:
        return None
    if settings.ephemeral:
        raise SettingsError(
            "--objects keeps contents, and --ephemeral throws the rest away: leave one of them out"
        )
    from conductor_mock.store.bucket import Bucket, BucketError, Location, LocationError, NoBucketError

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
