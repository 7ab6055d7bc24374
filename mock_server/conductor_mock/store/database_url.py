"""Where a database lies: its SQLAlchemy URL, read and checked, and the one file behind one of SQLite."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url

_WANTED = "wanted such as sqlite:////path/conductor.db or postgresql+psycopg://user@host:5432/database"
_PASSWORD = re.compile(r"(//[^/@:]*:).*@", re.DOTALL)


class DatabaseError(Exception):
    """The database cannot be used: in use by another server, written by a newer version, or not understood."""


def of_file(path: Path) -> sa.URL:
    """The URL of a SQLite file, whatever stands in its name; a relative one could begin as a URL does."""
    return sa.URL.create("sqlite", database=str(path.absolute()))


def file_of(url: str | sa.URL) -> Path | None:
    """The file of a SQLite database; None for one that has none, or is another's. Raises DatabaseError."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return one_file(Path(parsed.database), without_password(parsed))


def parse_url(url: str | sa.URL) -> sa.URL:
    """A database URL that can be used here. Raises DatabaseError, which shows no password."""
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        is_one = parsed.port is None or 0 < parsed.port < 1 << 16
    except (sa.exc.ArgumentError, ValueError):
        is_one = False
    if not is_one:
        shown = _PASSWORD.sub(r"\1***@", str(url))
        raise DatabaseError(f"not a database URL: {shown!r} ({_WANTED})")
    shown = without_password(parsed)
    if backend not in ("sqlite", "postgresql"):
        raise DatabaseError(f"databases of the kind {backend!r} are not supported; use sqlite or postgresql")
    if backend == "sqlite":
        if parsed.drivername not in ("sqlite", "sqlite+pysqlite"):
            raise DatabaseError(f"the driver of {shown} is not supported; use sqlite://")
        if parsed.host or (parsed.database or "").startswith("file:"):
            raise DatabaseError(
                f"{shown} names no file; an absolute path has four slashes: sqlite:////path/name.db"
            )
    return parsed


def without_password(url: sa.URL) -> str:
    """A URL without its password."""
    try:
        return url.render_as_string(hide_password=True)
    except UnicodeEncodeError:  # a file whose name is not UTF-8
        return f"{url.drivername}:///{ascii(url.database)[1:-1]}"


def one_file(path: Path, shown: str) -> Path:
    """The file behind a path, links followed. Raises DatabaseError when it has other names, or is no file."""
    try:
        file = path.resolve()
        if file.is_dir():
            raise DatabaseError(f"cannot open {shown}: it is a folder")
        if file.exists() and not file.is_file():
            # A device or a pipe would get the mode of a database, and files of SQLite beside it.
            raise DatabaseError(f"cannot open {shown}: it is no regular file")
        if file.exists() and file.stat().st_nlink > 1:
            raise DatabaseError(
                f"cannot open {shown}: the file has more than one name (hard links), and SQLite would lose what is "
                "written under the other; copy it"
            )
    except (OSError, RuntimeError) as error:
        raise DatabaseError(f"cannot open {shown}: {getattr(error, 'strerror', None) or error}") from error
    return file
