"""The versions of the contract (``changes.yaml``), and what is missing there after a change of ``openapi.yaml``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from conductor_contracts.file_formats import problems_of
from conductor_contracts.text_files import parse_yaml

ALL = "all"


@dataclass(frozen=True)
class Change:
    """One change: ``kind`` is added, changed, removed or corrected; ``operations`` are ids, or the one word ``all``."""

    kind: str
    operations: tuple[str, ...]
    what: str
    evidence: str
    source: str


@dataclass(frozen=True)
class Version:
    """A version of the contract. ``date`` is None while it is not released; ``digests`` are those of its operations."""

    version: str
    date: str | None
    changes: tuple[Change, ...]
    digests: Mapping[str, str]


def load_changes() -> tuple[Version, ...]:
    """Every version, the newest first."""
    text = files("conductor_contracts").joinpath("changes.yaml").read_text(encoding="utf-8")
    return parse_changes(parse_yaml(text))


def parse_changes(document: Any) -> tuple[Version, ...]:
    """The versions of a document in the form of the file. Raises ValueError with each place that is not."""
    problems = problems_of("changes", document)
    if problems:
        raise ValueError("; ".join(map(str, problems)))
    return tuple(_version(one) for one in document["versions"])


def unrecorded(versions: Sequence[Version], version: str, digests: Mapping[str, str]) -> Iterator[str]:
    """What ``changes.yaml`` lacks for a contract of this version with these digests: a sentence for each thing."""
    newest = versions[0]
    if newest.version != version:
        yield f"openapi.yaml has version {version}, the newest here is {newest.version}"
    for operation in _differing(newest.digests, digests):
        yield (
            f"{operation} is another one than {newest.version} says: name it in an entry of a version that is not "
            f"released, with digest {digests.get(operation, 'none')}"
        )
    for later, earlier in zip(versions, [*versions[1:], None], strict=True):
        before: Mapping[str, str] = {} if earlier is None else earlier.digests
        yield from _untrue(later, set(_differing(before, later.digests)))


def _untrue(version: Version, differing: Collection[str]) -> Iterator[str]:
    """Operations that differ and are not named, or are named and do not differ."""
    named = {operation for change in version.changes for operation in change.operations}
    every = ALL in named
    named.discard(ALL)
    for operation in sorted(named - set(differing)):
        yield f"{version.version} names {operation}, which is as it was before"
    for operation in sorted(() if every else set(differing) - named):
        yield f"{version.version} does not say what changed of {operation}"


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def _version(document: Mapping[str, Any]) -> Version:
    return Version(
        document["version"],
        document["date"],
        tuple(_change(one) for one in document["changes"]),
        dict(document["digests"]),
    )


def _change(document: Mapping[str, Any]) -> Change:
    named = document["operations"]
    return Change(
        document["kind"],
        (named,) if isinstance(named, str) else tuple(named),
        document["what"],
        document["evidence"],
        document["source"],
    )
