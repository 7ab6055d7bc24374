"""Arguments as people hand them to a client's Submit class (python-api document, wire reference 3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from conductor_contracts.strategies.software import environments
from conductor_contracts.strategies.values import MACHINES, WORDS, absolute_paths, frame_specs, texts

Arguments = dict[str, Any]

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "job_title": ("job_title", "title"),
    "machine_flavor": ("machine_flavor", "machine_type"),
    "scout_frame": ("scout_frame", "scout_frames"),
    "owner": ("owner", "user"),
    "cmd": ("cmd", "command"),
    "frames": ("frames", "frame_range"),
}
"""Arguments that documents and clients call by different names; the first is the documented one."""


def submit_arguments(
    *,
    upload_paths: Sequence[str] = (),
    enforced_md5s: Mapping[str, str] | None = None,
    local_upload: bool | None = None,
    legacy: bool = True,
) -> st.SearchStrategy[Arguments]:
    """Valid arguments for Submit, such as ``{"title": "a", "instance_type": "n1-standard-2", "tasks_data": [...]}``.

    ``upload_paths`` are paths that exist; some of them are asked for. ``enforced_md5s`` maps files among them to
    their md5s, for submissions that a daemon uploads. ``local_upload`` fixes that argument; by default it
    is drawn. ``legacy`` adds the older dialects: a command with frames, and upload-only submissions. Each
    argument comes under one of its spellings.
    """
    if isinstance(upload_paths, str):
        raise InvalidArgument(f"upload_paths must be a list of paths, got the text {upload_paths!r}")
    if local_upload is not None and not isinstance(local_upload, bool):
        raise InvalidArgument(f"local_upload must be true, false or None, got {local_upload!r}")
    strays = sorted(set(enforced_md5s or ()) - set(upload_paths))
    if strays:
        raise InvalidArgument(f"enforced_md5s must name files of upload_paths, got {strays}")
    work = [_tasks()]
    if legacy:
        work.append(_command())
        if upload_paths:
            work.append(st.just({"upload_only": True}))
    drawn = st.tuples(_machines(), st.one_of(work), _options())
    return drawn.flatmap(
        lambda found: (
            _files(list(upload_paths), enforced_md5s or {}, local_upload, "upload_only" in found[1])
            .map(lambda files: {**found[2], **found[0], **found[1], **files})
            .flatmap(_with_scouts)
            .flatmap(_respelt)
        )
    )


def _machines() -> st.SearchStrategy[Arguments]:
    return st.one_of(
        st.fixed_dictionaries({"instance_type": st.sampled_from(MACHINES)}),
        st.fixed_dictionaries(
            {"cores": st.integers(1, 96)}, optional={"machine_flavor": st.just("standard")}
        ),
        st.fixed_dictionaries(
            {"cores": st.integers(2, 96), "machine_flavor": st.sampled_from(["highmem", "highcpu"])}
        ),
    )


def _tasks() -> st.SearchStrategy[Arguments]:
    task = st.fixed_dictionaries(
        {"command": texts(min_size=1, max_size=30)},
        optional={"frames": st.one_of(frame_specs(), st.just(""))},
    )
    return st.fixed_dictionaries(
        {"tasks_data": st.lists(task, min_size=1, max_size=4), "output_path": _output_paths()}
    )


def _command() -> st.SearchStrategy[Arguments]:
    return st.fixed_dictionaries(
        {
            "cmd": WORDS.map("render <frame args> /proj/{}.ma".format),
            "frames": frame_specs(),
            "output_path": _output_paths(),
        },
        optional={"chunk_size": st.integers(1, 20)},
    )


def _output_paths() -> st.SearchStrategy[str]:
    return absolute_paths().filter(lambda path: path.startswith("/"))


def _options() -> st.SearchStrategy[Arguments]:
    limit = st.fixed_dictionaries({"max_retries": st.integers(0, 5)})
    return st.fixed_dictionaries(
        {},
        optional={
            "autoretry_policy": st.fixed_dictionaries({}, optional={"preempted": limit, "failed": limit}),
            "environment": environments(),
            "job_title": texts(),
            "location": WORDS,
            "metadata": st.dictionaries(WORDS, texts(), max_size=3),
            "notify": st.lists(WORDS.map("{}@example.com".format), max_size=2),
            "preemptible": st.booleans(),
            "priority": st.integers(0, 1000),
            "project": st.one_of(st.just("default"), texts(min_size=1)),
            "scout_frame": st.just(""),
            "software_package_ids": st.lists(st.binary(min_size=16, max_size=16).map(bytes.hex), max_size=3),
            "docker_image": st.sampled_from(["", "acme/render:1"]),
            "max_instances": st.integers(0, 50),
            "owner": texts(min_size=1),
        },
    )


def _with_scouts(arguments: Arguments) -> st.SearchStrategy[Arguments]:
    """Scout frames that are those of a task: others hold nothing, which a strict service refuses."""
    if "scout_frame" not in arguments:
        return st.just(arguments)
    frames = [task["frames"] for task in arguments.get("tasks_data", ()) if task.get("frames")]
    return st.sampled_from(["", *frames, *filter(None, [arguments.get("frames")])]).map(
        lambda scouts: {**arguments, "scout_frame": scouts}
    )


def _files(
    paths: list[str], md5s: Mapping[str, str], local_upload: bool | None, needed: bool
) -> st.SearchStrategy[Arguments]:
    """Which of the paths are uploaded, and by whom. Without paths a daemon would have nothing to wait for."""
    if not paths:
        return st.sampled_from([{}, {"upload_paths": []}, {"local_upload": True}])
    chosen = st.lists(st.sampled_from(paths), min_size=int(needed), max_size=len(paths), unique=True)
    local = st.booleans() if local_upload is None else st.just(local_upload)

    def together(found: list[str], here: bool) -> Arguments:
        if not found:
            return {"upload_paths": [], "local_upload": True}
        enforced = {} if here else {path: md5s[path] for path in found if path in md5s}
        arguments = {"upload_paths": found, "local_upload": here}
        return {**arguments, "enforced_md5s": enforced} if enforced else arguments

    return st.builds(together, chosen, local)


def _respelt(arguments: Arguments) -> st.SearchStrategy[Arguments]:
    """The same arguments, each under one of its names."""
    choices = {name: st.sampled_from(SPELLINGS.get(name, (name,))) for name in arguments}
    return st.fixed_dictionaries(choices).map(
        lambda chosen: {chosen[name]: value for name, value in arguments.items()}
    )
