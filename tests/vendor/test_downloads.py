"""The vendor's downloaders, version 9.2.0: of jobs, tasks and ranges, as daemons, and the deprecated one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vendor.environments import CURRENT
from vendor.scenarios import after, scenario
from vendor.wishes import render_job
from vendor.workstation import Ran, Workstation, md5_of

Json = dict[str, Any]


def rendered(desk: Workstation, *jobs: Json) -> None:
    """Jobs of three tasks that have all succeeded; one when none is described."""
    for number, _ in enumerate(desk.drive("submit", list(jobs) or [render_job(desk)]), 1):
        desk.account.finish_tasks(f"{number:05}")


def contents(folder: Path) -> dict[str, str]:
    """The md5 of every file below a folder, by its name there."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): md5_of(path.read_bytes()) for path in files}


def fetched(desk: Workstation, *runs: Ran) -> Json:
    """What a finished downloader left, here and at the server."""
    return {
        "codes": [run.code for run in runs],
        "said": [run.stdout + run.stderr for run in runs],
        "here": contents(desk.project / "renders"),
        **recorded(desk),
    }


def recorded(desk: Workstation) -> Json:
    jobs = desk.account.jobs()
    return {
        "rendered": {
            output["path"]: output["md5"]
            for job in jobs
            for task in job["tasks"]
            for output in task["outputs"]
        },
        "tasks": {job["jid"]: [task["status"] for task in job["tasks"]] for job in jobs},
        "statuses": {job["jid"]: job["status"] for job in jobs},
        "asked": [
            {key: entry[key] for key in ("operation", "status", "query", "body", "path")}
            | {"agent": entry["headers"]["User-Agent"], "answer": (entry["response"] or {}).get("text")}
            for entry in desk.account.asked()
            if entry["operation"].startswith(("downloads.", "objects.get"))
        ],
    }


@scenario()
def downloading_a_job_twice(desk: Workstation) -> Json:
    rendered(desk)
    return fetched(desk, desk.conductor("download", "00001"), desk.conductor("download", "1"))


@scenario()
def downloading_a_range(desk: Workstation) -> Json:
    rendered(desk, render_job(desk), render_job(desk, output_path=str(desk.project / "other")))
    seen = fetched(desk, desk.conductor("download", "1:0,2", "2:1-2"))
    return {**seen, "other": contents(desk.project / "other")}


@scenario()
def downloading_in_pages(desk: Workstation) -> Json:
    tasks = [{"command": f"render --frame {number}", "frames": str(number)} for number in range(1, 8)]
    rendered(desk, render_job(desk, tasks_data=tasks))
    return fetched(desk, desk.conductor("download", "--page_size", "3", "00001"))


@scenario()
def downloading_elsewhere(desk: Workstation) -> Json:
    rendered(desk)
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    seen = fetched(desk, desk.conductor("download", "-o", str(elsewhere), "--disable-reporting", "00001"))
    return {**seen, "elsewhere": contents(elsewhere)}


@scenario()
def downloading_by_expression(desk: Workstation) -> Json:
    rendered(desk)
    return fetched(desk, desk.conductor("download", "--regex", r".*0002\..*", "00001"))


@scenario()
def downloading_by_force(desk: Workstation) -> Json:
    rendered(desk)
    first = desk.conductor("download", "00001")
    return fetched(desk, first, desk.conductor("download", "--force", "00001"))


@scenario()
def downloading_what_is_not_there(desk: Workstation) -> Json:
    desk.drive("submit", [render_job(desk)])
    return fetched(desk, desk.conductor("download", "00001"), desk.conductor("download", "77"))


@scenario()
def downloading_past_a_job_without_outputs(desk: Workstation) -> Json:
    desk.drive("submit", [render_job(desk), render_job(desk)])
    desk.account.finish_tasks("00002")
    theirs = fetched(desk, desk.conductor("download", "00001", "00002"))
    return {**theirs, "ours": desk.drive_ours("download_ours", ["00001", "00002"])}


@scenario()
def downloading_as_a_daemon(desk: Workstation) -> Json:
    rendered(
        desk,
        render_job(desk, location="mars"),
        render_job(desk, location="venus", output_path=str(desk.project / "venus")),
    )
    with desk.daemon("download", "--location", "mars") as daemon:
        daemon.until(lambda: told_of(desk, 3), "the first job is downloaded")
    return {"here": contents(desk.project / "renders"), **recorded(desk)}


@scenario()
def waiting_for_downloads(desk: Workstation) -> Json:
    desk.drive("submit", [render_job(desk)])
    with desk.daemon("download") as daemon:
        daemon.until(lambda: desk.account.asked(operation="downloads.next"), "it asks")
        desk.account.finish_tasks("00001", "000")
        daemon.until(lambda: told_of(desk, 1), "the task is downloaded")
    return {"here": contents(desk.project / "renders"), **recorded(desk)}


@scenario()
def downloading_the_deprecated_way(desk: Workstation) -> Json:
    rendered(desk)
    return fetched(desk, desk.conductor("downloader", "--job_id", "1"))


@scenario()
def downloading_tasks_the_deprecated_way(desk: Workstation) -> Json:
    rendered(desk)
    return fetched(desk, desk.conductor("downloader", "--job_id", "00001", "--task_id", "1,2"))


@scenario()
def downloading_as_a_deprecated_daemon(desk: Workstation) -> Json:
    rendered(desk)
    with desk.daemon("downloader") as daemon:
        daemon.until(lambda: told_of(desk, 3), "the job is downloaded")
    return {"here": contents(desk.project / "renders"), **recorded(desk)}


def told_of(desk: Workstation, count: int) -> bool:
    """Whether the journal has this many tasks reported as downloaded; it is written after the state."""
    return len({report["download_id"] for report in reports(recorded(desk), "downloaded")}) == count


def reports(result: Json, status: str) -> list[Json]:
    """What was said to `downloads.report` with this status."""
    said = [
        json.loads(entry["body"]["text"])
        for entry in result["asked"]
        if entry["operation"] == "downloads.report"
    ]
    return [report for report in said if report["status"] == status]


def asked(result: Json, operation: str) -> list[Json]:
    return [entry for entry in result["asked"] if entry["operation"] == operation]


@after(
    downloading_a_job_twice,
    downloading_in_pages,
    downloading_by_force,
    downloading_as_a_daemon,
    downloading_the_deprecated_way,
    downloading_as_a_deprecated_daemon,
)
def test_every_output_arrives_as_it_was_rendered(result: Json) -> None:
    assert result["here"] == result["rendered"] != {}
    assert set(result["tasks"]["00001"]) == {"downloaded"}
    assert result["statuses"]["00001"] == "downloaded"


@after(downloading_a_job_twice)
def test_a_second_download_fetches_nothing_and_reports_the_same(result: Json) -> None:
    assert result["codes"] == [0, 0]
    assert len(asked(result, "objects.get")) == 3
    assert len(asked(result, "downloads.page")) == 2
    assert len(reports(result, "downloaded")) == 6
    assert "already existed" in result["said"][1]


@after(downloading_by_force)
def test_a_forced_download_fetches_everything_again(result: Json) -> None:
    assert len(asked(result, "objects.get")) == 6


@after(downloading_a_range)
def test_only_the_tasks_of_the_ranges_are_fetched(result: Json) -> None:
    assert result["tasks"] == {
        "00001": ["downloaded", "success", "downloaded"],
        "00002": ["success", "downloaded", "downloaded"],
    }
    bodies = [json.loads(entry["body"]["text"]) for entry in asked(result, "downloads.page")]
    assert bodies == [{"tids": ["000", "002"]}, {"tids": ["001", "002"]}]
    assert len(result["here"]) == len(result["other"]) == 2


@after(downloading_in_pages)
def test_pages_follow_one_another_by_their_cursors(result: Json) -> None:
    queries = [entry["query"] for entry in asked(result, "downloads.page")]
    assert [query["limit"] for query in queries] == [["3"]] * 3
    assert "start_cursor" not in queries[0]
    assert len({tuple(query["start_cursor"]) for query in queries[1:]}) == 2
    assert len(reports(result, "downloaded")) == 7


@after(downloading_elsewhere)
def test_outputs_go_to_another_folder_and_nothing_is_reported(result: Json) -> None:
    assert result["here"] == {}
    assert {f"00001/{name}": md5 for name, md5 in result["rendered"].items()} == result["elsewhere"] != {}
    assert asked(result, "downloads.report") == []
    assert result["tasks"]["00001"] == ["success"] * 3


@after(downloading_by_expression)
def test_files_that_match_are_fetched_and_their_task_counts_as_done(result: Json) -> None:
    assert len(result["here"]) == 1
    assert set(result["here"].items()) < set(result["rendered"].items())
    assert result["tasks"]["00001"] == ["success", "downloaded", "success"], (
        "without a match nothing is reported"
    )


@after(downloading_what_is_not_there)
def test_a_job_without_outputs_gives_nothing_and_no_error(result: Json) -> None:
    assert result["here"] == {}
    assert result["codes"][0] == 0
    assert asked(result, "downloads.page")[0]["status"] == 204


@after(downloading_past_a_job_without_outputs)
def test_a_job_without_outputs_hides_those_after_it_from_the_vendors_client_and_not_from_ours(
    result: Json,
) -> None:
    """Wire reference 12.4; told in docs/compatibility.md."""
    pages = [(entry["path"], entry["status"]) for entry in asked(result, "downloads.page")]
    assert pages == [("/jobs/00001/downloads", 204)]
    assert (result["codes"], result["here"]) == ([0], {})
    assert result["ours"] == {"fetched": 3, "errors": []}


@after(downloading_what_is_not_there)
def test_an_unknown_job_is_asked_for_five_times(result: Json) -> None:
    unknown = [entry["status"] for entry in asked(result, "downloads.page") if "00077" in entry["path"]]
    assert unknown == [404] * 5


@after(downloading_as_a_daemon)
def test_a_daemon_gets_only_the_outputs_of_its_location(result: Json) -> None:
    assert result["tasks"]["00002"] == ["success"] * 3
    assert {tuple(entry["query"]["location"]) for entry in asked(result, "downloads.next")} == {("mars",)}
    assert asked(result, "downloads.next")[0]["query"]["count"] == ["50"]


@after(downloading_as_a_daemon, downloading_as_a_deprecated_daemon)
def test_nothing_is_offered_twice(result: Json) -> None:
    answers = [
        json.loads(entry["answer"]) for entry in asked(result, "downloads.next") if entry["status"] == 201
    ]
    offered = [task["download_id"] for answer in answers for task in answer["data"]]
    assert sorted(offered) == sorted({report["download_id"] for report in reports(result, "downloaded")})
    assert len(offered) == len(asked(result, "objects.get")) == 3


@after(waiting_for_downloads)
def test_a_daemon_that_found_nothing_asks_again_and_finds_what_came_in_the_meantime(result: Json) -> None:
    answers = [entry["status"] for entry in asked(result, "downloads.next")]
    empty = answers[: answers.index(201)]
    assert empty == [204] * len(empty) != []
    assert result["here"] == result["rendered"] != {}


@after(downloading_tasks_the_deprecated_way)
def test_the_deprecated_downloader_asks_task_by_task(result: Json) -> None:
    assert sorted(entry["query"]["tid"] for entry in asked(result, "downloads.get")) == [["1"], ["2"]]
    assert result["tasks"]["00001"] == ["success", "downloaded", "downloaded"]
    assert result["here"] == result["rendered"]


@after(downloading_the_deprecated_way)
def test_the_deprecated_downloader_reports_bytes_and_asks_for_the_job_as_typed(result: Json) -> None:
    assert [entry["path"] for entry in asked(result, "downloads.get")] == ["/downloads/1"]
    assert len(reports(result, "downloading")) >= 3
    done = reports(result, "downloaded")
    assert done
    assert all(report["bytes_downloaded"] == report["bytes_to_download"] > 0 for report in done)


@after(downloading_a_job_twice)
def test_the_downloader_says_its_name(result: Json) -> None:
    names = [entry["agent"] for entry in asked(result, "downloads.page")]
    assert names
    assert all(name.startswith(f"LoggingDownloadRunner/{CURRENT}") for name in names)


@after(downloading_the_deprecated_way)
def test_the_deprecated_downloader_says_its_name_and_that_it_is_deprecated(result: Json) -> None:
    assert asked(result, "downloads.get")[0]["agent"].startswith(f"Downloader/{CURRENT}")
    assert "deprecated" in result["said"][0]
