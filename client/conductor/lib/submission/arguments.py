"""The arguments of a submission: one table, from which validation, payload and documentation are made.

Names are those of the documented Python API; aliases are what the vendor's clients call the same thing
(wire reference 3.1, naming table). ``resolution`` applies the table.
"""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from conductor.lib.exceptions import BadArgumentError, Problem
from conductor.lib.values.compound import ListOf, MapOf, Metadata, Record
from conductor.lib.values.kinds import (
    Flag,
    Frames,
    Kind,
    PathText,
    Text,
    VariableValue,
    Whole,
    absolute_path,
    choice,
    email,
    md5,
)

logger = logging.getLogger(__name__)

ALWAYS, IF_GIVEN, NEVER = "always", "if given", "never"
MACHINE_FLAVORS = ("standard", "highmem", "highcpu", "ultramem")


class Argument(NamedTuple):
    """One argument of ``Submit``.

    ``wire`` is its key in the body of ``POST /jobs/`` (empty for none) and ``sent`` says when it is there.
    ``combines`` marks the ones that are joined with the config's value instead of replacing it (wire
    reference 3.3). A callable ``default`` is called when it is needed.
    """

    name: str
    kind: Kind
    doc: str
    wire: str = ""
    sent: str = NEVER
    default: Any = None
    aliases: tuple[str, ...] = ()
    combines: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Every spelling, the documented one first."""
        return (self.name, *self.aliases)


class Sourced(NamedTuple):
    """A value and where it came from, in words (``CONDUCTOR_PRIORITY``, a file's path, ...)."""

    value: Any
    source: str


def operating_system_user() -> str:
    """Return the name of the person who runs this. Raises BadArgumentError where the system has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        problem = Problem("owner", "", "a name: this system has none for the current user, so give one")
        raise BadArgumentError.listing([problem]) from None


_RETRIES = Record({"max_retries": Whole(0, 5)}, required=("max_retries",))
_NAME = Text("text that is not blank", blank=False)
_VARIABLE = Text(
    "the name of a variable", blank=False, fits=lambda name: "=" not in name and not name.isspace()
)

ARGUMENTS = (
    Argument(
        "autoretry_policy",
        Record({"preempted": _RETRIES, "failed": _RETRIES}),
        "How often a task is started again after it was preempted or failed.",
        wire="autoretry_policy",
        sent=ALWAYS,
        default={},
    ),
    Argument(
        "chunk_size",
        Whole(1),
        "The number of frames in each task, where the server makes tasks from `cmd` and `frames`.",
        wire="chunk_size",
        sent=ALWAYS,
        default=1,
    ),
    Argument(
        "cmd",
        _NAME,
        "A command template for the server to make tasks from, together with `frames`; deprecated.",
        wire="command",
        sent=IF_GIVEN,
        aliases=("command",),
    ),
    Argument(
        "cores",
        Whole(1),
        "The number of cpu cores; highmem and highcpu want 2, ultramem 40.",
        wire="cores",
        sent=IF_GIVEN,
    ),
    Argument(
        "database_filepath", PathText(), "Where the md5 cache lies, instead of the user's cache folder."
    ),
    Argument(
        "docker_image",
        Text(),
        "An image to run the tasks in, instead of the service's own.",
        wire="docker_image",
        sent=ALWAYS,
        default="",
    ),
    Argument(
        "enforced_md5s",
        MapOf(PathText(), md5()),
        "The md5 that a file must have when an uploader daemon sends it; without effect on local upload.",
        default={},
    ),
    Argument(
        "environment",
        MapOf(_VARIABLE, VariableValue()),
        "Environment variables of the tasks.",
        wire="environment",
        sent=ALWAYS,
        default={},
        combines=True,
    ),
    Argument("force", Flag(), "Whether to take every md5 anew instead of trusting the cache.", default=False),
    Argument(
        "frames",
        Frames(),
        "The frames of `cmd`; deprecated with it.",
        wire="frame_range",
        sent=IF_GIVEN,
        aliases=("frame_range",),
    ),
    Argument(
        "instance_type",
        _NAME,
        "The machine, by a name that `request_instance_types` lists; instead of `machine_flavor` and `cores`.",
        wire="instance_type",
        sent=IF_GIVEN,
    ),
    Argument(
        "job_title",
        Text(),
        "The title in the dashboard.",
        wire="job_title",
        sent=ALWAYS,
        default="Unknown job title",
        aliases=("title",),
    ),
    Argument(
        "local_upload",
        Flag(),
        "Whether this process uploads the files before it submits; else an uploader daemon does.",
        wire="local_upload",
        sent=ALWAYS,
        default=True,
    ),
    Argument(
        "location",
        Text(),
        "A label; daemons of the same label serve the job.",
        wire="location",
        sent=ALWAYS,
        default="",
    ),
    Argument(
        "machine_flavor",
        choice(*MACHINE_FLAVORS),
        "The kind of machine; works together with `cores`, and is `standard` if only `cores` is given.",
        wire="machine_flavor",
        sent=IF_GIVEN,
        aliases=("machine_type",),
    ),
    Argument(
        "max_instances",
        Whole(0),
        "How many machines may work on the job at once; 0 for no limit.",
        wire="max_instances",
        sent=ALWAYS,
        default=0,
    ),
    Argument("md5_caching", Flag(), "Whether md5s are kept for files that did not change.", default=True),
    Argument(
        "metadata",
        Metadata(logger.warning),
        "Names and values to find the job by in usage reports.",
        wire="metadata",
        sent=ALWAYS,
        default={},
        combines=True,
    ),
    Argument(
        "notify",
        ListOf(email()),
        "Addresses that get a mail when the job is complete.",
        wire="notify",
        sent=ALWAYS,
        default=[],
        combines=True,
    ),
    Argument(
        "output_path",
        absolute_path(),
        "The directory that the tasks write to, and that downloads are saved to.",
        wire="output_path",
        sent=IF_GIVEN,
    ),
    Argument(
        "owner",
        _NAME,
        "Who submits; the name of the operating system's user if not given.",
        wire="owner",
        sent=ALWAYS,
        default=operating_system_user,
        aliases=("user",),
    ),
    Argument(
        "preemptible",
        Flag(),
        "Whether machines may be taken away while a task runs, for a lower price.",
        wire="preemptible",
        sent=ALWAYS,
        default=False,
    ),
    Argument(
        "priority",
        Whole(0),
        "Jobs of a higher priority run first within an account.",
        wire="priority",
        sent=ALWAYS,
        default=5,
    ),
    Argument("project", Text(), "The name of the project.", wire="project", sent=ALWAYS, default=""),
    Argument(
        "scout_frame",
        Frames(),
        "Tasks that contain one of these frames run at once; all others are held.",
        wire="scout_frames",
        sent=ALWAYS,
        default="",
        aliases=("scout_frames",),
    ),
    Argument(
        "software_package_ids",
        ListOf(_NAME),
        "Ids of the packages to have, as `request_software_packages` lists them.",
        wire="software_package_ids",
        sent=ALWAYS,
        default=[],
        combines=True,
    ),
    Argument(
        "tasks_data",
        ListOf(Record({"command": _NAME, "frames": Frames()}, required=("command",)), at_least=1),
        "The tasks, each with a command and, to decide about scout frames, its frames.",
        wire="tasks_data",
        sent=IF_GIVEN,
    ),
    Argument("upload_file", PathText(), "A text file with one more path to upload on each line."),
    Argument("upload_only", Flag(), "Whether to upload files and run nothing.", default=False),
    Argument(
        "upload_paths",
        ListOf(PathText(), separator=os.pathsep),
        "Files, directories and patterns to upload.",
        default=[],
        combines=True,
    ),
)

BY_NAME: Mapping[str, Argument] = {name: argument for argument in ARGUMENTS for name in argument.names}

# Arguments of which one choice excludes the others: giving one of them sets aside what the config has of all.
CHOICES = (("instance_type", "machine_flavor", "cores"), ("cmd", "frames", "tasks_data", "upload_only"))


def closest(name: object, known: Iterable[str]) -> str:
    """Return advice about a name that is not known: the closest known one, or all of them."""
    import difflib  # only needed to explain a mistake

    names = list(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"


def reference() -> str:
    """Return the table as Markdown: name, other spellings, what is accepted, default, meaning."""

    def default_of(argument: Argument) -> str:
        if argument.default is None:
            return ""
        return "the system's user" if callable(argument.default) else f"`{argument.default!r}`"

    rows = ["| argument | also | accepted | default | meaning |", "|---|---|---|---|---|"]
    for argument in ARGUMENTS:
        also = ", ".join(f"`{alias}`" for alias in argument.aliases)
        cells = (f"`{argument.name}`", also, argument.kind.accepts, default_of(argument), argument.doc)
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
