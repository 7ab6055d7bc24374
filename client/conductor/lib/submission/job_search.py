"""Finding a job in the job list whose submission was not answered, decided without asking.

The list (wire reference 2.9) has nothing that names a submission, so every rule here errs on one side: what might be
the job is never taken for absent, and what might be another one is never taken for the job. A job that was listed
before the submission began is another one; where it is not known what was listed then, no job is certain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

# Fields in which the submitter may stand; which of them holds the payload's owner is not known for certain.
_OWNERS = ("owner", "user", "submittedBy")
# Compared where both sides have them.
_TRAITS = ("project", "output_path", "location", "instance_type", "priority", "metadata", "upload_size")
_FRACTION = re.compile(r"(?<=:\d\d)\.\d+")


class JobQuery(NamedTuple):
    """What is looked for. Times are epoch seconds by the service's clock, with some room on both sides.

    ``before`` are ids of the jobs that were listed when the submission began, None where that is not known; ``ours``
    are ids of jobs that are known to come from other submissions since.
    """

    payload: Mapping[str, Any]
    earliest: float
    latest: float
    before: frozenset[str] | None = None
    ours: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """The title as the payload gives it."""
        return str(self.payload.get("job_title") or "")


class Sighting(NamedTuple):
    """Ids of jobs that are as the one looked for in everything, and of those that may be it."""

    certain: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()

    @property
    def found(self) -> str:
        """The id of the job, if it is the only one that comes into question; else empty."""
        return self.certain[0] if len(self.certain) == 1 and not self.possible else ""

    @property
    def candidates(self) -> tuple[str, ...]:
        """Every id that comes into question."""
        return self.certain + self.possible


def search(records: Iterable[Mapping[str, Any]], query: JobQuery) -> Sighting:
    """Return what the records of a job list say about a submission."""
    certain: list[str] = []
    possible: list[str] = []
    for record in records:
        jid = id_of(record)
        if jid in query.ours or jid in (query.before or ()) or not _may_be(record, query):
            continue
        (certain if _is(record, query) else possible).append(jid)
    return Sighting(tuple(certain), tuple(possible))


def id_of(record: Mapping[str, Any]) -> str:
    """Return the id that a record names."""
    return str(record.get("jid") or record.get("id") or "?")


def _may_be(record: Mapping[str, Any], query: JobQuery) -> bool:
    """Whether title and time do not speak against it."""
    title = record.get("title")
    if title is not None and query.title and str(title).strip() != query.title.strip():
        return False
    created = epoch_of(record.get("created"))
    # What is new in the list may be it whatever the clock of the service says.
    return query.before is not None or created is None or created >= query.earliest


def _is(record: Mapping[str, Any], query: JobQuery) -> bool:
    """Whether everything speaks for it."""
    created = epoch_of(record.get("created"))
    if query.before is None or not query.title or record.get("title") is None:
        return False
    if created is None or not query.earliest <= created <= query.latest:
        return False
    payload = query.payload
    if str(payload.get("owner") or "") not in [str(record.get(name)) for name in _OWNERS]:
        return False
    shared = [name for name in _TRAITS if payload.get(name) and record.get(name)]
    return all(str(payload[name]) == str(record[name]) for name in shared) and _has_its_tasks(record, payload)


def _has_its_tasks(record: Mapping[str, Any], payload: Mapping[str, Any]) -> bool:
    """Whether as many tasks are shown as were sent, where both sides say so."""
    sent, shown = payload.get("tasks_data"), record.get("tasks")
    if not sent or shown is None:
        return True
    return str(len(shown) if isinstance(shown, list) else shown) == str(len(sent))


def epoch_of(value: Any) -> float | None:
    """Return a time as epoch seconds: ISO 8601 (UTC where it names no zone), RFC 1123, or a number; else None."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    try:
        when = datetime.fromisoformat(_FRACTION.sub("", text).replace("Z", "+00:00"))
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (
            TypeError,
            ValueError,
            OverflowError,
        ):  # Python 3.9 has a TypeError for what is no time at all
            return None
    return when.replace(tzinfo=when.tzinfo or timezone.utc).timestamp()
