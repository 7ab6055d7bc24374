"""What holds for every submission and for every environment, tried on both sides together."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from conductor.lib.api_client import request_software_packages
from conductor.lib.exceptions import BadArgumentError, EnvironmentMergeError
from conductor.lib.package_utils import merge_package_environments
from conductor_contracts import strategies as contract
from conductor_contracts.contract import load as load_contract
from conductor_contracts.strategies.arguments import SPELLINGS
from support.disk import facts, upload_entry, without_atime
from support.examples import examples
from support.farm import Place, without_explanation
from support.wire_table import check_tasks, expected_job

Json = dict[str, Any]


# Submissions


@examples(20, full=50, parent=without_explanation)
@given(data=st.data())
def test_every_valid_submission_is_accepted_and_recorded_as_its_arguments_say(
    place: Place, data: st.DataObject
) -> None:
    files = place.begin(data.draw(contract.file_trees(min_files=1, max_files=4), label="files"))
    arguments = data.draw(
        contract.submit_arguments(
            upload_paths=[str(place.folder), *map(str, files)],
            enforced_md5s={str(path): facts(path)[0] for path in files},
        ),
        label="arguments",
    )
    response, status = place.farm.submit(arguments)
    assert status == 201
    job = place.farm.control.job(response["jobid"])
    payload = job["payload"]
    operation = load_contract().operations["jobs.create"]
    assert operation.check_request(payload) == []
    assert operation.unknown_fields(payload) == []
    uploaded = _meant(arguments.get("upload_paths", ()), place.folder, files)
    _check_files(payload, uploaded, arguments.get("enforced_md5s", {}))
    rest = {key: value for key, value in payload.items() if key not in ("upload_files", "upload_size")}
    assert rest == expected_job(arguments, owner=getpass.getuser())
    check_tasks(job["tasks"], payload)
    if payload["local_upload"]:
        held = place.farm.control.files()
        assert {facts(path) for path in uploaded} == set(held.values())
        assert {path: facts(Path(path)) for path in held} == held


def _meant(paths: list[str], folder: Path, files: list[Path]) -> set[Path]:
    """The files that upload paths stand for: themselves, or all of them for their folder."""
    return set(files) if str(folder) in paths else {path for path in files if str(path) in paths}


def _check_files(payload: Json, uploaded: set[Path], enforced: Mapping[str, str]) -> None:
    recorded = [without_atime(entry) for entry in payload["upload_files"]]
    local = payload["local_upload"]
    expected = [upload_entry(path, "" if local else enforced.get(str(path))) for path in uploaded]
    by_path = {entry["destination"]: entry for entry in expected}
    assert {entry["destination"]: entry for entry in recorded} == by_path
    assert len(recorded) == len(expected), "a file is listed once"
    assert payload["upload_size"] == sum(facts(path)[1] for path in uploaded)


@examples(20, full=50, parent=without_explanation)
@given(data=st.data())
def test_every_single_fault_is_refused_by_the_name_of_its_argument_before_anything_is_sent(
    place: Place, data: st.DataObject
) -> None:
    files = place.begin({"scene.ma": b"abc", "textures/a.tx": b"tx"})
    arguments, faulty = data.draw(
        contract.broken_submit_arguments(upload_paths=list(map(str, files))), label="broken"
    )
    with pytest.raises(BadArgumentError) as caught:
        place.farm.submit(arguments)
    blamed = {_documented(_argument(problem.argument)) for problem in caught.value.problems}
    assert blamed == {_documented(faulty)}
    assert any(_argument(problem.argument) in str(caught.value) for problem in caught.value.problems)
    assert place.farm.control.journal() == []


def _argument(place: str) -> str:
    """The argument that a place such as `tasks_data[0].command` lies in."""
    return place.partition("[")[0].partition(".")[0]


def _documented(name: str) -> str:
    """The documented one of the names that an argument goes by."""
    return next((first for first, names in SPELLINGS.items() if name in names), name)


# Environments


@pytest.fixture(scope="module")
def catalog(place: Place) -> list[list[Json]]:
    """What `request_software_packages` answers, by product: versions of one product rarely go together."""
    with pytest.MonkeyPatch.context() as patch:  # made before any test's own environment is
        for name, value in {**place.farm.environment, "HOME": str(place.folder.parent)}.items():
            patch.setenv(name, value)
        packages = request_software_packages()
    products = sorted({package["product"] for package in packages})
    return [[package for package in packages if package["product"] == product] for product in products]


def _packages(catalog: list[list[Json]]) -> st.SearchStrategy[list[Json]]:
    """Packages of few products, so that they often want the same variables."""
    products = st.lists(st.sampled_from(catalog), min_size=1, max_size=3)
    return products.flatmap(lambda found: st.lists(st.sampled_from(list(chain(*found))), max_size=4))


def _merged(packages: list[Json], base: Mapping[str, str | int]) -> dict[str, str | int] | None:
    """The merged environment; None where the packages contradict each other."""
    try:
        return merge_package_environments(packages, base_env=base)
    except EnvironmentMergeError:
        return None


def _values(packages: list[Json], policy: str) -> dict[str, list[str]]:
    """The values that packages give their variables of one policy, in order."""
    found: dict[str, list[str]] = {}
    for package in packages:
        for entry in package["environment"]:
            if entry["merge_policy"] == policy:
                found.setdefault(entry["name"], []).append(entry["value"])
    return found


@given(data=st.data())
def test_merging_leaves_its_base_and_its_packages_as_they_were(
    catalog: list[list[Json]], data: st.DataObject
) -> None:
    packages, base = data.draw(_packages(catalog)), data.draw(contract.environments())
    before = (repr(packages), dict(base))
    merged = _merged(packages, base)
    assert (repr(packages), base) == before
    assert merged is not base


@given(base=contract.environments())
def test_merging_nothing_changes_nothing(base: dict[str, str | int]) -> None:
    assert merge_package_environments([], base_env=base) == base
    assert merge_package_environments([{"product": "without an environment"}], base_env=base) == base


@given(data=st.data())
def test_appended_values_follow_the_base_in_the_order_of_the_packages(
    catalog: list[list[Json]], data: st.DataObject
) -> None:
    packages, base = data.draw(_packages(catalog)), data.draw(contract.environments())
    merged = _merged(packages, base)
    assume(merged is not None)
    assert merged is not None
    appended = _values(packages, "append")
    for name, values in appended.items():
        assert merged[name] == ":".join(
            map(str, [*([base[name]] if base.get(name, "") != "" else []), *values])
        )
    assert {name: merged[name] for name in base if name not in appended} == {
        name: value for name, value in base.items() if name not in appended
    }


@given(data=st.data())
def test_exclusive_values_agree_or_the_error_names_the_variable_and_both_values(
    catalog: list[list[Json]], data: st.DataObject
) -> None:
    packages = data.draw(_packages(catalog))
    exclusive = _values(packages, "exclusive")
    contradictions = {name: values for name, values in exclusive.items() if len(set(values)) > 1}
    event(f"contradiction: {bool(contradictions)}")
    if not contradictions:
        merged = merge_package_environments(packages)
        assert {name: merged[name] for name in exclusive} == {
            name: values[0] for name, values in exclusive.items()
        }
        return
    with pytest.raises(EnvironmentMergeError) as caught:
        merge_package_environments(packages)
    message = str(caught.value)
    assert any(
        name in message and values[0] in message and any(other in message for other in set(values[1:]))
        for name, values in contradictions.items()
    ), message


@given(data=st.data())
def test_an_exclusive_value_meets_a_different_one_of_the_base_and_is_refused(
    catalog: list[list[Json]], data: st.DataObject
) -> None:
    every = [package for product in catalog for package in product]
    package = data.draw(st.sampled_from([package for package in every if _values([package], "exclusive")]))
    name, (value,) = data.draw(st.sampled_from(sorted(_values([package], "exclusive").items())))
    assert merge_package_environments([package], base_env={name: value})[name] == value
    with pytest.raises(EnvironmentMergeError, match=name):
        merge_package_environments([package], base_env={name: f"{value} of the studio"})


@given(data=st.data())
def test_merging_in_two_steps_is_merging_in_one(catalog: list[list[Json]], data: st.DataObject) -> None:
    first, then = data.draw(_packages(catalog)), data.draw(_packages(catalog))
    base = data.draw(contract.environments())
    at_once, half = _merged(first + then, base), _merged(first, base)
    assert at_once == (None if half is None else _merged(then, half))
    event(f"contradiction: {at_once is None}")


@given(data=st.data())
def test_merging_in_two_steps_is_merging_in_one_for_packages_of_any_kind(data: st.DataObject) -> None:
    packages, base = data.draw(contract.package_lists()), data.draw(contract.environments())
    cut = data.draw(st.integers(0, len(packages)))
    half = _merged(packages[:cut], base)
    assert _merged(packages, base) == (None if half is None else _merged(packages[cut:], half))
