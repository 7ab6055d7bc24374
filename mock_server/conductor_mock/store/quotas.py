"""What accounts and the server may keep: accounts, jobs, bytes. Nothing that comes from clients grows without end."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import sqlalchemy as sa

from conductor_mock.settings import Quotas
from conductor_mock.store.database import Database
from conductor_mock.store.tables import ACCOUNT_CONTENTS, OUTPUTS


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


class StoredBytes:
    """How much accounts store, counted along; what is counted is exact again before anybody is refused.

    Uploads that arrive at the same time do not know of each other: together they may go beyond by what is under way.
    Where other servers store things too, it is counted again after a while: `_SHARE` times as long as counting takes.
    """

    def __init__(
        self,
        database: Database,
        parts: Path,
        quotas: Quotas,
        *,
        is_shared: bool = False,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._is_shared = is_shared
        self._seconds = seconds
        self._old_at_s: dict[str | None, float] = {}
        """When what was counted of an account (None: of all) is too old."""
        self._database = database
        self._parts = parts
        self._quotas = quotas
        self._guard = threading.Lock()
        self._all: int | None = None
        self._of: dict[str, int] = {}

    def room_for(self, account_id: str, size: int) -> None:
        """Raise QuotaError unless an account may store so many bytes more."""
        quotas = self._quotas
        if self._is_room(account_id, size):
            return
        self.forget(account_id)  # what was stored twice was counted twice
        if self._is_room(account_id, size):
            return
        with self._guard:
            own, of_all = self._counted(account_id)
        if own + size > quotas.account_bytes:
            raise QuotaError(
                f"the account stores {own:,} bytes, and with {size:,} more it would go beyond the "
                f"{quotas.account_bytes:,} that it may: reset it, or start the server with a larger --max-account-bytes"
            )
        raise QuotaError(
            f"the server stores {of_all:,} bytes, and with {size:,} more it would go beyond the {quotas.bytes:,} that "
            "it may: reset accounts, or start it with a larger --max-bytes"
        )

    def add(self, account_id: str, size: int) -> None:
        """The account stores so many bytes more."""
        with self._guard:
            own, of_all = self._counted(account_id)
            self._of[account_id], self._all = own + size, of_all + size

    def forget(self, account_id: str) -> None:
        """What the account stores is another amount now."""
        with self._guard:
            self._of.pop(account_id, None)
            self._all = None

    def _is_room(self, account_id: str, size: int) -> bool:
        with self._guard:
            own, of_all = self._counted(account_id)
        return own + size <= self._quotas.account_bytes and of_all + size <= self._quotas.bytes

    def _counted(self, account_id: str) -> tuple[int, int]:
        """What the account and all of them store. The caller has the guard."""
        if self._all is None or self._is_old(None):
            self._all = self._count(None, self._parts)
        if account_id not in self._of or self._is_old(account_id):
            self._of[account_id] = self._count(account_id, self._parts / account_id)
        return self._of[account_id], self._all

    def _is_old(self, account_id: str | None) -> bool:
        return self._is_shared and self._seconds() >= self._old_at_s.get(account_id, 0)

    def _count(self, account_id: str | None, parts: Path) -> int:
        began_s = self._seconds()
        total = self._sum(account_id) + _size_below(parts)
        if self._is_shared:
            took_s = self._seconds() - began_s
            self._old_at_s[account_id] = began_s + took_s * (1 + _SHARE)
        return total

    def _sum(self, account_id: str | None) -> int:
        total = 0
        with self._database.read() as connection:
            for table in (ACCOUNT_CONTENTS, OUTPUTS):
                query = sa.select(sa.func.sum(table.c.size))
                if account_id is not None:
                    query = query.where(table.c.account == account_id)
                total += int(connection.execute(query).scalar_one() or 0)
        return total


def _size_below(folder: Path) -> int:
    """The bytes of the files below a folder. What became part of a whole meanwhile, folder or file, is passed over."""
    total = 0
    for parent, _, names in os.walk(folder):  # passes over a folder that is gone, which `rglob` does not everywhere
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(parent, name).lstat().st_size
    return total
