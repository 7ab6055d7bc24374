"""The files of a job that an uploader daemon is to bring (wire reference 2.12): read, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conductor.lib.wire.call import Sent
from conductor.lib.wire.calls import Calls


@dataclass(frozen=True)
class ClaimedUpload:
    """The files of one job, claimed by whoever got this. ``files`` are enforced md5s (base64) or None, by path."""

    id: str
    project: str | None
    files: Mapping[str, str | None]


def next_claim(calls: Calls, location: str | None = None) -> ClaimedUpload | None:
    """Claim the files of a job of this location, None if no job waits.

    Raises OutcomeUnknownError where no answer came, or one that is no claim.
    """
    sent = calls.uploads_next(location)
    return None if sent.answer.status == 204 else _claimed(sent)


def _claimed(sent: Sent) -> ClaimedUpload:
    body = sent.json()
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("id"), (str, int)):
        raise sent.unexpected("data must be an object with an id")
    project, files = data.get("project"), data.get("upload_files")
    if not isinstance(files, dict) or not all(_is_md5(md5) for md5 in files.values()):
        raise sent.unexpected("upload_files must be an object of md5s by path")
    return ClaimedUpload(str(data["id"]), project if isinstance(project, str) else None, files)


def _is_md5(value: Any) -> bool:
    return value is None or isinstance(value, str)
