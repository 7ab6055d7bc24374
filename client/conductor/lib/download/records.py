"""What tasks left, as the service lists it and hands it out (wire reference 2.14, 2.15): read, and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from conductor.lib.files.digests import hashed_name, is_md5
from conductor.lib.wire.call import Sent
from conductor.lib.wire.calls import Calls
from conductor.lib.wire.limits import LARGEST, PAGES
from conductor.lib.wire.records import object_of, signed_url

# What the vendor's paged downloader asks for at once, in tasks (wire reference 2.14).
PAGE_TASKS = 50


class DownloadStatus(str, Enum):
    """What a downloader says about a task's outputs (wire reference 2.17)."""

    DOWNLOADING = "downloading"
    """They are being fetched; this keeps them."""
    DOWNLOADED = "downloaded"
    PENDING = "pending"
    """They are not fetched; this gives them back."""


@dataclass(frozen=True)
class DownloadFile:
    """One output as the service describes it: none of the texts is to be trusted as a path.

    ``md5`` is base64 of the 16 raw bytes, None where the service gives none; ``size`` is in bytes.
    """

    relative_path: str
    md5: str | None
    size: int
    job_id: str
    task_id: str
    output_dir: str
    url: str = field(repr=False)


@dataclass(frozen=True)
class DownloadTask:
    """The outputs of one task. ``download_id`` is what reports name; ``size`` is the sum in bytes."""

    download_id: str
    job_id: str
    task_id: str
    size: int
    files: tuple[DownloadFile, ...]


@dataclass(frozen=True)
class DownloadPage:
    """Some tasks of a job, and the cursor of the next page if there is one."""

    tasks: tuple[DownloadTask, ...] = ()
    next_cursor: str | None = None


def pages(
    calls: Calls, job_id: str, task_ids: Iterable[str] | None = None, *, limit: int = PAGE_TASKS
) -> Iterator[DownloadPage]:
    """Yield the completed tasks of a job, or of these tasks of it, asking for each page when it is wanted.

    Raises UnexpectedAnswerError for a listing that comes round, or has no end.
    """
    chosen = None if task_ids is None else list(task_ids)
    cursor: str | None = None
    followed: set[str] = set()
    while True:
        sent = calls.downloads_page(job_id, chosen, limit=limit, cursor=cursor)
        page = page_of(sent)
        yield page
        if page.next_cursor is None or page.next_cursor == cursor:
            return
        cursor = page.next_cursor
        seen = hashed_name(cursor)  # however long they are
        if seen in followed:
            raise sent.unexpected("its next_cursor leads back to a page that was listed before")
        if len(followed) >= PAGES:
            raise sent.unexpected(f"the listing has more than {PAGES} pages")
        followed.add(seen)


def page_of(sent: Sent) -> DownloadPage:
    """Read the answer of ``downloads.page``. Raises UnexpectedAnswerError for one that breaks the protocol."""
    content = _object(sent)
    next_cursor = content.get("next_cursor") or None
    if next_cursor is not None and not (isinstance(next_cursor, str) and next_cursor.isprintable()):
        raise sent.unexpected("next_cursor must be text")
    return DownloadPage(_tasks(sent, content.get("downloads")), next_cursor)


def next_tasks(
    calls: Calls, location: str | None = None, *, count: int = PAGE_TASKS
) -> tuple[DownloadTask, ...]:
    """Be handed tasks that nobody fetched yet, none if there are none. Raises as ``page_of``."""
    sent = calls.downloads_next(location, count=count)
    return _tasks(sent, _object(sent).get("data"))


def _object(sent: Sent) -> dict[str, Any]:
    if sent.answer.status == 204 or not sent.answer.content:
        return {}
    return object_of(sent)


def _tasks(sent: Sent, records: Any) -> tuple[DownloadTask, ...]:
    try:
        return tuple(read_task(record) for record in _records(records or [], "the list of downloads"))
    except ValueError as error:
        reason = str(error)
    raise sent.unexpected(reason)


def read_task(record: dict[str, Any]) -> DownloadTask:
    """Read the record of a task (wire reference 2.14). Raises ValueError that says what is wrong."""
    job_id, task_id = _text(record, "job_id"), _text(record, "task_id")
    files = tuple(
        _file({"output_dir": record.get("output_dir"), **entry, "job_id": job_id, "task_id": task_id})
        for entry in _records(record.get("files") or [], "files")
    )
    return DownloadTask(
        _text(record, "download_id"), job_id, task_id, sum(file.size for file in files), files
    )


def _file(record: dict[str, Any]) -> DownloadFile:
    size = record.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= LARGEST:
        raise ValueError(f"size of {record.get('relative_path')!r} must be a number of bytes")
    return DownloadFile(
        relative_path=_text(record, "relative_path"),
        md5=_md5(record),
        size=size,
        job_id=_text(record, "job_id"),
        task_id=_text(record, "task_id"),
        output_dir=_text(record, "output_dir"),
        url=signed_url(record.get("url")),
    )


def _records(value: Any, name: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        raise ValueError(f"{name} must be a list of objects")
    return value


def _text(record: dict[str, Any], name: str) -> str:
    value = record.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # ids are text in everything seen, and numbers cost nothing to understand
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text")  # noqa: TRY004 - of a value that came over the wire
    return value


def _md5(record: dict[str, Any]) -> str | None:
    md5 = record.get("md5")
    if not md5:
        return None
    if is_md5(md5):
        return str(md5)
    raise ValueError(f"md5 of {record.get('relative_path')!r} must be base64 of 16 bytes")
