"""What the system's refusals mean: a full disk, a failing one, files that may not be opened. None is a defect of ours.

SQLite and the system tell the same troubles in different words; here they are one table of causes.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import Any

import sqlalchemy as sa

from conductor_mock.store.ownership import OwnershipLostError
from conductor_mock.store.unavailable import UnavailableError as UnavailableError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Nothing more is taken; what was refused may be taken once there is room."""

_OF_THE_DISK = frozenset(
    getattr(errno, name)
    for name in (
        "EIO", "EROFS", "EACCES", "EPERM", "ENXIO", "ENODEV", "ESTALE", "EUCLEAN", "ENOTDIR", "EISDIR", "ELOOP",
        "EREMOTEIO", "EBADMSG", "EBUSY", "ENOLCK", "ENOMEM", "ENOTCONN", "ESHUTDOWN", "EMEDIUMTYPE", "ENOMEDIUM",
    )
    if hasattr(errno, name)
)  # fmt: skip
"""What a disk, a file system or its mount answers, whatever is asked of it."""

_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})

_FULL_OF_CONNECTIONS = "its database has no connection left for it"
_NO_CONNECTION_LEFT = ("too many clients", "too many connections", "remaining connection slots")
"""What PostgreSQL says then; a code for it reaches nobody who has no connection."""


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def is_full(error: BaseException) -> bool:
    """Whether the disk took nothing more."""
    if isinstance(error, sa.exc.DBAPIError):
        return is_disk_full(error)
    if isinstance(error, sqlite3.Error):
        return is_disk_full(sa.exc.DBAPIError("", {}, error))
    return isinstance(error, OSError) and error.errno in FULL


def is_out_of_files(error: BaseException) -> bool:
    """Whether the process, or the system, may open no more files."""
    return isinstance(error, OSError) and error.errno in _OF_FILES


def is_unknown(error: BaseException) -> bool:
    """Whether a connection to the database was lost in the middle of something: a commit may have been made, or not."""
    return isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated


def reason(error: BaseException) -> str | None:
    """Why the system refused, in a few words without a path of this machine; None where it is no refusal of it."""
    if isinstance(error, sa.exc.DBAPIError):
        return _of_database(error.orig)
    if isinstance(error, sqlite3.Error):
        return _of_database(error)
    if isinstance(error, sa.exc.TimeoutError):
        return _FULL_OF_CONNECTIONS
    if isinstance(error, (UnavailableError, OwnershipLostError)):
        return str(error)
    if not isinstance(error, OSError) or isinstance(error, ConnectionError):
        return None
    if error.errno in _OF_FILES:
        return "it may open no more files"
    if error.errno is not None and error.errno in _OF_THE_DISK | FULL:
        return f"its disk refuses ({errno.errorcode[error.errno]}: {os.strerror(error.errno)})"
    return None


def _of_database(error: BaseException | None) -> str | None:
    """Integrity, programming and the like are ours to answer for; the rest is the database's.

    Drivers name their own kinds as what they are: AdminShutdown of PostgreSQL is an OperationalError.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__}
    ours = {"IntegrityError", "ProgrammingError", "DataError", "NotSupportedError", "InterfaceError"}
    if error is None or "DatabaseError" not in kinds or kinds & ours:
        return None
    if (
        getattr(error, "sqlstate", "") is None
    ):  # no answer of PostgreSQL: the driver's text names hosts and users
        is_full = any(words in str(error) for words in _NO_CONNECTION_LEFT)
        return _FULL_OF_CONNECTIONS if is_full else "its database cannot be reached"
    return f"its database refuses ({first_line(error)})"


_DISK_FULL_OF_SQLITE = 13
"""SQLITE_FULL, whose name Python knows from 3.11 on, as it knows the code of an error."""
_TEXT_OF_SQLITE = "database or disk is full"
_DISK_FULL_OF_POSTGRESQL = "53100"


def is_disk_full(error: sa.exc.DBAPIError) -> bool:
    """Whether the database refused because its disk is full."""
    cause: Any = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", None)
        return str(cause) == _TEXT_OF_SQLITE if code is None else code & 0xFF == _DISK_FULL_OF_SQLITE
    return getattr(cause, "sqlstate", None) == _DISK_FULL_OF_POSTGRESQL
