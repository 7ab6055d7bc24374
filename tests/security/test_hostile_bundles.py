"""Bundles that mean harm: what they unpack to, and what their commands say that no request can."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.json_text import MAX_DEPTH
from conductor_mock.bundles import limits
from conductor_mock.bundles.archive import opened
from conductor_mock.bundles.errors import BundleError
from conductor_mock.catalog import CatalogError, from_document
from conductor_mock.catalog import default as default_catalog
from conductor_mock.catalog.hardware_rules import LARGEST, MOST_CORES, MOST_GPUS
from support import security_page
from support.bundles import join, parts_of, replay, save, with_commands, with_manifest
from support.server import Fake, running

HUGE = 10**400
MEBIBYTE = 1 << 20


@pytest.fixture(scope="module")
def bundle() -> bytes:
    """An account with a job, its outputs and a catalogue of its own."""
    with running() as fake:
        caller = fake.caller()
        ask = {"account": caller.client_id}
        caller.submit()
        caller.post("/_mock/clock", {"until": "idle"}, query=ask)
        assert caller.get("/downloads/00001").status == 201
        document = default_catalog().to_document()
        small = {
            **document,
            "packages": document["packages"][:2],
            "instance_types": document["instance_types"][:2],
        }
        names = {record["name"] for record in small["instance_types"]}
        small["machines"] = {name: figures for name, figures in document["machines"].items() if name in names}
        caller.request("PUT", "/_mock/catalog", body=small, query=ask)
        return save(caller)


@pytest.fixture(scope="module")
def target() -> Iterator[Fake]:
    with running() as fake:
        yield fake


def refused(target: Fake, data: bytes, because: str) -> None:
    answer = replay(target.anonymous(), data)
    assert answer.status == 400, answer
    assert because in answer.message
    assert all(target.service.contents.inventory(one).outputs == () for one in target.service.accounts.ids())


def test_the_table_of_limits_says_what_bundles_are_held_to() -> None:
    said = security_page.limits("server")
    unpacked = f"{limits.MAX_MANIFEST_BYTES >> 20} MiB, and {limits.MAX_COMMANDS_BYTES >> 30} GiB"
    assert said["bytes of a bundle's manifest, and of its commands"] == unpacked
    ratio = f"{limits.FREE_BYTES >> 20} MiB, or {limits.MAX_RATIO} times what it takes in the file"
    assert said["what an entry of a bundle unpacks to"] == ratio
    values = said["commas and opening brackets in a bundle's manifest, and in its commands"]
    assert values == f"{limits.MAX_VALUES:,}"
    assert said["nesting of a bundle's JSON"] == f"{MAX_DEPTH} levels"
    assert said["a whole number in a bundle"] == f"{limits.LARGEST:,}"
    paths = f"below the output folder; {limits.MAX_PATH_BYTES:,} bytes, each part {limits.MAX_NAME_BYTES}"
    assert said["an output's path in a bundle"] == paths
    numbers = f"{LARGEST:,}; cores {MOST_CORES:,}, GPUs {MOST_GPUS:,}"
    assert said["a number in a catalogue that is counted with"] == numbers


# What they unpack to

FILLINGS = {
    "blanks": b" ",
    "lists": b"[],",
    "objects": b"{},",
    "numbers": b"1,",
    "texts": b'"",',
    "deep": b"[",
    "lines": b"\n",
}


@pytest.mark.parametrize("entry", ["manifest.json", "commands.jsonl"])
@pytest.mark.parametrize("filling", FILLINGS)
def test_a_little_that_unpacks_to_very_much_is_not_unpacked(bundle: bytes, entry: str, filling: str) -> None:
    piece = FILLINGS[filling]
    parts = {**parts_of(bundle), entry: piece * (40 * MEBIBYTE // len(piece))}
    data = join(parts)
    del parts
    assert len(data) < MEBIBYTE
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="the limit is 200 times as much"), opened(io.BytesIO(data)):
            pass
        assert tracemalloc.get_traced_memory()[1] < 16 * MEBIBYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("filling", ["lists", "objects", "numbers"])
def test_more_values_than_an_account_has_are_not_read(
    bundle: bytes, filling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conductor_mock.bundles.archive.MAX_VALUES", 1000)
    text = b"[" + FILLINGS[filling] * 1100 + b"1]"
    data = join({**parts_of(bundle), "manifest.json": text})
    with (
        pytest.raises(BundleError, match=r"manifest\.json has more than 1000 values"),
        opened(io.BytesIO(data)),
    ):
        pass
    lines = b'{"seq": 1, "json": [1, 2, 3, 4, 5, 6, 7, 8]}\n' * 200
    changed = with_manifest(
        join({**parts_of(bundle), "commands.jsonl": lines}), commands_sha256=hashlib.sha256(lines).hexdigest()
    )
    with (
        opened(io.BytesIO(changed)) as archive,
        pytest.raises(BundleError, match=r"commands\.jsonl has more than 1000 values"),
    ):
        list(archive.lines())


def test_an_entry_that_says_less_than_it_holds_is_cut_off_where_it_said(bundle: bytes) -> None:
    """What zip files say of their sizes is what is unpacked, and no more."""
    parts = {**parts_of(bundle), "manifest.json": b" " * (64 * MEBIBYTE)}
    data = join(parts).replace((64 * MEBIBYTE).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    tracemalloc.start()
    try:
        with pytest.raises(BundleError), opened(io.BytesIO(data)):
            pass
        assert tracemalloc.get_traced_memory()[1] < 16 * MEBIBYTE
    finally:
        tracemalloc.stop()


def test_the_largest_job_that_is_taken_is_within_the_limits() -> None:
    tasks = [{"command": f"render -f {frame} /proj/a.ma", "frames": str(frame)} for frame in range(20_000)]
    line = json.dumps({"json": {"payload": {"tasks_data": tasks}}}, separators=(",", ":")).encode()
    assert limits.values_in(line) * (1_000_000 / len(tasks)) < limits.MAX_VALUES
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", line)
        assert len(line) < limits.MAX_RATIO / 4 * archive.getinfo("a").compress_size


@given(
    value=st.recursive(
        st.none() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    )
)
def test_values_are_counted_without_reading_them(value: Any) -> None:
    def count(part: Any) -> int:
        if isinstance(part, dict):
            return 1 + sum(map(count, part.values()))
        return 1 + sum(map(count, part)) if isinstance(part, list) else 1

    assert 2 * limits.values_in(json.dumps(value).encode()) + 1 >= count(value)


# What their commands say

PATHS = [
    "../../etc/cron.d/x",
    "..",
    "/etc/cron.d/x",
    "a/../../x",
    "./x",
    "a//x",
    "",
    "a\0b",
    "a/",
    "a" * 256,
    "/".join(["a" * 200] * 21),
    "../" * 1000 + "x",
]


def outputs_at(path: Any, **more: Any) -> Any:
    def change(records: list[dict[str, Any]]) -> None:
        (listed,) = [record for record in records if record["kind"] == "outputs.listed"]
        listed["json"]["files"][0].update({"relative_path": path, **more})

    return change


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_an_output_that_would_lie_elsewhere_is_refused(target: Fake, bundle: bytes, path: str) -> None:
    refused(target, with_commands(bundle, outputs_at(path)), "(outputs.listed): the output ")


@given(
    parts=st.lists(st.sampled_from(["a", "b.png", "..", ".", "", "c d", "...", "é"]), min_size=1, max_size=6)
)
def test_a_path_is_one_below_the_folder_or_refused(parts: list[str]) -> None:
    import posixpath

    path = "/".join(parts)
    kept = limits.path_problem(path) is None
    inside = posixpath.normpath("/out/" + path) == "/out/" + path
    assert kept == (inside and path != "")


def test_the_outputs_of_a_farm_are_taken(target: Fake, bundle: bytes) -> None:
    assert replay(target.anonymous(), bundle).status == 201
    target.anonymous().post("/_mock/reset", query={"account": "*"})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where whole numbers stand."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from places(part, (*path, name))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from places(part, (*path, index))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path


def test_no_number_of_a_command_may_be_without_end(target: Fake, bundle: bytes) -> None:
    """Each of them in turn, but those of a catalogue, which has rules of its own."""
    records = [json.loads(line) for line in parts_of(bundle)["commands.jsonl"].splitlines()]
    everywhere = [
        (index, path)
        for index, record in enumerate(records)
        for path in places(record)
        if "document" not in path
    ]
    assert len(everywhere) > 20
    for index, path in everywhere:

        def change(changed: list[dict[str, Any]], index: int = index, path: tuple[Any, ...] = path) -> None:
            holder: Any = changed[index]
            for step in path[:-1]:
                holder = holder[step]
            holder[path[-1]] = HUGE

        answer = replay(target.anonymous(), with_commands(bundle, change))
        assert answer.status == 400, (index, path, answer)


@pytest.mark.parametrize("name", ["price", "preemptible_price", "licence_price", "cores", "speed"])
@pytest.mark.parametrize("value", [HUGE, -1, limits.LARGEST + 1], ids=["huge", "negative", "large"])
def test_a_machine_of_a_bundle_has_figures_in_their_range(
    target: Fake, bundle: bytes, name: str, value: int
) -> None:
    def change(records: list[dict[str, Any]]) -> None:
        (created,) = [record for record in records if record["kind"] == "job.created"]
        assert name in created["json"]["machine"]
        created["json"]["machine"][name] = value

    refused(target, with_commands(bundle, change), "out of ")


def a_gpu(**fields: Any) -> dict[str, Any]:
    return {"gpu_count": 1, "gpu_model": "x", "gpu_memory": 1, **fields}


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("cores", HUGE), ("cores", 1e308), ("cores", MOST_CORES + 1), ("memory", HUGE), ("memory", "9" * 400),
        ("memory", 1e300), ("gpu", a_gpu(gpu_count=HUGE)), ("gpu", a_gpu(gpu_count=MOST_GPUS + 1)),
        ("gpu", a_gpu(gpu_memory=HUGE)), ("gpu", a_gpu(gpu_memory="9" * 400)), ("gpu", a_gpu(gpu_cuda_cores=HUGE)),
    ],
)  # fmt: skip
def test_a_number_of_a_catalogue_has_an_end(where: str, value: Any) -> None:
    document = json.loads(json.dumps(default_catalog().to_document()))
    document["instance_types"][0][where] = value
    with pytest.raises(CatalogError, match=f"/instance_types/0/{where}"):
        from_document(document, "the test")


@pytest.mark.parametrize("figure", ["price_usd_per_hour", "preemptible_usd_per_hour", "speed"])
def test_a_price_of_a_catalogue_has_an_end(figure: str) -> None:
    document = json.loads(json.dumps(default_catalog().to_document()))
    name = document["instance_types"][0]["name"]
    for value in (HUGE, LARGEST + 1):
        document["machines"][name] = {figure: value}
        with pytest.raises(CatalogError, match=figure):
            from_document(document, "the test")
