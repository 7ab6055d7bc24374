"""The body of ``POST /jobs/``, made from checked arguments (wire reference 3.1, 3.2, 3.5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conductor.lib.files.local import LocalFile
from conductor.lib.submission.arguments import ALWAYS, ARGUMENTS, IF_GIVEN
from conductor.lib.submission.resolution import Arguments

# What the vendor's client sends for a job that only uploads.
UPLOAD_ONLY = {"command": "upload only", "frame_range": "x", "instance_type": "n1-standard-1"}


def build_payload(arguments: Arguments, files: Iterable[LocalFile]) -> dict[str, Any]:
    """Return the body: what the argument table says, and the files with the sum of their sizes in bytes."""
    payload = {
        argument.wire: _as_sent(argument.name, arguments[argument.name])
        for argument in ARGUMENTS
        if argument.sent == ALWAYS or (argument.sent == IF_GIVEN and arguments[argument.name] is not None)
    }
    if arguments["upload_only"]:
        machine = {"instance_type", "machine_flavor"} & payload.keys()
        payload.update(
            {key: value for key, value in UPLOAD_ONLY.items() if key != "instance_type" or not machine}
        )
    elif arguments["cmd"] is not None:
        payload["tasks_data"] = []
    entries = [file.entry() for file in files]
    payload["upload_files"] = entries
    payload["upload_size"] = sum(entry["st_size"] for entry in entries)
    if not entries:
        # Nobody would ever finish the upload of a job without files, and it would wait for ever (wire reference 7.2).
        payload["local_upload"] = True
    return payload


def _as_sent(name: str, value: Any) -> Any:
    return {"emails": value} if name == "notify" else value
