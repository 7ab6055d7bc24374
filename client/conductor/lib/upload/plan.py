"""Where the service wants files to be put: the answer of files.get_upload_urls (wire reference 2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from conductor.lib.wire.call import Sent
from conductor.lib.wire.records import signed_url


def is_s3_style(url: str) -> bool:
    """Say which style the URL's text asks for; this search is what every client does (wire reference 2.6)."""
    return "amazonaws" in url or "coreweave" in url


class SinglePart(NamedTuple):
    """A file that goes up in one piece."""

    path: str
    url: str

    def __repr__(self) -> str:
        return f"SinglePart({self.path!r})"  # the URL is a permission

    @property
    def checked(self) -> bool:
        """Whether the service is told the md5 with the bytes, and so refuses others (wire reference 2.6)."""
        return not is_s3_style(self.url)


class MultiPart(NamedTuple):
    """A file that goes up in parts of ``part_size`` bytes, the last one shorter. ``urls`` are by part number."""

    path: str
    upload_id: str
    part_size: int
    urls: Mapping[int, str]

    def __repr__(self) -> str:
        return f"MultiPart({self.path!r}, {len(self.urls)} parts of {self.part_size})"

    def is_same_upload(self, other: MultiPart) -> bool:
        """Say whether parts that were stored for one count for the other: new URLs alone make no new upload."""
        return (self.upload_id, self.part_size) == (other.upload_id, other.part_size)


class UploadPlan(NamedTuple):
    """The files that the service does not have yet."""

    single: tuple[SinglePart, ...] = ()
    multi: tuple[MultiPart, ...] = ()

    def by_path(self) -> dict[str, UploadPlan]:
        """Return what it says of each file that it names."""
        single = {part.path: UploadPlan(single=(part,)) for part in self.single}
        return {**single, **{parts.path: UploadPlan(multi=(parts,)) for parts in self.multi}}


def plan_of(sent: Sent, sizes: Mapping[str, int]) -> UploadPlan:
    """Read the answer of ``files.get_upload_urls`` for these paths, with their sizes in bytes.

    The plan holds only those whose content the service does not have. Raises UnexpectedAnswerError for an answer that
    breaks the protocol.
    """
    if not sent.answer.content:
        return UploadPlan()
    try:
        return _plan(sent.json(), sizes)
    except ValueError as error:
        reason = str(error)
    raise sent.unexpected(reason)


def _plan(body: Any, sizes: Mapping[str, int]) -> UploadPlan:
    """Read the body; missing, null and empty all mean that nothing is to be sent.

    Raises ValueError that says what is wrong.
    """
    if not body:
        return UploadPlan()
    if not isinstance(body, dict):
        raise ValueError("its body must be an object")  # noqa: TRY004 - of a value that came over the wire
    single = tuple(
        SinglePart(_path(record, sizes), signed_url(record.get("preSignedURL")))
        for record in _records(body, "singlePartURLs")
    )
    multi = tuple(_multi(record, sizes) for record in _records(body, "multiPartURLs"))
    paths = [item.path for item in single] + [item.path for item in multi]
    if len(set(paths)) != len(paths):
        raise ValueError("it names a filePath twice")
    return UploadPlan(single, multi)


def _records(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    records = body.get(name) or []
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ValueError(f"{name} must be a list of objects")
    return records


def _path(record: dict[str, Any], sizes: Mapping[str, int]) -> str:
    path = record.get("filePath")
    if not isinstance(path, str) or path not in sizes:
        raise ValueError(f"it names the filePath {path!r}, which was not asked for")
    return path


def _multi(record: dict[str, Any], sizes: Mapping[str, int]) -> MultiPart:
    path = _path(record, sizes)
    upload_id, part_size = record.get("uploadID"), record.get("partSize")
    if not isinstance(upload_id, str) or not upload_id:
        raise ValueError(f"uploadID of {path} must be text")
    if not isinstance(part_size, int) or isinstance(part_size, bool) or part_size < 1:
        raise ValueError(f"partSize of {path} must be a whole number from 1")
    parts = _records(record, "parts")
    urls: dict[Any, str] = {part.get("partNumber"): signed_url(part.get("url")) for part in parts}
    count = max(1, -(-sizes[path] // part_size))
    if len(parts) != count or set(urls) != set(range(1, count + 1)):
        raise ValueError(
            f"the {len(parts)} parts of {path}, each of {part_size} bytes, do not make its {sizes[path]} bytes"
        )
    return MultiPart(path, upload_id, part_size, urls)
