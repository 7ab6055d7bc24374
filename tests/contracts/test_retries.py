"""The retry table is whole and speaks of faults and operations that there are."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from conductor_contracts.contract import load as load_contract
from conductor_contracts.retries import cases_of, load_faults, load_retries
from conductor_contracts.strategies import fault_schedules
from conductor_mock.faults.kinds import BY_NAME
from conductor_mock.faults.rules import Faults


def test_every_case_can_be_asked_for() -> None:
    faults = Faults(load_contract().operations)
    for case in load_retries():
        assert faults.add(case.id, case.rule()).fault.to_json().items() >= case.fault.items()


def test_every_kind_of_fault_is_in_the_table_and_every_fault_is_used() -> None:
    kinds, asked = {fault["kind"] for fault in load_faults().values()}, {case.name for case in load_retries()}
    missing = sorted(set(BY_NAME) - kinds)
    assert not missing, (
        f"retries.yaml has no fault of the kind {missing}: name one below `faults`, and what it asks"
    )
    unknown = sorted(kinds - set(BY_NAME))
    assert not unknown, (
        f"retries.yaml has a fault of the kind {unknown}, which KINDS of faults/kinds does not list"
    )
    unused = sorted(set(load_faults()) - asked)
    assert not unused, (
        f"no case of retries.yaml uses the fault {unused}: say what a client does when it gets it"
    )


def test_a_schedule_may_have_every_fault_of_the_table() -> None:
    faults = Faults(load_contract().operations)
    drawn: list[dict[str, Any]] = []

    @settings(max_examples=300, derandomize=True, database=None, deadline=None, phases=(Phase.generate,))
    @given(fault_schedules(operations=["jobs.create", "jobs.list"]))
    def collect(schedule: list[dict[str, Any]]) -> None:
        drawn.extend(schedule)

    collect()
    for number, rule in enumerate(drawn):
        assert faults.add(str(number), rule).match.operation == rule["match"]["operation"]
    assert all(fault in [rule["fault"] for rule in drawn] for fault in load_faults().values())


def test_no_case_stands_twice() -> None:
    assert {
        case: times for case, times in Counter(case.id for case in load_retries()).items() if times > 1
    } == {}


def test_a_job_is_tried_with_every_fault_once_with_keys_and_once_without() -> None:
    tried = {(case.keys, case.name) for case in load_retries() if case.operation == "jobs.create"}
    names = [name for name, fault in load_faults().items() if fault["kind"] != "expired_url"]  # it has none
    assert tried >= {(keys, name) for keys in (True, False) for name in names} - {
        (False, "another body")  # 409 is what a service says that honours keys
    }


def test_what_is_expected_keeps_the_promise_of_the_table() -> None:
    for case in load_retries():
        if case.effects is not None:
            allowed = {"success": {1}, "failure": {0}, "unknown": {0, 1}}[case.outcome]
            if case.operation == "jobs.create" and case.fault["kind"] == "duplicate" and not case.keys:
                allowed = {2}  # the exception that the table names
            assert case.effects in allowed, case.id
        assert (case.effects is None) == case.operation.endswith((".list", "accounts.get", "auth.token")), (
            case.id
        )


def test_a_case_with_an_unknown_fault_is_refused() -> None:
    row = {"operations": ["jobs.list"], "cases": [{"faults": ["fire"], "requests": 1, "outcome": "success"}]}
    with pytest.raises(ValueError, match="'fire' is no fault"):
        list(cases_of({"table": [row], "faults": {}}))
