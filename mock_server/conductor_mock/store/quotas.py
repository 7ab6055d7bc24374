"""What accounts and the server may keep: accounts, jobs, bytes. Nothing that comes from clients grows without end."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from conductor_mock.settings import Quotas
from conductor_mock.store.database import Database
from conductor_mock.store.tables import ACCOUNT_CONTENTS, OUTPUTS, PARTS


class QuotaError(OSError):
    """Something is used up; the text says what, and what to do. Nothing of what was asked for was kept."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EDQUOT, message)
        self.message = message

    def __str__(self) -> str:
        return self.message


def check_count(what: str, there: int, most: int, option: str, *, remedy: str) -> None:
    """Raise QuotaError if there is no room for one more."""
    if there >= most:
        raise QuotaError(
            f"{what} {there:,}, and {most:,} is all there may be: {remedy}, or start the server with a larger {option}"
        )


_SHARE = 20
"""Counting may take a twentieth of the time."""

FASTEST = 64 << 30
"""Bytes in a second that all servers of one database together do not store: that is several times what disks write."""


@dataclass(frozen=True, slots=True)
class NewBytes:
    """Bytes that an account is about to store: `row` is their table and base64 md5, None for what is no row."""

    size: int
    row: tuple[sa.Table, str] | None = None


@dataclass(slots=True)
class _Reserved:
    """Bytes for which there is room, until the last of those who store the same is done."""

    account_id: str
    size: int
    holders: int = 0
    is_stored: bool = False


class StoredBytes:
    """How much accounts store, counted along; what is counted is exact again before anybody is refused.

    What is being stored is counted as if it were there (`reserve`), once however many store the same; whoever counts
    rows leaves out those of it. So what one server stores together never goes beyond. Where other servers store things
    too, it is counted again after a while, `_SHARE` times as long as counting takes, and may go beyond by as much; not
    before they can have filled the room that was left, which takes a while where a quota is large.
    """

    def __init__(
        self,
        database: Database,
        parts: Path,
        quotas: Quotas,
        *,
        is_shared: bool,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._is_shared = is_shared
        self._seconds = seconds
        self._counted_s: dict[str | None, tuple[float, float]] = {}
        """When it was begun to count what an account stores (None: all of them), and how long that took."""
        self._database = database
        self._parts = parts
        self._quotas = quotas
        self._guard = threading.Lock()
        self._all: int | None = None
        self._of: dict[str, int] = {}
        self._reserved: dict[object, _Reserved] = {}
        """By account, table and md5 where it is a row, else by itself."""

    def room_for(self, account_id: str, size: int) -> None:
        """Raise QuotaError unless an account may store so many bytes more now; nothing is reserved."""
        with self._guard:
            self._check(account_id, size)

    @contextmanager
    def reserve(self, account_id: str, wanted: Sequence[NewBytes]) -> Iterator[None]:
        """Have room for what the block stores; when the block raises it is given back. Raises QuotaError."""
        keys = [object() if one.row is None else (account_id, *one.row) for one in wanted]
        new = {key: one.size for key, one in zip(keys, wanted, strict=True)}
        with self._guard:
            self._check(account_id, sum(size for key, size in new.items() if key not in self._reserved))
            for key, size in new.items():
                self._reserved.setdefault(key, _Reserved(account_id, size)).holders += 1
        is_stored = False
        try:
            yield
            is_stored = True
        finally:
            with self._guard:
                for key in new:
                    self._let_go(key, is_stored)

    def _let_go(self, key: object, is_stored: bool) -> None:
        """One of those is done who store this. The caller has the guard."""
        reserved = self._reserved[key]
        reserved.holders -= 1
        reserved.is_stored |= is_stored
        if reserved.holders:
            return
        del self._reserved[key]
        if not reserved.is_stored or self._all is None or reserved.account_id not in self._of:
            self._forget(reserved.account_id)  # some of it may be there, or was before
            return
        self._of[reserved.account_id] += reserved.size
        self._all += reserved.size

    def _check(self, account_id: str, size: int) -> None:
        """Raise QuotaError unless there is room. The caller has the guard."""
        quotas = self._quotas
        if self._is_room(account_id, size):
            return
        self._forget(account_id)  # what was stored twice was counted twice
        if self._is_room(account_id, size):
            return
        own, of_all = self._with_reserved(account_id)
        if own + size > quotas.account_bytes:
            raise QuotaError(
                f"the account stores {own:,} bytes, and with {size:,} more it would go beyond the "
                f"{quotas.account_bytes:,} that it may: reset it, or start the server with a larger --max-account-bytes"
            )
        raise QuotaError(
            f"the server stores {of_all:,} bytes, and with {size:,} more it would go beyond the {quotas.bytes:,} that "
            "it may: reset accounts, or start it with a larger --max-bytes"
        )

    def forget(self, account_id: str) -> None:
        """What the account stores is another amount now."""
        with self._guard:
            self._forget(account_id)

    def _forget(self, account_id: str) -> None:
        self._of.pop(account_id, None)
        self._all = None

    def _with_reserved(self, account_id: str) -> tuple[int, int]:
        """What the account and all of them store, and are about to. The caller has the guard."""
        own, of_all = self._counted(account_id)
        for reserved in self._reserved.values():
            of_all += reserved.size
            own += reserved.size if reserved.account_id == account_id else 0
        return own, of_all

    def _is_room(self, account_id: str, size: int) -> bool:
        own, of_all = self._with_reserved(account_id)
        return own + size <= self._quotas.account_bytes and of_all + size <= self._quotas.bytes

    def _counted(self, account_id: str) -> tuple[int, int]:
        """What the account and all of them store. The caller has the guard."""
        if self._all is None or self._is_old(None, self._quotas.bytes - self._all):
            self._all = self._count(None, self._parts)
        own = self._of.get(account_id)
        if own is None or self._is_old(account_id, self._quotas.account_bytes - own):
            own = self._of[account_id] = self._count(account_id, self._parts / account_id)
        return own, self._all

    def _is_old(self, account_id: str | None, room: int) -> bool:
        """Whether others may have stored what matters since it was counted, and it may be counted again."""
        if not self._is_shared:
            return False
        began_s, took_s = self._counted_s.get(account_id, (0.0, 0.0))
        age_s = self._seconds() - began_s
        return age_s >= max(took_s * (1 + _SHARE), room / FASTEST)

    def _count(self, account_id: str | None, parts: Path) -> int:
        began_s = self._seconds()
        total = self._sum(account_id) + _size_below(parts)
        if self._is_shared:
            self._counted_s[account_id] = began_s, self._seconds() - began_s
        return total

    def _sum(self, account_id: str | None) -> int:
        total = 0
        with self._database.read() as connection:
            for table in (ACCOUNT_CONTENTS, OUTPUTS, PARTS):
                query = sa.select(sa.func.sum(table.c.size))
                reserved = [
                    (key[0], key[2]) for key in self._reserved if isinstance(key, tuple) and key[1] is table
                ]
                if reserved:
                    query = query.where(sa.tuple_(table.c.account, table.c.md5).not_in(reserved))
                if account_id is not None:
                    query = query.where(table.c.account == account_id)
                total += int(connection.execute(query).scalar_one() or 0)
        return total


def _size_below(folder: Path) -> int:
    """The bytes of the files below a folder. What became part of a whole meanwhile, folder or file, is passed over."""
    total = 0
    for parent, _, names in os.walk(
        folder
    ):  # passes over a folder that is gone, which `rglob` does not everywhere
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(parent, name).lstat().st_size
    return total
