"""The sweeper beside a server that serves: on a schedule, and careful of what is wanted again meanwhile."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from conductor_mock.store import bucket_belonging
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.belonging import check_belongs
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.parts import Parts, UnknownUploadError
from conductor_mock.store.rounds import Rounds
from conductor_mock.store.sweeper import unreferenced, unreferenced_small
from conductor_mock.store.trouble import first_line
from conductor_mock.wire.md5 import to_base64

if TYPE_CHECKING:
    from conductor_mock.store.bucket_objects import BucketObjects

log = logging.getLogger(__name__)

_CHUNK = 500
"""Contents that are removed under one hold of the store's lock."""


class Sweeping:
    """Removes what nothing refers to, every so many seconds, until it is closed."""

    def __init__(
        self,
        database: Database,
        contents: AccountContents,
        parts: Parts,
        bucket: BucketObjects | None = None,
        *,
        every_s: float,
    ) -> None:
        """`bucket` is where contents lie, if it is not the directory of the parts."""
        self._database = database
        self._contents = contents
        self._parts = parts
        self._bucket = bucket
        self._every_s = every_s
        self._rounds = Rounds("sweeper", self._look, first_s=every_s)

    def start(self) -> None:
        """Begin; the first sweep comes after the first wait. Again after a `close`, too."""
        self._rounds.start()

    def close(self) -> None:
        """Stop, after the sweep under way."""
        self._rounds.close()

    def sweep(self, stop: threading.Event | None = None) -> int:
        """Remove what nothing refers to now; how many contents and parts that were. Raises OSError, SQLAlchemyError.

        What was of no use when it was looked for may be wanted again, so each is asked about once more, under the lock
        of whoever could want it. `stop` ends it between two contents.
        """
        stop = stop or threading.Event()
        check_belongs(self._database, self._parts.directory)
        contents = self._unreferenced()
        count = 0 if self._bucket is None else self._bucket.forget_abandoned()
        for start in range(0, len(contents), _CHUNK):
            if stop.is_set():
                return count
            count += self._contents.collect(contents[start : start + _CHUNK])
        for account_id, upload_id in sorted(self._parts.of_no_use()):
            if stop.is_set():
                return count
            count += self._forget(account_id, upload_id)
        return count + self._parts.forget_orphans()

    def _unreferenced(self) -> list[str]:
        small = {digest for digest, _ in unreferenced_small(self._database)}
        if self._bucket is None:
            others = {digest for digest, _ in unreferenced(self._database, self._parts.directory)}
        else:
            bucket_belonging.check_belongs(self._database, self._bucket)
            from conductor_mock.store.bucket_sweeper import unreferenced_in

            others = {digest for digest, _ in unreferenced_in(self._database, self._bucket)}
        return [to_base64(digest) for digest in small | others]

    def _forget(self, account_id: str, upload_id: str) -> int:
        with self._parts.turn_of(upload_id):
            if self._is_wanted(account_id, upload_id):
                return 0
            self._parts.forget(account_id, upload_id)
        return 1

    def _is_wanted(self, account_id: str, upload_id: str) -> bool:
        try:
            upload = self._parts.get(account_id, upload_id)
        except UnknownUploadError:
            return False
        is_whole = self._contents.held(account_id, [upload.md5])
        return not is_whole and not self._parts.is_given_up(account_id, upload_id)

    def _look(self, stop: threading.Event) -> float:
        try:
            count = self.sweep(stop)
        except (OSError, SQLAlchemyError, DatabaseError) as error:
            log.warning("what nothing refers to was not taken away; nothing is lost: %s", first_line(error))
        else:
            if count:
                log.info("taken away, since nothing refers to it: %d", count)
        return self._every_s
