"""The strategies: what they call valid is valid, what they call broken is broken where they say."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument, NoSuchExample

from conductor_contracts import strategies as contract
from conductor_contracts.contract import load
from conductor_contracts.job_states import KINDS, Transition, load_job_states
from conductor_contracts.strategies.arguments import SPELLINGS
from conductor_contracts.strategies.faults import ARGUMENT_FAULTS, PAYLOAD_FAULTS, put_at
from conductor_mock.catalog.validation import validate
from support.examples import examples
from support.wire_table import NAMES

# Large examples take their time on a busy machine, and no test here is about time.
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = examples(25, full=250, parent=calm)


@cache
def drawn(strategy: st.SearchStrategy[Any], number: int = 250) -> list[Any]:
    """The same examples of a strategy in every run, drawn once for all tests; not to be changed."""
    found: list[Any] = []

    @settings(calm, max_examples=number, derandomize=True, database=None, phases=(Phase.generate,))
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found


def found(strategy: st.SearchStrategy[Any], fits: Callable[[Any], bool]) -> Any:
    """The first example of a strategy that fits, the same in every run. Raises NoSuchExample for none of 250."""
    first = settings(calm, max_examples=250, derandomize=True, database=None, phases=(Phase.generate,))
    return find(strategy, fits, settings=first)


PAYLOADS = contract.payloads()
PATHS = ("/proj/a.ma", "/proj/textures", "/proj/b.ma")
MD5 = "kAFQmDzST7DWlj99KOF/cg=="


@calm
@given(contract.payloads())
def test_every_valid_payload_is_accepted(payload: dict[str, Any]) -> None:
    assert load().operations["jobs.create"].check_request(payload) == []


@calm
@given(contract.payloads(unknown_fields=False))
def test_payloads_without_unknown_fields_have_none(payload: dict[str, Any]) -> None:
    assert load().operations["jobs.create"].unknown_fields(payload) == []


@calm
@given(contract.broken_payloads())
def test_every_broken_payload_is_refused_at_its_fault(broken: tuple[dict[str, Any], str]) -> None:
    payload, place = broken
    assert place in [problem.path for problem in load().operations["jobs.create"].check_request(payload)]


@calm
@given(contract.broken_payloads())
def test_a_broken_payload_has_one_fault(broken: tuple[dict[str, Any], str]) -> None:
    payload, place = broken
    assert {problem.path for problem in load().operations["jobs.create"].check_request(payload)} == {place}


@pytest.mark.parametrize("place", sorted(PAYLOAD_FAULTS))
def test_every_wrong_value_of_the_table_is_refused(place: str) -> None:
    """The property above draws from the table; here each value of it is tried."""
    payload = {
        "instance_type": "a",
        "tasks_data": [{"command": "a"}],
        "upload_files": [{"destination": "/a", "md5": MD5, "st_size": 1}],
    }
    create = load().operations["jobs.create"]
    assert create.check_request(payload) == []
    for value in PAYLOAD_FAULTS[place]:
        assert place in [problem.path for problem in create.check_request(put_at(payload, place, value))], (
            value
        )


def test_the_dialects_of_real_clients_are_all_drawn() -> None:
    dialects: dict[str, Callable[[dict[str, Any]], object]] = {
        "cores of their own": lambda job: job.get("machine_flavor") == "ultramem",
        "upload only": lambda job: job.get("command") == "upload only",
        "a command": lambda job: job.get("frame_range") not in (None, "", "x") and not job.get("tasks_data"),
        "files of a daemon": lambda job: any(one["md5"] is None for one in job.get("upload_files") or ()),
        "files sent before": lambda job: job.get("local_upload") is True and job.get("upload_files"),
        "null for notify": lambda job: job.get("notify", 7) is None,
        "null for addresses": lambda job: (job.get("notify") or {}).get("emails", 7) is None,
        "numbers as texts": lambda job: isinstance(job.get("priority"), str),
        "unknown fields": lambda job: any(name.startswith("x_") for name in job),
        "tasks with the empty command of 2019": lambda job: (
            job.get("tasks_data") and job.get("command") == ""
        ),
    }
    left = dict(dialects)

    def was_the_last(job: dict[str, Any]) -> bool:
        for name in [name for name, fits in left.items() if fits(job)]:
            del left[name]
        return not left

    with suppress(NoSuchExample):
        found(PAYLOADS, was_the_last)
    assert left == {}


@calm
@given(contract.upload_requests())
def test_every_upload_request_is_accepted(body: dict[str, Any]) -> None:
    assert load().operations["files.get_upload_urls"].check_request(body) == []


REPORTS = {
    "jobs.act": contract.job_actions(),
    "tasks.act": contract.task_actions(),
    "uploads.update": contract.upload_progress(),
    "uploads.finish": contract.upload_finishes(),
    "downloads.report": contract.download_reports(),
    "files.complete_multipart": contract.completions(),
}


@pytest.mark.parametrize("operation", sorted(REPORTS))
def test_every_report_and_action_is_accepted_and_known(operation: str) -> None:
    known = load().operations[operation]
    for body in drawn(REPORTS[operation]):
        assert known.check_request(body) == []
        assert known.unknown_fields(body) == []


@pytest.mark.parametrize(
    ("operation", "field"), [("jobs.act", "action"), ("tasks.act", "action"), ("downloads.report", "status")]
)
def test_every_word_that_the_contract_knows_is_drawn(operation: str, field: str) -> None:
    schema = load().operations[operation].request_schema
    named = load().document["components"]["schemas"][schema]["properties"][field]["enum"]
    assert {body[field] for body in drawn(REPORTS[operation])} == set(named)


def test_ids_that_are_given_are_the_ones_drawn() -> None:
    for body in drawn(contract.task_actions(jids=["00012"], tids=["000", "003"]), 50):
        assert body["jobid"] == "00012"
        assert set(body["taskids"]) <= {"000", "003"}
    for body in drawn(contract.job_actions(jids=["00012"]), 20):
        assert body["jobids"] == ["00012"]
    for body in drawn(contract.download_reports(download_ids=["d-1"]), 20):
        assert body["download_id"] == "d-1"


def test_finishes_of_known_files_are_true_false_and_silent() -> None:
    reports = [body["upload_files"] for body in drawn(contract.upload_finishes(files={"/a": MD5}))]
    assert {"/a": {"source": "/a", "md5": MD5}} in reports
    assert {} in reports
    assert None in reports
    assert any(report and report["/a"]["md5"] != MD5 for report in reports)


@calm
@given(contract.file_trees(), st.data())
def test_file_trees_can_be_asked_for_and_written(tree: dict[str, bytes], data: st.DataObject) -> None:
    if tree:
        contents = {f"/proj/{path}": content for path, content in tree.items()}
        body = data.draw(contract.upload_requests(contents=contents))
        assert load().operations["files.get_upload_urls"].check_request(body) == []
        sizes = {entry["path"]: entry["size"] for entry in body["upload_files"]}
        assert sizes == {path: len(content) for path, content in contents.items()}
    for path in tree:
        steps = path.split("/")
        assert all(step.strip(" .") and step == step.strip() and ":" not in step for step in steps)
        assert not any("/".join(steps[:depth]) in tree for depth in range(1, len(steps)))
    assert len({path.lower() for path in tree}) == len(tree)


@calm
@given(contract.package_lists(min_size=1))
def test_packages_keep_the_contract(packages: list[dict[str, Any]]) -> None:
    assert load().operations["packages.list"].check_response(200, {"data": packages}) == []
    assert len({package["package_id"] for package in packages}) == len(packages)
    assert len({package["platform"] for package in packages}) == 1


@calm
@given(contract.package_lists(conflicts=False), contract.environments())
def test_packages_without_conflicts_can_be_merged(
    packages: list[dict[str, Any]], environment: dict[str, str]
) -> None:
    exclusive: dict[str, set[str]] = {}
    appended = set(environment)
    for variable in (variable for package in packages for variable in package["environment"]):
        if variable["merge_policy"] == "exclusive":
            exclusive.setdefault(variable["name"], set()).add(variable["value"])
        else:
            appended.add(variable["name"])
    assert all(len(values) == 1 for values in exclusive.values())
    assert not appended & exclusive.keys()


def test_packages_with_conflicts_are_drawn_too() -> None:
    def conflict(packages: list[dict[str, Any]]) -> bool:
        values: dict[str, set[str]] = {}
        for variable in (variable for package in packages for variable in package["environment"]):
            if variable["merge_policy"] == "exclusive":
                values.setdefault(variable["name"], set()).add(variable["value"])
        return any(len(found) > 1 for found in values.values())

    found(contract.package_lists(), conflict)


def test_prepend_is_drawn_only_where_it_is_asked_for() -> None:
    def prepends(package: dict[str, Any]) -> bool:
        return any(variable["merge_policy"] == "prepend" for variable in package["environment"])

    found(contract.packages(policies=["append", "prepend"]), prepends)
    assert not any(map(prepends, drawn(contract.packages(), 100)))


@given(contract.md5s())
def test_md5s_are_what_the_contract_calls_an_md5(md5: str) -> None:
    assert load().schemas.check("Md5", md5) == []


@given(contract.frame_specs())
def test_frame_specs_are_what_the_contract_calls_frames(spec: str) -> None:
    assert load().schemas.check("FrameSpec", spec) == []


@calm
@given(contract.submit_arguments(upload_paths=PATHS, enforced_md5s={"/proj/a.ma": MD5}))
def test_arguments_have_documented_names_and_make_sense(arguments: dict[str, Any]) -> None:
    spelt = {name: real for real, names in SPELLINGS.items() for name in names}
    names = [spelt.get(name, name) for name in arguments]
    assert len(names) == len(set(names))
    assert set(names) <= NAMES
    assert ("instance_type" in names) != ("cores" in names)
    assert ("tasks_data" in names) + ("cmd" in names) + ("upload_only" in names) == 1
    assert ("output_path" in names) == ("upload_only" not in names)
    assert set(arguments.get("upload_paths", ())) <= set(PATHS)
    assert not (arguments.get("enforced_md5s") and arguments.get("local_upload", True))
    json.dumps(arguments)


def test_every_argument_is_drawn_in_each_spelling() -> None:
    strategy = contract.submit_arguments(upload_paths=PATHS, enforced_md5s={"/proj/a.ma": MD5})
    left = NAMES | {name for spellings in SPELLINGS.values() for name in spellings}

    def was_the_last(arguments: dict[str, Any]) -> bool:
        left.difference_update(arguments)
        return not left

    with suppress(NoSuchExample):
        found(strategy, was_the_last)
    assert left == set()


@few
@given(contract.submit_arguments(upload_paths=PATHS, local_upload=True))
def test_local_upload_can_be_fixed(arguments: dict[str, Any]) -> None:
    assert arguments["local_upload"] is True


@few
@given(contract.submit_arguments(upload_paths=PATHS, legacy=False))
def test_the_older_dialects_can_be_left_out(arguments: dict[str, Any]) -> None:
    assert "tasks_data" in arguments


@calm
@given(contract.broken_submit_arguments(upload_paths=PATHS))
def test_a_broken_submission_names_an_argument_that_is_there_or_missing(
    broken: tuple[dict[str, Any], str],
) -> None:
    arguments, name = broken
    assert name in arguments or name in ("instance_type", "tasks_data", "output_path")


def test_every_argument_can_be_wrong_but_those_that_decide_which_others_are_there() -> None:
    assert ARGUMENT_FAULTS.keys() == NAMES - {"cmd", "frames", "upload_only"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: contract.frame_specs(min_frame=3, max_frame=1),
        lambda: contract.frame_specs(min_frame="1"),  # type: ignore[arg-type]
        lambda: contract.environments(names=[]),
        lambda: contract.environments(names="PATH"),
        lambda: contract.environments(max_size=-1),
        lambda: contract.packages(policies=["overwrite"]),
        lambda: contract.packages(policies=[]),
        lambda: contract.package_lists(min_size=3, max_size=1),
        lambda: contract.package_lists(conflicts=None),  # type: ignore[arg-type]
        lambda: contract.file_trees(min_files=-1),
        lambda: contract.file_trees(max_bytes=True),
        lambda: contract.upload_files(daemon="yes"),  # type: ignore[arg-type]
        lambda: contract.upload_requests(contents={}),
        lambda: contract.upload_requests(contents={f"/{number}": b"" for number in range(21)}),
        lambda: contract.job_actions(jids=[]),
        lambda: contract.job_histories(kind="job"),
        lambda: contract.task_actions(tids="000"),
        lambda: contract.download_reports(download_ids=[]),
        lambda: contract.fault_schedules(operations=[]),
        lambda: contract.fault_schedules(operations="jobs.create"),
        lambda: contract.fault_schedules(operations=["jobs.create"], max_size=-1),
        lambda: contract.submit_arguments(upload_paths="/proj"),
        lambda: contract.submit_arguments(enforced_md5s={"/a": MD5}),
        lambda: contract.submit_arguments(local_upload="yes"),  # type: ignore[arg-type]
    ],
)
def test_senseless_arguments_of_a_strategy_are_refused_at_once(
    make: Callable[[], st.SearchStrategy[Any]],
) -> None:
    with pytest.raises(InvalidArgument):
        make()


@calm
@given(contract.catalogues())
def test_a_catalogue_is_one_that_the_server_takes_without_a_word(document: dict[str, Any]) -> None:
    assert [str(one) for one in validate(document, strict=True)] == []


@calm
@given(st.sampled_from(KINDS).flatmap(lambda kind: contract.job_histories(kind=kind)))
def test_a_history_begins_with_nothing_and_goes_from_status_to_status(history: list[Transition]) -> None:
    possible = load_job_states().possible
    assert history
    assert history[0].before is None
    assert all(one in possible for one in history)
    assert all(before.after == after.before for before, after in pairwise(history))


@calm
@given(st.data())
def test_a_plan_asks_for_every_path_once_and_puts_each_content_after_that(data: st.DataObject) -> None:
    tree = data.draw(contract.file_trees(max_files=30, max_bytes=2))
    contents = {f"/proj/{name}": content for name, content in tree.items()}
    asked: list[str] = []
    put: list[bytes] = []
    for step, what in data.draw(contract.upload_plans(contents)):
        if step == "ask":
            assert load().operations["files.get_upload_urls"].check_request(what) == []
            asked += [one["path"] for one in what["upload_files"]]
        else:
            assert what in asked
            put.append(contents[what])
    assert sorted(asked) == sorted(contents)
    assert sorted(put) == sorted(set(contents.values()))


@calm
@given(contract.file_trees())
def test_a_tree_is_written_as_it_is(tree: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written = contract.write_tree(Path(folder), tree)
        assert {str(Path(folder, name)): content for name, content in tree.items()} == written
        assert {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()} == written


def test_the_exported_names_are_these() -> None:
    assert sorted(contract.__all__) == [
        "broken_payloads",
        "broken_submit_arguments",
        "catalogues",
        "completions",
        "download_reports",
        "environments",
        "fault_schedules",
        "file_trees",
        "frame_specs",
        "job_actions",
        "job_histories",
        "md5s",
        "package_lists",
        "packages",
        "payloads",
        "submit_arguments",
        "task_actions",
        "upload_files",
        "upload_finishes",
        "upload_plans",
        "upload_progress",
        "upload_requests",
        "write_tree",
    ]
    assert all(callable(getattr(contract, name)) for name in contract.__all__)
