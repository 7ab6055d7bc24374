"""Every public function of the vendor's `api_client`, version 9.2.0."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from vendor.scenarios import after, scenario
from vendor.wishes import render_job
from vendor.workstation import Workstation

Json = dict[str, Any]


def call(function: str, *arguments: Any, **keywords: Any) -> list[Any]:
    """One call for the driver `call`."""
    return ["api_client", function, arguments, keywords]


def minutes_of(attempt: Json) -> float:
    """How long an attempt at a task had a machine, by the server's own record."""
    began, ended = (
        datetime.fromisoformat(attempt[name].replace("Z", "+00:00")) for name in ("assigned", "ended")
    )
    return (ended - began).total_seconds() / 60


@scenario()
def using_tokens(desk: Workstation) -> Json:
    said = desk.drive("tokens")
    exchanges = desk.account.asked(operation="auth.token")
    return {**said, "exchanges": len(exchanges), "client_id": desk.account.client_id, "url": desk.account.url}


@scenario()
def reading_the_catalog(desk: Workstation) -> Json:
    calls = [
        call("request_projects"),
        call("request_projects", ["active", "inactive"]),
        call("request_software_packages"),
        call("request_instance_types"),
        call("request_instance_types", as_dict=True),
        call(
            "request_instance_types",
            filter_param="cpu=gte:8:int,operating_system=ne:windows,gpu.gpu_count=eq:1:int",
        ),
        call("request_extra_environment"),
    ]
    names = ["active", "all", "packages", "machines", "by_description", "chosen", "environment"]
    said = dict(zip(names, desk.drive("call", calls), strict=True))
    return {**said, "queries": [entry["query"] for entry in desk.account.asked(operation="packages.list")]}


@scenario()
def asking_for_jobs(desk: Workstation) -> Json:
    desk.drive("submit", [render_job(desk, job_title=f"job {number}") for number in range(1, 5)])
    calls = [call("get_jobs", 2), call("get_jobs", 2, 3), call("get_jobs", 1, 4), call("get_jobs", 9)]
    one, two, four, none = desk.drive("call", calls)
    return {"one": one, "two": two, "four": four, "none": none}


@scenario()
def reading_a_log(desk: Workstation) -> Json:
    desk.drive("submit", [render_job(desk)])
    [before] = desk.drive("call", [call("get_log", "00001", "001")])
    desk.account.finish_tasks("00001", "001")
    [later, unpadded] = desk.drive("call", [call("get_log", "00001", "001"), call("get_log", 1, 1)])
    return {"before": before, "later": later, "unpadded": unpadded}


@scenario()
def killing(desk: Workstation) -> Json:
    desk.drive("submit", [render_job(desk) for _ in range(4)])
    tasks, jobs = desk.drive(
        "call", [call("kill_tasks", "00001", "000", "002"), call("kill_jobs", "00003", "00004")]
    )
    [unknown] = desk.drive("call", [call("kill_jobs", "00099")])
    found = {job["jid"]: [task["status"] for task in job["tasks"]] for job in desk.account.jobs()}
    statuses = {job["jid"]: job["status"] for job in desk.account.jobs()}
    return {"tasks": tasks, "jobs": jobs, "unknown": unknown, "found": found, "statuses": statuses}


@scenario()
def reading_usage(desk: Workstation) -> Json:
    desk.drive("submit", [render_job(desk)])
    today = datetime.fromisoformat(str(desk.account.control("GET", "clock")["now"])[:10])
    days = [(today + timedelta(days=number)).date().isoformat() for number in (0, 1, 2)]
    unused = desk.drive("usage", days[:2])
    desk.account.advance(3600)
    desk.account.finish_tasks()
    used = desk.drive("usage", [days[0], days[2]])
    one_day = desk.drive("usage", [days[0], days[0]])
    attempts = [attempt for task in desk.account.job()["tasks"] for attempt in task["attempts"]]
    return {"days": days, "unused": unused, "used": used, "one_day": one_day, "attempts": attempts}


@scenario()
def asking_by_hand(desk: Workstation) -> Json:
    said = desk.drive("requests_by_hand", desk.account.url)
    asked = [
        {
            "operation": entry["operation"],
            "agent": entry["headers"]["User-Agent"],
            "headers": list(entry["headers"]),
        }
        for entry in desk.account.asked()
    ]
    return {**said, "asked": asked}


@after(using_tokens)
def test_a_token_is_fetched_once_and_kept_for_the_next_call(result: Json) -> None:
    read = result["read"]
    assert read["first"] == read["again"] == result["kept"]["access_token"] == result["bearer"]
    assert result["exchanges"] == 2, (
        "one that is kept and one that is not; `refresh` alone reads the kept one again"
    )


@after(using_tokens)
def test_the_kept_token_says_what_the_wire_reference_says(result: Json) -> None:
    assert result["key_file"].endswith("/.config/conductor/api_key_credentials")
    assert result["browser_file"].endswith("/.config/conductor/credentials")
    assert result["kept"]["token_type"] == "Bearer"
    assert result["kept"]["expiration"] > time.time() + 600


@after(using_tokens)
def test_a_token_asked_for_anew_is_a_good_one(result: Json) -> None:
    assert result["refreshed"].count(".") == 2
    assert result["not_kept"]["access_token"].count(".") == 2


@after(using_tokens)
def test_the_token_names_its_account_and_was_made_for_the_origin_that_the_client_knows(result: Json) -> None:
    assert result["account_id"].isdigit()
    assert result["account_name"] == result["client_id"]
    assert result["same_domain"] is True


@after(reading_the_catalog)
def test_only_projects_of_the_wanted_statuses_are_named(result: Json) -> None:
    active, both = result["active"]["returned"], result["all"]["returned"]
    assert "default" in active
    assert set(active) < set(both)


@after(reading_the_catalog)
def test_packages_come_although_the_query_has_a_comma_too_many(result: Json) -> None:
    packages = result["packages"]["returned"]
    assert result["queries"] == [{"all": ["true,"]}]
    assert {package["platform"] for package in packages} == {"linux", "windows"}
    assert len({package["package_id"] for package in packages}) == len(packages) > 100


@after(reading_the_catalog)
def test_machines_are_described_by_the_client_itself(result: Json) -> None:
    machines = result["machines"]["returned"]
    assert len({machine["name"] for machine in machines}) == len(machines)
    by_description = result["by_description"]["returned"]
    assert set(by_description) == {machine["description"] for machine in machines}
    one_gpu = next(machine for machine in machines if machine["name"] == "n1-standard-8-t4-1")
    assert one_gpu["description"].startswith("8 core, 30GB Mem")


@after(reading_the_catalog)
def test_the_filter_of_the_vendors_own_sample_chooses_machines(result: Json) -> None:
    chosen = result["chosen"]["returned"]
    names = {machine["name"] for machine in chosen}
    wanted = {
        machine["name"]
        for machine in result["machines"]["returned"]
        if machine["cores"] >= 8
        and machine["operating_system"] != "windows"
        and machine["gpu"]
        and machine["gpu"]["gpu_count"] == 1
    }
    assert names == wanted != set()


@after(reading_the_catalog)
def test_the_accounts_extra_environment_is_found_under_its_id(result: Json) -> None:
    environment = result["environment"]["returned"]
    assert all(set(variable) == {"name", "value", "merge_policy"} for variable in environment)


@after(asking_for_jobs)
def test_jobs_are_listed_by_number_both_ends_included(result: Json) -> None:
    jids = {name: [job["jid"] for job in answer["returned"]] for name, answer in result.items()}
    assert jids == {
        "one": ["00002"],
        "two": ["00002", "00003"],
        "four": ["00001", "00002", "00003", "00004"],
        "none": [],
    }
    assert result["one"]["returned"][0]["title"] == "job 2"


@after(reading_a_log)
def test_a_task_that_did_not_run_has_no_log(result: Json) -> None:
    assert result["before"]["raised"] == "Exception"
    assert "00001" in result["before"]["message"]


@after(reading_a_log)
def test_a_log_is_the_text_of_a_json_object(result: Json) -> None:
    log = json.loads(result["later"]["returned"])
    assert log["task_status"] == "success"
    assert log["new_num_lines"] == [len(log["logs"][0]["log"])]
    assert log["new_num_lines"][0] > 0
    assert isinstance(log["logs"][0]["timestamp"], str)
    assert json.loads(result["unpadded"]["returned"]) == log


@after(killing)
def test_tasks_and_jobs_are_killed(result: Json) -> None:
    assert result["found"]["00001"][0::2] == ["killed", "killed"]
    assert result["found"]["00001"][1] != "killed"
    assert {jid for jid, status in result["statuses"].items() if status == "killed"} == {"00003", "00004"}


@after(killing)
def test_the_answer_to_a_kill_names_what_was_killed(result: Json) -> None:
    tasks, jobs = result["tasks"]["returned"], result["jobs"]["returned"]
    assert tasks["body"] == jobs["body"] == "success"
    assert "\t000" in tasks["message"]
    assert "\t002" in tasks["message"]
    assert "00003" in jobs["message"]
    assert "00004" in jobs["message"]


@after(killing)
def test_killing_a_job_that_is_not_there_is_an_error_that_names_it(result: Json) -> None:
    assert result["unknown"]["raised"] == "Exception"
    assert "00099" in result["unknown"]["message"]


@after(reading_usage)
def test_usage_without_any_is_a_row_of_zeros(result: Json) -> None:
    [day] = result["unused"]["get_compute_usage"].values()
    assert day == {"cost": 0, "corehours": 0, "walltime": 0}
    assert all(day["cost"] == 0 for day in result["unused"]["get_storage_usage"].values())


@after(reading_usage)
def test_what_is_billed_is_what_ran(result: Json) -> None:
    compute = result["used"]["get_compute_usage"]
    minutes = sum(minutes_of(attempt) for attempt in result["attempts"])
    assert minutes > 0
    assert set(compute) <= set(result["days"])
    assert sum(day["walltime"] for day in compute.values()) == pytest.approx(minutes, abs=0.1)
    assert sum(day["corehours"] for day in compute.values()) == pytest.approx(2 * minutes / 60, abs=0.01)
    assert sum(day["cost"] for day in compute.values()) > 0


@after(reading_usage)
def test_storage_is_billed_by_the_day(result: Json) -> None:
    storage = result["used"]["get_storage_usage"]
    assert list(storage) == result["days"], "the last day is part of the report"
    assert all(set(day) == {"cost", "GiB"} for day in storage.values())


@after(reading_usage)
def test_a_report_that_ends_on_its_first_day_is_a_row_of_zeros(result: Json) -> None:
    assert list(result["one_day"]["get_compute_usage"].values()) == [
        {"cost": 0, "corehours": 0, "walltime": 0}
    ]


@after(asking_by_hand)
def test_an_api_client_of_ones_own_gets_texts_and_codes(result: Json) -> None:
    text, code = result["plain"]
    assert code == 200
    assert "default" in [project["name"] for project in json.loads(text)["data"]]
    assert result["by_url"] == result["plain"]
    prepared, code = result["prepared"]
    assert code == 200
    assert {project["status"] for project in json.loads(prepared)["data"]} == {"active"}
    assert result["refused"][1] == 400
    assert json.loads(result["refused"][0])["status"] == "error"


@after(asking_by_hand)
def test_a_registered_client_says_its_name(result: Json) -> None:
    before, *_, after_it = [
        entry for entry in result["asked"] if entry["agent"].startswith(("ciocore", "studio"))
    ]
    assert before["agent"].startswith("ciocore/unknown (python ")
    assert after_it["agent"].startswith("studio-tool/1.2.3 (python ")


@after(asking_by_hand)
def test_a_prepared_request_names_no_client_and_leaves_out_the_unwanted_header(result: Json) -> None:
    [prepared] = [entry for entry in result["asked"] if entry["agent"].startswith("python-urllib3/")]
    assert prepared["operation"] == "projects.list"
    assert "X-Unwanted" not in prepared["headers"]
