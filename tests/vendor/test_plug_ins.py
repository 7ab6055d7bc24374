"""The vendor's plug-ins, unmodified, in stand-ins of their hosts (`hosts/`): from the first menu to downloaded frames.

Each test is a check of every plug-in, and a column of the matrix in `docs/fidelity.md`; the matrix is made of
`info.x-witnesses` of the contract, which the last tests hold against what is checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import conductor
from conductor_contracts.contract import load
from vendor import test_catalog, test_downloads, test_older_clients, test_packages, test_submissions
from vendor.environments import CINEMA4D, CURRENT, NUKE, OLDER, PLUG_IN_NAMES, UNREAL
from vendor.scenarios import after, scenario
from vendor.seen import seen
from vendor.workstation import Workstation

Json = dict[str, Any]
Checks = Mapping[str, Callable[..., None]]

SEEDS = ("0", "1", "2", "3", "4")
"""Of the hashes of texts: some plug-ins go through sets."""

SENT_OTHERWISE = {"upload_paths", "notify"}
"""What the client that a plug-in brings makes something else of."""


def evening(desk: Workstation, driver: str, wanted: Json) -> Json:
    """Submit a job, and build it again under the other seeds; then let it be rendered, and download it."""
    first = desk.drive(driver, {**wanted, "submit": True}, PYTHONHASHSEED=SEEDS[0])
    again = [desk.drive(driver, {**wanted, "submit": False}, PYTHONHASHSEED=seed) for seed in SEEDS]
    payload = desk.account.job()["payload"]
    held = {entry["path"]: entry["md5"] for entry in desk.account.files()}
    desk.account.finish_tasks()
    fetched = desk.conductor("download", "00001")
    return {
        **first,
        "again": [one["built"] for one in again],
        "catalogue": desk.account.control("GET", "catalog"),
        "payload": payload,
        "seen": seen(desk.account.asked()),
        "warnings": desk.account.job()["warnings"],
        "held": held,
        "download": {"code": fetched.code, "here": test_downloads.contents(desk.project / "renders")},
        "rendered": {
            output["path"]: output["md5"]
            for task in desk.account.job()["tasks"]
            for output in task["outputs"]
        },
        "agents": sorted(
            {entry["headers"]["User-Agent"].partition(" (")[0] for entry in desk.account.asked()}
        ),
    }


@scenario(client=NUKE)
def compositing(desk: Workstation) -> Json:
    script = desk.write("comp.nk", b"a script")
    for number in (1, 2):
        desk.write(f"plates/p.{number:04d}.png", b"plate %d" % number)
    knobs = {
        "cio_title": "comp of [value root.name]",
        "cio_chunk_size": 2,
        "cio_scout_tasks": "1",
        "cio_metadata": '[["shot", "sq010"]]',
        "cio_environment": '[["SHOW", "dune", true]]',
        "cio_use_custom_task": 1,
        "cio_task": "nuke -F [value cio_range_args] -x [value root.name]",
        "cio_autosave_template": str(desk.project / "cio_comp.nk"),
    }
    wanted = {
        "script": script,
        "plate": str(desk.project / "plates" / "p.####.png"),
        "output": str(desk.project / "renders" / "comp.####.exr"),
        "last_frame": 4,
        "knobs": knobs,
    }
    return {**evening(desk, "nuke_submission", wanted), "extra": {"SHOW": "dune"}, "product": "nuke"}


@scenario(client=CINEMA4D)
def designing(desk: Workstation) -> Json:
    desk.write("spot/tex/wood.png", b"wood")
    wanted = {
        "document": desk.write("spot/spot.c4d", b"a document"),
        "frames": [1, 4],
        "output": str(desk.project / "renders" / "spot"),
        "textures": ["tex/wood.png"],
    }
    extra = {"CONDUCTOR_PATHHELPER": "0"}
    return {**evening(desk, "cinema4d_submission", wanted), "extra": extra, "product": "cinema4d"}


@scenario(client=UNREAL)
def lighting(desk: Workstation) -> Json:
    for name in ("Content/Seq/Night.uasset", "Content/Maps/Town.umap", "Config/DefaultEngine.ini"):
        desk.write(f"Film/{name}", name.encode())
    wanted = {
        "project": desk.write("Film/Film.uproject", b"{}"),
        "output": str(desk.project / "renders"),
        "sequence": "/Game/Seq/Night.Night",
        "level": "/Game/Maps/Town.Town",
    }
    return {
        **evening(desk, "unreal_submission", wanted),
        "extra": {"SHOW": "dune"},
        "product": "unrealengine",
    }


everyone = after(compositing, designing, lighting)


@everyone
def test_every_menu_is_filled_from_the_catalogue(result: Json) -> None:
    catalogue = result["catalogue"]
    active = [one["name"] for one in catalogue["projects"] if one["status"] == "active"]
    assert sorted(result["projects"]) == sorted(active)
    shown = conductor.PackageTree(catalogue["packages"], products=[result["product"]])
    assert {host.label for host in shown.hosts()} >= set(result["hosts"]) != set()
    assert result["machines"], "no machine to choose"


@everyone
def test_what_was_chosen_is_in_the_catalogue_and_is_what_the_job_names(result: Json) -> None:
    ids = [package["package_id"] for package in result["chosen"]]
    known = {one["package_id"]: one for one in result["catalogue"]["packages"]}
    assert ids == result["built"]["software_package_ids"]
    assert all(package["product"] == known[package["package_id"]]["product"] for package in result["chosen"])


@everyone
def test_variables_of_packages_and_of_the_user_are_merged_as_by_our_client(result: Json) -> None:
    known = {one["package_id"]: one for one in result["catalogue"]["packages"]}
    merged = conductor.PackageEnvironment()
    for package in result["chosen"]:
        merged.extend(known[package["package_id"]])
    assert result["built"]["environment"] == {**merged, **result["extra"]}
    assert result["built"]["tasks_data"]
    assert result["complaints"] == []


@everyone
def test_the_job_is_accepted_strictly_and_the_plug_in_says_so(result: Json) -> None:
    assert result["answer"]["status"] == "success"
    assert result["answer"]["uri"].endswith("/00001")
    assert result["warnings"] == []
    assert [agent for agent in result["agents"] if "ciocore" in agent]


@everyone
def test_what_arrived_is_what_was_built_field_by_field_and_the_files_are_held(result: Json) -> None:
    built, payload = result["built"], result["payload"]
    fields = built.keys() - SENT_OTHERWISE
    assert {name: payload[name] for name in fields} == {name: built[name] for name in fields}
    sent = {entry["destination"]: entry["md5"] for entry in payload["upload_files"]}
    assert sent == result["held"] != {}
    if built.get("notify"):
        assert payload["notify"] == {"emails": built["notify"]}


@everyone
def test_the_frames_of_finished_tasks_arrive_by_the_plug_ins_own_client(result: Json) -> None:
    assert result["download"] == {"code": 0, "here": result["rendered"]}
    assert len(result["rendered"]) >= len(result["built"]["tasks_data"])


@everyone
def test_what_is_built_does_not_hang_on_the_order_of_sets_but_for_the_order_of_paths(result: Json) -> None:
    again = [{**one, "upload_paths": sorted(one["upload_paths"])} for one in result["again"]]
    assert again == [again[0]] * len(SEEDS)


OF_PLUG_INS: Checks = {
    "connect": test_every_menu_is_filled_from_the_catalogue,
    "packages": test_what_was_chosen_is_in_the_catalogue_and_is_what_the_job_names,
    "payload": test_variables_of_packages_and_of_the_user_are_merged_as_by_our_client,
    "submit": test_the_job_is_accepted_strictly_and_the_plug_in_says_so,
    "read_back": test_what_arrived_is_what_was_built_field_by_field_and_the_files_are_held,
    "download": test_the_frames_of_finished_tasks_arrive_by_the_plug_ins_own_client,
    "hash_seeds": test_what_is_built_does_not_hang_on_the_order_of_sets_but_for_the_order_of_paths,
}
"""The checks of every plug-in."""

OF_OLDER: Checks = {
    "connect": test_older_clients.test_the_catalog_is_read,
    "submit": test_older_clients.test_files_are_uploaded_once_for_two_submissions,
    "download": test_older_clients.test_outputs_are_downloaded_and_reported,
}
OF_CIOCORE: Mapping[str, Checks] = {
    CURRENT: {
        "connect": test_catalog.test_data_is_valid_once_it_was_fetched,
        "packages": test_catalog.test_packages_are_found_by_name_and_by_path,
        "payload": test_packages.test_both_clients_merge_alike_and_refuse_alike,
        "submit": test_submissions.test_a_submission_is_answered_with_a_job,
        "read_back": test_submissions.test_every_argument_arrives_as_it_was_given,
        "download": test_downloads.test_a_second_download_fetches_nothing_and_reports_the_same,
    },
    **dict.fromkeys(OLDER, OF_OLDER),
}
"""Where the checks of the client itself are made: it has no window to choose in."""


@everyone
def test_what_they_send_and_are_answered_is_graded_as_having_run(result: Json) -> None:
    """But for signed URLs, which are ours and which they do not read."""
    grades = list(load().grades)
    grade = {(row.operation, row.part, row.name): grades.index(row.grade) for row in load().fidelity()}
    low = [
        row
        for row in map(tuple, result["seen"])
        if not (row[0].startswith("objects.") and row[1] == "query")
        if grade.get(row, 0) > grades.index("ran")
    ]
    assert low == []
    assert ["jobs.create", "request", "tasks_data[].command"] in result["seen"]


def test_the_matrix_names_the_programs_that_are_run() -> None:
    witnesses = load().document["info"]["x-witnesses"]
    plug_ins = [f"{one['program']}-{one['version']}" for one in witnesses if one["program"] != "ciocore"]
    assert plug_ins == list(PLUG_IN_NAMES)
    clients = {one["version"]: one["checks"] for one in witnesses if one["program"] == "ciocore"}
    assert clients == {version: list(checks) for version, checks in OF_CIOCORE.items()}


def test_the_matrix_names_what_is_checked_of_every_plug_in() -> None:
    for one in load().document["info"]["x-witnesses"]:
        if one["program"] != "ciocore":
            assert one["checks"] == list(OF_PLUG_INS), one["program"]
    assert list(load().document["info"]["x-checks"]) == list(OF_PLUG_INS)
