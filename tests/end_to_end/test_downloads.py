"""Downloads by the command and by the library, of what the fake rendered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conductor.cli import cli
from conductor.lib.download.records import next_tasks
from conductor.lib.downloader import Downloader
from support.contents import remove_all
from support.control import Control
from support.disk import md5_of
from support.farm import Farm, job
from support.programs import conductor, python, run
from support.rendering import advance, md5s, outputs, render, statuses
from support.served import served


def command(farm: Farm, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--quiet", *words], env=farm.environment)


def test_a_job_is_downloaded_to_its_output_path_and_marked(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out")
    result = command(here, "download", "1")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("3 files fetched (")
    assert md5s(tmp_path / "out") == outputs(here)
    assert statuses(here) == ["downloaded"] * 3
    assert here.control.job("00001")["status"] == "downloaded"


def test_a_second_download_fetches_nothing(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out")
    command(here, "download", "00001")
    here.control.forget_journal()
    result = command(here, "download", "00001")
    assert (result.exit_code, result.stdout) == (0, "0 files fetched (0 bytes), 3 already there\n")
    assert here.control.journal("objects.get") == []


def test_a_download_of_nothing_says_why(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out")
    unfit = command(here, "download", "1", "--regex", "nothing is called so")
    assert (unfit.exit_code, unfit.stderr) == (0, "no output fits --regex\n")
    here.submit(job(output_path=str(tmp_path / "later")))
    early = command(here, "download", "2")
    assert (early.exit_code, early.stderr) == (0, "these tasks have no outputs yet\n")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["1:999"], "999"),
        (["1", "-t", "999"], "999"),
        (["1:1,3,4"], "003, 004"),
        (["1:0-40"], "003, 004, 005, 006, 007, 008, 009, 010, 011, 012 and 28 more"),
        (["1:1000000"], "1000000"),
    ],
)
def test_tasks_that_the_job_does_not_have_are_said_and_the_others_fetched(
    here: Farm, tmp_path: Path, words: list[str], named: str
) -> None:
    render(here, tmp_path / "out", tasks=3)
    result = command(here, "download", *words)
    assert result.exit_code == 2
    assert f"job 00001 has no task {named}; 'conductor tasks 00001'" in result.stderr
    fetched = {"1:1,3,4": "1 file fetched", "1:0-40": "3 files fetched"}.get(words[0], "")
    assert result.stdout.startswith(fetched)
    assert bool(result.stdout) == bool(fetched), "where nothing was to be fetched, nothing is said of it"


def test_a_task_that_has_no_outputs_yet_is_there(here: Farm, tmp_path: Path) -> None:
    here.submit(job(output_path=str(tmp_path / "out")))
    early = command(here, "download", "1:0")
    assert (early.exit_code, early.stderr) == (0, "these tasks have no outputs yet\n")


def test_json_names_every_file_with_what_became_of_it(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out", tasks=2)
    (tmp_path / "out").mkdir()
    result = command(here, "download", "--json", "00001:1")
    report = json.loads(result.stdout)
    (file,) = report["files"]
    assert (file["job_id"], file["task_id"], file["status"]) == ("00001", "001", "fetched")
    assert md5_of(Path(file["path"]).read_bytes()) == file["md5"]
    assert (report["fetched"], report["kept"], report["not_downloaded"], report["errors"]) == (1, 0, 0, [])


def test_tasks_are_named_behind_the_job_or_by_an_option(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out", tasks=6)
    command(here, "download", "1:0,4")
    command(here, "download", "1", "--task-id", "1-3x2")
    assert statuses(here) == ["downloaded", "downloaded", "success", "downloaded", "downloaded", "success"]


def test_files_go_to_a_destination_by_job(here: Farm, tmp_path: Path) -> None:
    for _ in range(2):
        render(here, tmp_path / "out")
    result = command(here, "download", "1", "2", "--destination", str(tmp_path / "else"), "--no-report")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "else").iterdir()) == ["00001", "00002"]
    for jid in ("00001", "00002"):
        assert md5s(tmp_path / "else" / jid) == outputs(here, jid)
    assert not (tmp_path / "out").exists()
    assert statuses(here) == ["success"] * 3


@pytest.mark.parametrize("words", [["--force"], ["--overwrite", "always"]])
def test_force_fetches_again(here: Farm, tmp_path: Path, words: list[str]) -> None:
    render(here, tmp_path / "out")
    command(here, "download", "1")
    assert command(here, "download", "1", *words).stdout.startswith("3 files fetched")


def test_an_expression_chooses_files(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out")
    command(here, "download", "1", "--regex", r"0001\D*$")
    assert len(md5s(tmp_path / "out")) == 1
    assert statuses(here) == ["success", "downloaded", "success"]


def test_the_spelling_of_2019_downloads_a_task(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out")
    result = command(here, "downloader", "--job_id", "00001", "--task_id", "002")
    assert result.exit_code == 0, result.output
    assert statuses(here) == ["success", "success", "downloaded"]


def test_a_job_that_is_not_there_is_exit_code_2_and_the_others_are_fetched(
    here: Farm, tmp_path: Path
) -> None:
    render(here, tmp_path / "out")
    result = command(here, "download", "77", "1")
    assert result.exit_code == 2
    assert "00077" in result.stderr
    assert "Traceback" not in result.output
    assert md5s(tmp_path / "out") == outputs(here)


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["1:x"],
        ["1", "--regex", "("],
        ["1:2", "--task-id", "3"],
        ["--task-id", "3"],
        ["1", "--overwrite", "sometimes"],
        ["1", "--thread-count", "0"],
    ],
)
def test_bad_input_is_exit_code_2_and_nothing_is_asked(here: Farm, words: list[str]) -> None:
    result = command(here, "download", *words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert here.control.journal() == []


def test_a_file_that_cannot_be_written_is_named_with_exit_code_1(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out")
    (tmp_path / "out").write_bytes(b"not a folder")
    result = command(here, "download", "1")
    assert result.exit_code == 1
    problems = [line for line in result.stderr.splitlines() if str(tmp_path / "out") in line]
    assert len(problems) == 3
    assert result.stdout == "0 files fetched (0 bytes), 0 already there, 3 not downloaded\n"
    assert (tmp_path / "out").read_bytes() == b"not a folder"
    assert statuses(here) == ["success"] * 3


def test_outputs_that_were_reset_meanwhile_are_named(here: Farm, tmp_path: Path) -> None:
    render(here, tmp_path / "out")
    with here.client() as client:
        downloader = Downloader(client)
        tasks = next_tasks(client.calls)
        remove_all(here.data)
        report = downloader.download_tasks(tasks)
    assert len(report.problems) == 3
    assert "404" in report.problems[0].reason
    assert md5s(tmp_path / "out") == {}


def test_what_a_daemon_was_handed_is_offered_to_others_when_it_falls_silent(
    here: Farm, tmp_path: Path
) -> None:
    render(here, tmp_path / "out")
    with here.client() as client:
        assert len(next_tasks(client.calls)) == 3
        assert next_tasks(client.calls) == ()
        advance(here, 3601)
        assert len(next_tasks(client.calls)) == 3


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
from conductor.cli import main
sys.argv = ["conductor", *sys.argv[1:]]
main()
"""


def test_a_disk_that_takes_no_more_is_a_message_per_file_and_no_half_file(tmp_path: Path) -> None:
    """The kernel's limit of a file's size stands for a full disk: it ends a write in the middle in the same way."""
    with served(tmp_path / "served") as server:
        environment = dict(server.ready["env"])
        submitted = run(conductor("submit", "--file", str(job_file(tmp_path))), environment)
        assert submitted.returncode == 0, submitted.stderr
        finish(Control(server.url))
        finished = run(python("-c", LIMITED, "download", "1"), environment)
    assert finished.returncode == 1
    assert "File too large" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert md5s(tmp_path / "out") == {}


def job_file(tmp_path: Path) -> Path:
    arguments = {
        "job_title": "shot",
        "project": "default",
        "instance_type": "n1-standard-2",
        "tasks_data": [{"command": "render -f 1", "frames": "1"}],
        "output_path": str(tmp_path / "out"),
    }
    file = tmp_path / "job.json"
    file.write_text(json.dumps(arguments))
    return file


def finish(control: Control) -> None:
    """Let the tasks of the first job succeed."""
    control.ask("POST", "/_mock/clock", {"advance": 3600})
    if control.job("00001")["tasks"][0]["status"] != "success":
        control.ask("POST", "/_mock/jobs/00001/tasks/000", {"status": "success"})
