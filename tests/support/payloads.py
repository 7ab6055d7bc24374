"""Job payloads for property tests of the server: every dialect of the wire, with its nulls and numbers as text."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import strategies as st

Payloads = st.SearchStrategy[dict[str, Any]]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
paths = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
).map(lambda tail: "/" + tail)
md5s = st.binary(min_size=16, max_size=16)


def numbers(low: int, high: int) -> st.SearchStrategy[int | str | None]:
    """A whole number, its text with white space around it, or null."""
    whole = st.integers(low, high)
    as_text = whole.filter(lambda number: abs(number) < 10**18).map(str)
    return st.none() | whole | as_text | as_text.map(lambda text: f" {text}\n")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)

tasks = st.fixed_dictionaries(
    {"command": texts.map(lambda text: f"render {text}")}, optional={"frames": st.none() | texts}
)

files = st.fixed_dictionaries(
    {"destination": paths},
    optional={
        "md5": st.none() | md5s.map(lambda raw: base64.b64encode(raw).decode()),
        "st_size": st.none() | st.integers(0, 2**40),
        "st_mode": st.none() | st.integers(0, 2**16),
        "st_mtime": st.none() | st.floats(0, 2e9),
    },
)

_optional: dict[str, Any] = {
    "job_title": st.none() | texts,
    "project": st.none() | texts,
    "owner": st.none() | texts,
    "location": st.none() | texts,
    "output_path": st.none() | texts,
    "priority": numbers(-(2**62), 2**62),
    "chunk_size": numbers(1, 2**62),
    "max_instances": numbers(0, 2**62),
    "metadata": st.none() | st.dictionaries(texts, json_values, max_size=3),
    "environment": st.none() | st.dictionaries(texts, texts, max_size=3),
    "software_package_ids": st.none() | st.lists(texts, max_size=3),
    "notify": st.none()
    | st.fixed_dictionaries({}, optional={"emails": st.none() | st.lists(texts, max_size=2)}),
    "autoretry_policy": st.none()
    | st.dictionaries(
        st.sampled_from(["preempted", "failed"]), st.fixed_dictionaries({"max_retries": st.integers(0, 5)})
    ),
    "preemptible": st.none() | st.booleans(),
    "scout_frames": st.none() | texts,
    "docker_image": st.none() | texts,
}

_machines = st.one_of(
    texts.filter(bool).map(lambda name: {"instance_type": name}),
    st.integers(40, 96).map(lambda cores: {"cores": cores}),
    st.builds(
        lambda flavor, cores: {"machine_flavor": flavor, "cores": cores},
        st.sampled_from(["standard", "highmem", "highcpu", "ultramem", None]),
        st.integers(40, 2**40),
    ),
)

_work = st.one_of(
    st.lists(tasks, min_size=1, max_size=4).map(lambda entries: {"tasks_data": entries}),
    st.sampled_from(["1", "1-10", "1-100x5", "1, 10-20"]).map(
        lambda frames: {"command": "render <frame args>", "frame_range": frames}
    ),
    st.just({"command": "upload only", "frame_range": "x"}),
)

_inputs: Payloads = st.one_of(
    st.just({}),
    st.lists(files, max_size=3).map(lambda entries: {"upload_files": entries, "local_upload": False}),
    st.lists(files, max_size=3).map(
        lambda entries: {
            "upload_files": [
                {**entry, "md5": entry.get("md5") or "1B2M2Y8AsgTpgAmY7PhCfg=="} for entry in entries
            ],
            "local_upload": True,
        }
    ),
)


def job_payloads() -> Payloads:
    """Valid payloads of `POST /jobs/`."""
    return st.builds(
        lambda *parts: {name: value for part in parts for name, value in part.items()},
        st.fixed_dictionaries({}, optional=_optional),
        _machines,
        _work,
        _inputs,
    )
