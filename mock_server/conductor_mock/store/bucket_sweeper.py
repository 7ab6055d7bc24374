"""What nothing refers to in a bucket that several servers use: what has been there long enough to have a row by now.

A content gets its row a moment after its name, from whichever server it came to. Servers that share their data share
the lock, too, under which each content is asked about once more; a server whose lock was lost with its machine may
still be writing, so what is younger than `GRACE_S` is left besides, by the store's own clock.
"""

from __future__ import annotations

from collections.abc import Iterator

from conductor_mock.store.bucket import Found
from conductor_mock.store.bucket_belonging import check_belongs
from conductor_mock.store.bucket_objects import GRACE_S, BucketObjects
from conductor_mock.store.bucket_parts import BucketParts, orphans, rows_of_no_use
from conductor_mock.store.database import Database
from conductor_mock.store.shared_wall import seconds_of
from conductor_mock.store.sweeper import Swept, referenced


def unreferenced_in(database: Database, objects: BucketObjects) -> Iterator[tuple[bytes, Found]]:
    """The contents of a bucket that nothing refers to, by md5. Raises BucketError, SQLAlchemyError."""
    there = {md5: found for md5, found in objects.listed() if found.age_s > GRACE_S}
    if there:
        for md5 in referenced(database):  # read after the listing: what it does not have yet is young
            there.pop(md5, None)
    yield from there.items()


def sweep_bucket(database: Database, objects: BucketObjects, *, dry_run: bool) -> Swept:
    """Remove what nothing refers to, or only count it. Raises DatabaseError, BucketError, SQLAlchemyError."""
    check_belongs(database, objects)
    contents = dict(unreferenced_in(database, objects))
    useless = rows_of_no_use(database, seconds_of(database))
    nobodys = orphans(database, objects)
    if not dry_run:
        objects.forget_abandoned()
        objects.delete_all(contents)
        parts = BucketParts(database, objects.root, objects)
        for account_id, upload_id in useless:
            parts.forget(account_id, upload_id)
        parts.forget_orphans()
    return Swept(
        contents=len(contents),
        content_bytes=sum(found.size for found in contents.values()),
        parts=len(nobodys) + sum(count for count, _ in useless.values()),
        part_bytes=sum(found.size for found in nobodys) + sum(size for _, size in useless.values()),
    )
