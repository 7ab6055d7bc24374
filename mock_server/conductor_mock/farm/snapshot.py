"""State as JSON and back: the form of a snapshot. A file format: what an older version wrote stays readable.

Every field of the state and of what it is made of is written, but for the derived ones, which are made again. `write`
makes one JSON object of a state. A snapshot on disk is the same in parts, one JSON value each, so that an account of a
million tasks is never in memory twice, nor anybody held up while one large value is made: the account, then each job
with the number of its tasks, followed by these in blocks.

Tasks are by far the most, so each is a list in which trailing values that are the usual ones are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, replace
from functools import cache
from typing import Any

from conductor_mock.farm import indexes
from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.encoding import Codec, EncodingError, Forms, codec_of
from conductor_mock.farm.state import (
    Attempt,
    Download,
    Execution,
    Job,
    Mail,
    State,
    Task,
    Upload,
    is_derived,
    is_unhashed,
)
from conductor_mock.farm.statuses import DownloadStatus
from conductor_mock.farm.values import Options, OutputFile

Json = dict[str, Any]

FORMAT = 3
"""Rises when what was written before would be read as something else; `read` then takes the older ones too. A field
that is added, with a default, is no such change. Format 1 was never in parts, format 2 knew no tasks that run for
real."""

BLOCK = 1000
"""Tasks in one part."""

_IN_PARTS: Mapping[type, str] = {State: "jobs", Job: "tasks"}
"""What is written in parts of its own."""

_KEPT: Mapping[type, frozenset[str]] = {
    State: frozenset({"catalog_seq", "rules", "outbox", "keys"}),
    Job: frozenset(
        {
            "warnings", "upload", "retries", "max_instances", "scouts_left", "notify", "ran_us", "ended_us", "phases",
            "syncs", "synced_us",
        }
    ),
    Upload: frozenset({"status", "lease", "bytes_to_send", "bytes_sent"}),
    Download: frozenset({"status", "lease", "bytes_downloaded", "given", "done"}),
    Attempt: frozenset({"exit_code", "ended_us", "outcome"}),
    Execution: frozenset({"run", "log", "reason"}),
    Options: frozenset({"execute"}),
    Anchor: frozenset({"speed_millionths"}),
}  # fmt: skip
"""What format 3 writes though it is the default: versions of it look for it, and bundles have the hash of it. A field
that was added since is left out while it has its default, so that neither is the matter of a new field."""


class SnapshotError(ValueError):
    """A snapshot that a newer version wrote."""


def write(state: State) -> Json:
    """The snapshot of `state` as one object; `read` gives an equal state back."""
    return _whole(state, _codecs())


def essence(state: State) -> Json:
    """The snapshot of `state` as one object, without what was added since bundles have the hash of it (`UNHASHED`)."""
    return _whole(state, _codecs(hashed=True))


def read(data: Json) -> State:
    """The state of a snapshot that is one object. Raises SnapshotError."""
    return read_parts([data])


def write_parts(state: State) -> Iterator[Any]:
    """The snapshot of `state` in parts, which must be taken before the state changes again."""
    codecs = _codecs()
    yield _account(state)
    for job in state.jobs.values():
        yield {**codecs.job.encode(job), "tasks": len(job.tasks)}
        for start in range(0, len(job.tasks), BLOCK):
            yield list(map(codecs.task.encode, job.tasks[start : start + BLOCK]))


def read_parts(parts: Iterable[Any]) -> State:
    """The state of a snapshot in parts, or in one that is the whole. Raises SnapshotError."""
    rest = iter(parts)
    account = next(rest)
    if account["format"] > FORMAT:
        raise SnapshotError(
            f"the snapshot was written by a newer conductor-mock: it has format {account['format']}, this version "
            f"reads up to {FORMAT}"
        )
    try:
        state = _read_state(account, rest)
    except EncodingError as error:
        raise SnapshotError(f"the snapshot was written by a newer conductor-mock: {error}") from error
    indexes.rebuild(state)
    return state


def _whole(state: State, codecs: _Codecs) -> Json:
    jobs = [
        {**codecs.job.encode(job), "tasks": list(map(codecs.task.encode, job.tasks))}
        for job in state.jobs.values()
    ]
    return {**_account(state), "jobs": jobs}


def _account(state: State) -> Json:
    return {"format": FORMAT, **_codecs().state.encode(state)}


def _read_state(account: Json, rest: Iterator[Any]) -> State:
    is_whole, codecs = "jobs" in account, _codecs()
    state: State = codecs.state.decode(_without(account, "format", "jobs"))
    for data in account["jobs"] if is_whole else rest:
        job: Job = codecs.job.decode(_without(data, "tasks"))
        for block in [data["tasks"]] if is_whole else _blocks(data["tasks"], rest):
            job.tasks += map(codecs.task.decode, block)
        state.jobs[job.number] = job
    return state


def _blocks(count: int, rest: Iterator[Any]) -> Iterator[Any]:
    """The parts that hold the next `count` tasks."""
    while count > 0:
        block = next(rest)
        count -= len(block)
        yield block


def _without(data: Json, *names: str) -> Json:
    return {name: value for name, value in data.items() if name not in names}


def _is_omitted(cls: type, field_: Field[Any]) -> bool:
    return is_derived(field_) or _IN_PARTS.get(cls) == field_.name


def _is_omitted_or_unhashed(cls: type, field_: Field[Any]) -> bool:
    return _is_omitted(cls, field_) or is_unhashed(field_)


def _short(codec: Codec) -> Codec:
    """What most downloads are, outputs that nobody asked for yet, is a text: their status."""
    usual = Download()
    return Codec(
        lambda download: download.status if download == usual else codec.encode(download),
        lambda data: Download(DownloadStatus(data)) if isinstance(data, str) else codec.decode(data),
    )


def _shared(codec: Codec) -> Codec:
    """An attempt mostly ends when it was to: there may be millions, so they share the number with themselves."""

    def decode(row: Any) -> Attempt:
        attempt: Attempt = codec.decode(row)
        if attempt.ended_us == attempt.ends_us:
            attempt.ended_us = attempt.ends_us
        return attempt

    return Codec(codec.encode, decode)


FORMS = Forms(
    rows=frozenset({Task, Attempt, Execution, OutputFile, Mail}),
    kept=_KEPT,
    omitted=_is_omitted,
    wrapped={Attempt: _shared, Download: _short},
    is_trusted=True,
)
"""The forms of everything in a state."""


@dataclass(frozen=True, slots=True)
class _Codecs:
    """The codecs of what has parts of its own."""

    state: Codec
    job: Codec
    task: Codec


@cache
def _codecs(*, hashed: bool = False) -> _Codecs:
    """Made when the first snapshot is written or read: a server starts without. `hashed` is without `UNHASHED`."""
    omitted: Callable[[type, Field[Any]], bool] = _is_omitted
    if hashed:
        omitted = _is_omitted_or_unhashed
    forms = replace(FORMS, omitted=omitted)
    return _Codecs(codec_of(State, forms), codec_of(Job, forms), codec_of(Task, forms))
