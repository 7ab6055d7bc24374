"""Valid things with one fault in them, and where the fault is.

The tables below say what is wrong in the sense of the wire reference, for each place in turn; they are
written out, since a fault that is computed from the schema could only find what the schema already knows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from conductor_contracts.strategies.arguments import SPELLINGS, Arguments, submit_arguments
from conductor_contracts.strategies.jobs import Fields, payloads

_NO_TEXT: tuple[Any, ...] = (7, True, [], {"a": "b"})
_NO_FLAG: tuple[Any, ...] = ("yes", 1, [True])
_NO_COUNT: tuple[Any, ...] = (-1, "many", "-1", "1.5", 1.5, [1], True)
_NO_MD5: tuple[Any, ...] = (
    "",
    "900150983cd24fb0d6963f7d28e17f72",
    "kAFQmDzST7DWlj99KOF/cg",
    "?" * 22 + "==",
    7,
)
_NO_PATH: tuple[Any, ...] = ("", "scene.ma", "./scene.ma", "~/scene.ma", "C:scene.ma", "/a\0b", "/", 7, None)
_NO_POLICY: tuple[Any, ...] = (
    "often",
    ["failed"],
    {"failed": 3},
    {"failed": {"max_retries": 6}},
    {"preempted": {"max_retries": -1}},
    {"preempted": {"max_retries": "many"}},
    {"failed": {"max_retries": 1.5}},
)
_NO_TASKS: tuple[Any, ...] = (
    "echo",
    {"command": "echo"},
    ["echo"],
    [{}],
    [{"frames": "1"}],
    [{"command": ""}],
    [{"command": " \t"}],
    [{"command": 7}],
    [{"command": None}],
    [{"command": "echo", "frames": ["1"]}],
)

PAYLOAD_FAULTS: Mapping[str, Sequence[Any]] = {
    "/autoretry_policy": ("often", ["failed"]),
    "/autoretry_policy/failed": (3, "often", []),
    "/autoretry_policy/failed/max_retries": (6, -1, 1.5, "many", None, True),
    "/chunk_size": (*_NO_COUNT, 0, "0"),
    "/cores": (0, -4, 2.5, "many", "4", [4]),
    "/docker_image": _NO_TEXT,
    "/environment": ("PATH=/bin", ["PATH"]),
    "/environment/PATH": (["/bin"], {"PATH": "/bin"}),
    "/job_title": _NO_TEXT,
    "/local_upload": _NO_FLAG,
    "/location": _NO_TEXT,
    "/machine_flavor": ("huge", "", 7),
    "/max_instances": _NO_COUNT,
    "/metadata": ("shot", ["shot"]),
    "/notify": ("fred@example.com", ["fred@example.com"]),
    "/notify/emails": ("fred@example.com", {"a": "b"}),
    "/notify/emails/0": (7, None),
    "/output_path": _NO_TEXT,
    "/owner": _NO_TEXT,
    "/preemptible": _NO_FLAG,
    "/priority": ("high", "", "1.5", 1.5, [5], True, 2**63),
    "/project": _NO_TEXT,
    "/scout_frames": _NO_TEXT,
    "/software_package_ids": ("7208372e", {"a": "b"}),
    "/software_package_ids/0": (7, None),
    "/tasks_data": ("echo", {"command": "echo"}),
    "/tasks_data/0": (7, "echo", None, []),
    "/tasks_data/0/command": ("", " \t", 7, None, ["echo"]),
    "/tasks_data/0/frames": (7, ["1"]),
    "/upload_files": ("/proj/scene.ma", {"/proj/scene.ma": None}),
    "/upload_files/0": ("/proj/scene.ma", 7, None),
    "/upload_files/0/destination": _NO_PATH,
    "/upload_files/0/md5": _NO_MD5,
    "/upload_files/0/st_size": (-1, 1.5, "3", 2**63),
    "/upload_files/0/st_mode": (-1, "644"),
    "/upload_files/0/st_mtime": ("yesterday", True),
    "/upload_size": (-1, 1.5, "3", 2**63),
}
"""Wrong values for each place of a job payload, by JSON pointer."""

ARGUMENT_FAULTS: Mapping[str, Sequence[Any]] = {
    "autoretry_policy": _NO_POLICY,
    "chunk_size": (*_NO_COUNT, 0),
    "cores": (0, -4, "many", 2.5, [4]),
    "docker_image": (7, []),
    "enforced_md5s": ("abc", ["/a"], {"/a": "900150983cd24fb0d6963f7d28e17f72"}, {"/a": 7}),
    "environment": (
        "PATH=/bin",
        ["PATH"],
        {"PATH": ["/bin"]},
        {"PATH": True},
        {"PATH": 1.5},
        {"PATH": None},
        {7: "seven"},
    ),
    "instance_type": (7, "", ["n1-standard-2"]),
    "job_title": (7, ["a"]),
    "local_upload": ("maybe", 7, [True]),
    "location": (7, ["mars"]),
    "machine_flavor": ("huge", 7),
    "max_instances": _NO_COUNT,
    "metadata": ("shot", ["shot"], {"shot": ["a"]}, {"shot": None}),
    "notify": (7, [7], {"emails": 7}),
    "output_path": (7, ["/proj"], ""),
    "owner": (7, ["kim"]),
    "preemptible": ("maybe", 7, [True]),
    "priority": (-1, "high", 1.5, [5]),
    "project": (7, ["default"]),
    "scout_frame": ("first", "1-", "1-10x0", ["1"]),
    "software_package_ids": (7, [7], {"a": "b"}),
    "tasks_data": _NO_TASKS,
    "upload_paths": (7, [7], [None], {"a": "b"}),
}
"""Wrong values for each argument of Submit, by its documented name."""


def broken_payloads() -> st.SearchStrategy[tuple[Fields, str]]:
    """Job payloads with one fault, each with the JSON pointer of the fault.

    Besides wrong values there are payloads without a machine, without work, with a command without frames, with
    too few cores for their flavor, and files that were uploaded but not hashed.
    """
    places = st.sampled_from(sorted(PAYLOAD_FAULTS))
    wrong = places.flatmap(
        lambda place: st.tuples(st.just(place), st.sampled_from(list(PAYLOAD_FAULTS[place])))
    )
    values = st.builds(lambda payload, fault: (put_at(payload, *fault), fault[0]), payloads(), wrong)
    rules = st.builds(lambda payload, breaking: breaking(payload), payloads(), st.sampled_from(_BREAKERS))
    return st.one_of(values, values, rules)


def broken_submit_arguments(*, upload_paths: Sequence[str] = ()) -> st.SearchStrategy[tuple[Arguments, str]]:
    """Arguments for Submit with one fault, each with the documented name of the faulty argument.

    ``upload_paths`` are paths that exist, as for ``submit_arguments``. Besides wrong values there are
    submissions without a machine, work or output path, unknown arguments, and one thing said twice differently.
    """
    valid = submit_arguments(upload_paths=upload_paths, legacy=False)
    names = st.sampled_from(sorted(ARGUMENT_FAULTS))
    wrong = names.flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(list(ARGUMENT_FAULTS[name]))))
    values = st.builds(_with_wrong_argument, valid, wrong)
    missing = st.builds(
        _without, valid, st.sampled_from([("instance_type", "cores"), ("tasks_data",), ("output_path",)])
    )
    unknown = st.builds(
        lambda arguments, name: ({**arguments, name: "1"}, name),
        valid,
        st.sampled_from(["scuot_frame", "upload_path", "instance_typ", "xyzzy"]),
    )
    twice = st.builds(_said_twice, valid, st.sampled_from(["job_title", "owner", "scout_frame"]))
    return st.one_of(values, values, values, missing, unknown, twice)


def put_at(payload: Fields, place: str, value: Any) -> Fields:
    """A copy of a payload with a value at a place; what is not there on the way is made, valid but for the fault."""
    broken = copy.deepcopy(payload)
    steps = place.split("/")[1:]
    holder: Any = broken
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        key = int(step) if step.isdigit() else step
        if isinstance(holder, list) and not holder:
            holder.append(copy.deepcopy(_SAMPLES.get(steps[0])))
        if following is None:
            holder[key] = value
        elif isinstance(holder, dict) and not holder.get(step):
            holder[step] = [] if following.isdigit() else {}
        holder = holder[key]
    return broken


_SAMPLES: Mapping[str, Fields] = {
    "tasks_data": {"command": "echo"},
    "upload_files": {"destination": "/proj/scene.ma", "md5": "kAFQmDzST7DWlj99KOF/cg==", "st_size": 3},
}


def _no_machine(payload: Fields) -> tuple[Fields, str]:
    rest = {name: value for name, value in payload.items() if name not in ("instance_type", "cores")}
    return {**rest, "machine_flavor": None}, "/instance_type"


def _no_work(payload: Fields) -> tuple[Fields, str]:
    return {**payload, "tasks_data": [], "command": " ", "frame_range": ""}, "/tasks_data"


def _no_frames(payload: Fields) -> tuple[Fields, str]:
    return {**payload, "tasks_data": None, "command": "render", "frame_range": "the first"}, "/frame_range"


def _too_few_cores(payload: Fields) -> tuple[Fields, str]:
    machine = {"instance_type": None, "machine_flavor": "highmem", "cores": 1}
    return {**payload, **machine}, "/cores"


def _not_hashed(payload: Fields) -> tuple[Fields, str]:
    file = {"destination": "/proj/scene.ma", "md5": None}
    return {**payload, "local_upload": True, "upload_files": [file], "upload_size": 0}, "/upload_files/0/md5"


_BREAKERS: Sequence[Callable[[Fields], tuple[Fields, str]]] = (
    _no_machine,
    _no_work,
    _no_frames,
    _too_few_cores,
    _not_hashed,
)


def _with_wrong_argument(arguments: Arguments, fault: tuple[str, Any]) -> tuple[Arguments, str]:
    name, value = fault
    machine = ("instance_type", "cores", *SPELLINGS["machine_flavor"])
    gone = machine if name in machine else SPELLINGS.get(name, ())
    rest = {key: kept for key, kept in arguments.items() if key not in gone}
    if name == "machine_flavor":
        rest["cores"] = 2
    if name == "enforced_md5s":
        rest["local_upload"] = False
    return {**rest, name: value}, name


def _without(arguments: Arguments, names: Sequence[str]) -> tuple[Arguments, str]:
    gone = (*names, *SPELLINGS["machine_flavor"]) if "cores" in names else tuple(names)
    return {key: value for key, value in arguments.items() if key not in gone}, names[0]


def _said_twice(arguments: Arguments, name: str) -> tuple[Arguments, str]:
    """Both spellings of one argument, with values that differ and would each be valid."""
    return {**arguments, **dict(zip(SPELLINGS[name], ("1", "2"), strict=True))}, name
