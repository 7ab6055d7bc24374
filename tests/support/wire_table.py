"""How the arguments of a submission end up in the job: a table written from the Python API document and from wire
reference 3.1 to 3.5, and from nothing that the client is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ABSENT: Any = object()
"""The default of a key that is not sent unless its argument was given."""


@dataclass(frozen=True)
class Row:
    """A key of the job payload, the names that its argument goes by, and what is sent when it is not given."""

    wire: str
    arguments: tuple[str, ...]
    default: Any = ABSENT


ROWS = (
    Row("autoretry_policy", ("autoretry_policy",), {}),
    Row("chunk_size", ("chunk_size",), 1),
    Row("command", ("cmd", "command")),
    Row("cores", ("cores",)),
    Row("docker_image", ("docker_image",), ""),
    Row("environment", ("environment",), {}),
    Row("frame_range", ("frames", "frame_range")),
    Row("instance_type", ("instance_type",)),
    Row("job_title", ("job_title", "title"), "Unknown job title"),
    Row("local_upload", ("local_upload",), True),
    Row("location", ("location",), ""),
    Row("machine_flavor", ("machine_flavor", "machine_type")),
    Row("max_instances", ("max_instances",), 0),
    Row("metadata", ("metadata",), {}),
    Row("notify", ("notify",), []),
    Row("output_path", ("output_path",)),
    Row("preemptible", ("preemptible",), False),
    Row("priority", ("priority",), 5),
    Row("project", ("project",), ""),
    Row("scout_frames", ("scout_frame", "scout_frames"), ""),
    Row("software_package_ids", ("software_package_ids",), []),
    Row("tasks_data", ("tasks_data",)),
)
"""Every key but `owner`, `upload_files` and `upload_size`, which do not come from arguments alone."""

NAMES = {row.arguments[0] for row in ROWS} | {"enforced_md5s", "owner", "upload_only", "upload_paths"}
"""The arguments that decide what the service is asked for, by their documented names."""


def expected_job(arguments: Mapping[str, Any], *, owner: str) -> dict[str, Any]:
    """The payload for valid arguments, without `upload_files` and `upload_size`. `owner` is the system's user."""
    job = {row.wire: _value(row, arguments) for row in ROWS if _value(row, arguments) is not ABSENT}
    job["owner"] = _value(Row("owner", ("owner", "user"), owner), arguments)
    job["notify"] = {"emails": job["notify"]}
    if "cores" in job:  # the document's quick start before July 2019: cores alone are standard ones
        job.setdefault("machine_flavor", "standard")
    if arguments.get("upload_only"):
        job |= {"command": "upload only", "frame_range": "x"}
    elif "command" in job:
        job["tasks_data"] = []
    if not arguments.get("upload_paths"):  # no daemon would ever come for such a job (wire reference 7.2)
        job["local_upload"] = True
    return job


def check_tasks(tasks: Sequence[Mapping[str, Any]], job: Mapping[str, Any]) -> None:
    """Check the tasks that the server made of a payload: those of `tasks_data`, or a template by its frames.

    A template's frames are dealt out in order, `chunk_size` to a task, and each task's own stand in its command where
    `<frame args>` stood (wire reference 7.3).
    """
    made = [(task["command"], task["frames"]) for task in tasks]
    if job.get("tasks_data"):
        assert made == [(task["command"], task.get("frames", "")) for task in job["tasks_data"]]
    elif job["command"] == "upload only":
        assert made == []
    else:
        assert [command for command, _ in made] == [
            job["command"].replace("<frame args>", frames) for _, frames in made
        ]
        numbers, size = sorted(set(frame_numbers(job["frame_range"]))), job["chunk_size"]
        dealt = [frame_numbers(frames) for _, frames in made]
        assert dealt == [numbers[start : start + size] for start in range(0, len(numbers), size)]


def frame_numbers(text: str) -> list[int]:
    """The frames that a text such as `1, 10-20, 100-200x2` names (wire reference 7.3)."""
    numbers: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"(-?\d+)(?:-(-?\d+)(?:x(\d+))?)?", part.strip())
        assert found, f"{part!r} in {text!r} is no part of a frame list"
        first, last, step = (int(number) if number else None for number in found.groups())
        assert first is not None
        numbers += range(first, (first if last is None else last) + 1, step or 1)
    return numbers


def _value(row: Row, arguments: Mapping[str, Any]) -> Any:
    return next((arguments[name] for name in row.arguments if name in arguments), row.default)
