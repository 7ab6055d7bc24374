"""Job payloads as clients send them (wire reference 3)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from conductor_contracts.strategies.files import upload_files
from conductor_contracts.strategies.software import environments
from conductor_contracts.strategies.values import MACHINES, WORDS, absolute_paths, frame_specs, texts

Fields = dict[str, Any]


def payloads(*, unknown_fields: bool = True) -> st.SearchStrategy[Fields]:
    """Bodies of ``jobs.create`` that the service must accept.

    They come in all dialects: a list of tasks (with and without the empty ``command`` of 2019), a command with
    frames, and upload-only jobs; with a machine by name or by cores; with files that were uploaded and files
    that a daemon will upload; with nulls for what was not given and numbers as texts. Fields that the contract
    does not name are among them unless ``unknown_fields`` is false.
    """
    extras = _unknown() if unknown_fields else st.just({})
    parts = st.tuples(_machines(), _work(), _options(), extras)
    return parts.map(lambda found: {name: value for part in reversed(found) for name, value in part.items()})


def tasks() -> st.SearchStrategy[list[Fields]]:
    """One to five tasks; ``frames`` may be missing, empty or null."""
    commands = st.one_of(
        st.builds("vray -sceneFile={} -display=0".format, absolute_paths()), texts(min_size=1, max_size=30)
    )
    frames = st.one_of(frame_specs(), st.sampled_from(["", None]))
    return st.lists(
        st.fixed_dictionaries({"command": commands}, optional={"frames": frames}), min_size=1, max_size=5
    )


def _machines() -> st.SearchStrategy[Fields]:
    named = st.fixed_dictionaries(
        {"instance_type": st.sampled_from(MACHINES)},
        optional={
            "cores": st.none(),
            "machine_flavor": st.none(),
            # conductor.core sends both (wire reference 12.10)
            "gpu_config": st.sampled_from([{"type": "nvidia-tesla-t4", "count": 1}, {}]),
        },
    )
    return st.one_of(
        named,
        st.fixed_dictionaries(
            {"cores": st.integers(1, 96)}, optional={"machine_flavor": st.sampled_from(["standard", None])}
        ),
        st.fixed_dictionaries(
            {"cores": st.integers(2, 96), "machine_flavor": st.sampled_from(["highmem", "highcpu"])}
        ),
        st.fixed_dictionaries(
            {"cores": st.integers(40, 160), "machine_flavor": st.just("ultramem")},
            optional={"instance_type": st.none()},
        ),
    )


def _work() -> st.SearchStrategy[Fields]:
    """What is to be done, with the files for it: which files may come without md5 depends on who sends them."""
    return st.one_of(_with_files(_task_list()), _with_files(_command()), _upload_only())


def _task_list() -> st.SearchStrategy[Fields]:
    return st.fixed_dictionaries(
        {"tasks_data": tasks(), "output_path": absolute_paths()},
        optional={"command": st.sampled_from(["", None]), "frame_range": st.sampled_from(["", None])},
    )


def _command() -> st.SearchStrategy[Fields]:
    return st.fixed_dictionaries(
        {
            "command": st.builds("render <frame args> {}".format, absolute_paths()),
            "frame_range": frame_specs(),
            "output_path": absolute_paths(),
        },
        optional={"tasks_data": st.sampled_from([[], None])},
    )


def _upload_only() -> st.SearchStrategy[Fields]:
    def by(local: bool) -> st.SearchStrategy[Fields]:
        fields: dict[str, st.SearchStrategy[Any]] = {
            "command": st.just("upload only"),
            "frame_range": st.just("x"),
            "local_upload": st.just(local),
            "upload_files": upload_files(min_size=1, daemon=not local),
        }
        return st.fixed_dictionaries(fields).map(_with_size)

    return st.booleans().flatmap(by)


def _with_files(work: st.SearchStrategy[Fields]) -> st.SearchStrategy[Fields]:
    without: st.SearchStrategy[Fields] = st.sampled_from(
        [{}, {"upload_files": []}, {"upload_files": None, "upload_size": None}]
    )
    local = st.fixed_dictionaries(
        {"upload_files": upload_files(min_size=1)}, optional={"local_upload": st.just(True)}
    ).map(_with_size)
    daemon = st.fixed_dictionaries(
        {
            "upload_files": upload_files(min_size=1, daemon=True),
            "local_upload": st.sampled_from([False, None]),
        }
    ).map(_with_size)
    files = st.one_of(without, local, daemon)
    return st.tuples(work, files).map(lambda found: {**found[0], **found[1]})


def _with_size(fields: Fields) -> Fields:
    return {**fields, "upload_size": sum(entry["st_size"] for entry in fields["upload_files"])}


def _options() -> st.SearchStrategy[Fields]:
    def maybe(found: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(found, st.none())

    def number(low: int, high: int) -> st.SearchStrategy[Any]:
        numbers = st.integers(low, high)
        return st.one_of(numbers, numbers.map(str), st.none())

    limit = st.fixed_dictionaries({"max_retries": st.integers(0, 5)})
    return st.fixed_dictionaries(
        {},
        optional={
            "project": maybe(st.one_of(st.just("default"), texts())),
            "autoretry_policy": maybe(
                st.fixed_dictionaries({}, optional={"preempted": limit, "failed": limit})
            ),
            "docker_image": maybe(st.sampled_from(["", "acme/render:1"])),
            "environment": maybe(environments()),
            "job_title": maybe(texts()),
            "location": maybe(st.one_of(st.just(""), WORDS)),
            "preemptible": maybe(st.booleans()),
            "metadata": maybe(
                st.dictionaries(WORDS, st.one_of(texts(), st.integers(), st.none()), max_size=3)
            ),
            "priority": number(0, 1000),
            "chunk_size": number(1, 50),
            "max_instances": number(0, 50),
            "scout_frames": maybe(st.one_of(st.just(""), frame_specs())),
            "software_package_ids": maybe(
                st.lists(st.binary(min_size=16, max_size=16).map(bytes.hex), max_size=3)
            ),
            "owner": maybe(texts()),
            "notify": maybe(
                st.fixed_dictionaries(
                    {"emails": maybe(st.lists(WORDS.map("{}@example.com".format), max_size=2))}
                )
            ),
        },
    )


def _unknown() -> st.SearchStrategy[Fields]:
    values = st.one_of(st.none(), st.booleans(), st.integers(), texts(), st.just({"deep": [1, {"er": []}]}))
    return st.dictionaries(WORDS.map("x_{}".format), values, max_size=2)
