"""A job's payload for people: as it was received, with what is odd marked at its field, and what it was read as."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conductor_contracts.problems import pointer
from conductor_mock.catalog import Catalog
from conductor_mock.dashboard.packages import named
from conductor_mock.dashboard.shown import size_text
from conductor_mock.farm.payload import Submission
from conductor_mock.wire.masking import mask_text, mask_variable

MOST_LINES = 1500
MOST_CHARACTERS = 64 * 1024
_SHOWN_TASKS = 3
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the payload, and what is odd about the value that begins on it."""

    text: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the tasks' environment, and who set it."""

    name: str
    value: str
    source: str


def lines(payload: Mapping[str, Any], warnings: Sequence[str]) -> list[Line]:
    """The payload as JSON without what is secret, its beginning where it is long."""
    shown: list[Line] = []
    characters = 0
    for place, text in _written(payload, "", "", ""):
        told = tuple(one for one in warnings if _is_about(one, place)) if place else ()
        characters += len(text)
        if len(shown) >= MOST_LINES or characters > MOST_CHARACTERS:
            shown.append(Line("... the rest is left out here"))
            break
        shown.append(Line(text, told))
    masked = mask_text("\n".join(line.text for line in shown)).split("\n")
    if len(masked) != len(shown):  # a secret went over the end of a line
        return [Line(text) for text in masked]
    return [Line(text, line.warnings) for text, line in zip(masked, shown, strict=True)]


def read_as(read_: Submission, offered: Catalog) -> list[tuple[str, str]]:
    """What a job was made of, as its payload was read."""
    packages = [offered.package(one) for one in read_.packages]
    tasks = [f"{frames or 'no frames'}: {command}" for command, frames in read_.tasks[:_SHOWN_TASKS]]
    more = len(read_.tasks) - len(tasks)
    return [
        (name, value)
        for name, value in (
            ("Title", read_.title),
            ("Project", read_.project),
            ("User", read_.owner),
            ("Location", read_.location),
            ("Machine", read_.instance_type + (", preemptible" if read_.preemptible else "")),
            ("Most machines at once", str(read_.max_instances or "no limit")),
            ("Priority", str(read_.priority)),
            (
                "Packages",
                ", ".join("not in the catalogue" if one is None else named(one) for one in packages),
            ),
            ("Output path", read_.output_path),
            (
                "Tasks",
                "\n".join(
                    [str(len(read_.tasks)), *map(mask_text, tasks), *([f"and {more} more"] if more else [])]
                ),
            ),
            ("Scout frames", read_.scout_frames if read_.scouts is not None else ""),
            ("Files", f"{len(read_.files)}, {size_text(sum(file.size for file in read_.files))}"),
            ("Brought by", "the submitter" if read_.local_upload else "an uploader daemon"),
            (
                "Started again",
                ", ".join(f"after {outcome} {count} times" for outcome, count in read_.retries.items()),
            ),
            ("Mails to", ", ".join(read_.notify)),
            (
                "Metadata",
                ", ".join(
                    f"{name} {mask_variable(name, str(value))}" for name, value in read_.metadata.items()
                ),
            ),
        )
        if value
    ]


def environment(read_: Submission, offered: Catalog) -> list[Variable]:
    """The environment of the tasks; a variable comes from the package whose value it holds, else from the submitter."""
    packages = [record for one in read_.packages if (record := offered.package(one)) is not None]
    account = [(str(one["name"]), str(one["value"]), "the account") for one in offered.env_vars]
    known = account + [
        (str(one["name"]), str(one["value"]), named(record))
        for record in packages
        for one in record.get("environment") or ()
    ]
    return [
        Variable(name, mask_variable(name, mask_text(value)), _source(name, value, known))
        for name, value in read_.environment.items()
    ]


def _source(name: str, value: str, known: Sequence[tuple[str, str, str]]) -> str:
    found = [(given, source) for other, given, source in known if other == name and given and given in value]
    if not found:
        return "the submitter"
    sources = list(dict.fromkeys(source for _, source in found))
    rest = value
    for given, _ in found:
        rest = rest.replace(given, "", 1)
    if rest.strip(":;, "):
        sources.append("the submitter")
    return " and ".join(sources)


def _is_about(warning: str, place: str) -> bool:
    return warning == place or warning.startswith(f"{place} ")


def _written(value: Any, place: str, before: str, comma: str) -> Iterator[tuple[str, str]]:
    """The lines of a value as JSON, each with the pointer of the value that begins on it."""
    indent = before[: len(before) - len(before.lstrip(" "))]
    if isinstance(value, (dict, list)) and value:
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        first, last = "{}" if isinstance(value, dict) else "[]"
        yield place, f"{before}{first}"
        for number, (name, item) in enumerate(items, 1):
            label = f"{_json(name)}: " if isinstance(value, dict) else ""
            yield from _written(
                item, pointer(place, name), f"{indent}{_INDENT}{label}", "," if number < len(items) else ""
            )
        yield "", f"{indent}{last}{comma}"
    else:
        yield place, f"{before}{_json(value)}{comma}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
