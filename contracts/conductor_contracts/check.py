"""Whether the service would take a submission, without asking it: for submitters in any language."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from conductor_contracts import json_text
from conductor_contracts.contract import load
from conductor_contracts.frames import FramesError
from conductor_contracts.json_text import JsonTextError
from conductor_contracts.problems import MAX_PROBLEMS, Problem, pointer
from conductor_contracts.submission import (
    Payload,
    Tasks,
    is_upload_only,
    odd_scouts,
    odd_variables,
    tasks_of,
    text,
)

OPERATION = "jobs.create"


@dataclass(frozen=True)
class Verdict:
    """What the service would say to a submission.

    ``problems`` are why it would be refused, each with its JSON pointer; none means that it would be taken. ``unusual``
    is what would be taken and probably means something else than it does. At most 20 of each.
    """

    problems: tuple[Problem, ...] = ()
    unusual: tuple[Problem, ...] = ()

    @property
    def taken(self) -> bool:
        """Whether the service would take it."""
        return not self.problems


def check_text(body: bytes) -> Verdict:
    """The verdict on the bytes of a request body. Raises nothing for them."""
    try:
        return check(json_text.read(body))
    except JsonTextError as error:
        return Verdict((Problem("", str(error)),))


def check(payload: Any) -> Verdict:
    """The verdict on a decoded body of ``jobs.create``.

    What an account's catalogue offers is not known here: that a project, package or machine exists is not checked.
    """
    operation = load().operations[OPERATION]
    problems = operation.check_request(payload)
    if problems:
        return Verdict(tuple(problems), tuple(operation.unknown_fields(payload)))
    try:
        tasks = tasks_of(payload)
    except FramesError as error:
        return Verdict((Problem("/frame_range", str(error)),), tuple(operation.unknown_fields(payload)))
    unusual = [*operation.unknown_fields(payload), *islice(_unusual(payload, tasks), MAX_PROBLEMS)]
    return Verdict(unusual=tuple(unusual[:MAX_PROBLEMS]))


def _unusual(payload: Payload, tasks: Tasks) -> Iterator[Problem]:
    yield from odd_scouts(text(payload, "scout_frames"), tasks)
    yield from odd_variables(payload)
    if tasks and not is_upload_only(payload) and not text(payload, "output_path"):
        yield Problem("/output_path", "is not given, so nothing that the tasks write can be downloaded")
    yield from _odd_files(payload)


def _odd_files(payload: Payload) -> Iterator[Problem]:
    """Two contents for one path, and a sum of sizes that is not theirs (wire reference 3.2)."""
    files = payload.get("upload_files") or ()
    first: dict[str, int] = {}
    for index, file in enumerate(files):
        earlier = first.setdefault(file["destination"], index)
        if file.get("md5") != files[earlier].get("md5"):
            yield Problem(
                pointer(f"/upload_files/{index}", "destination"),
                f"is that of file {earlier} too, with another md5",
            )
    total, stated = sum(file.get("st_size") or 0 for file in files), payload.get("upload_size")
    if stated is not None and stated != total:
        yield Problem("/upload_size", f"is {stated}, the sizes of the files add up to {total}")
