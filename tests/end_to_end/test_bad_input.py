"""Bad input and large input: each has a stated outcome on both sides, a clear message and an exit code."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conductor.cli import cli
from conductor.lib.exceptions import Acted, InvalidPathError, RefusedError
from support.control import Control
from support.disk import facts, write_tree
from support.farm import Farm, farm, job
from support.programs import python, run
from support.served import served

MIB = 1 << 20
EMPTY_MD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="
MOST_MEMORY_KIB = 150 * 1024


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Farm]:
    """A fake in this process that refuses what it does not know."""
    with farm(tmp_path, strict=True) as opened:
        yield opened


def command_line(farm: Farm, *arguments: str) -> Result:
    """Run `conductor` in this process against a farm in this process."""
    return CliRunner().invoke(cli, list(arguments), env=farm.environment)


def submit_by_file(farm: Farm, folder: Path, arguments: dict[str, Any]) -> Result:
    """Run `conductor submit --file`."""
    file = folder / "job.json"
    file.write_text(json.dumps(arguments))
    return command_line(farm, "submit", "--file", str(file))


# What the catalogue does not know


def test_an_unknown_package_is_accepted_with_a_warning(here: Farm) -> None:
    response, status = here.submit(job(software_package_ids=["7208372e306614d514944938c395e0e7", "xyz"]))
    assert status == 201
    (warning,) = here.control.job(response["jobid"])["warnings"]
    assert "/software_package_ids/1" in warning
    assert "'xyz'" in warning


def test_an_unknown_project_is_accepted_with_a_warning(here: Farm, tmp_path: Path) -> None:
    (scene,) = write_tree(tmp_path, {"scene.ma": b"abc"})
    response, status = here.submit(job(scene, project="no such show"))
    assert status == 201
    (warning,) = here.control.job(response["jobid"])["warnings"]
    assert "/project" in warning
    assert "'no such show'" in warning


@pytest.mark.parametrize(
    ("field", "fault"),
    [("/software_package_ids/0", {"software_package_ids": ["xyz"]}), ("/project", {"project": "xyz"})],
)
def test_a_strict_server_refuses_what_it_does_not_know_and_the_error_shows_the_field(
    strict: Farm, field: str, fault: dict[str, Any]
) -> None:
    with pytest.raises(RefusedError, match="'xyz'") as caught:
        strict.submit(job(**fault))
    assert caught.value.status == 400
    assert caught.value.acted is Acted.NO
    assert field in str(caught.value)
    assert strict.control.jobs() == []


def test_a_strict_refusal_on_the_command_line_is_exit_code_2(strict: Farm, tmp_path: Path) -> None:
    result = submit_by_file(strict, tmp_path, job(project="xyz"))
    assert result.exit_code == 2
    assert "/project" in result.stderr
    assert result.stdout == ""


# Paths


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("{folder}/missing.ma", "does not exist"),
        ("scene.ma", "relative"),
        ("./scene.ma", "relative"),
        ("{folder}/sh:ot.ma", "colon"),
        ("{folder}/shot.####.ma", "matches no files"),
    ],
)
def test_a_path_that_cannot_be_uploaded_is_refused_by_name_before_anything_is_sent(
    here: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, said: str
) -> None:
    folder = tmp_path / "project"
    scene, _ = write_tree(folder, {"scene.ma": b"abc", "sh:ot.ma": b"abc"})
    monkeypatch.chdir(folder)
    named = path.format(folder=folder)
    with pytest.raises(InvalidPathError, match=said) as caught:
        here.submit(job(scene, named))
    assert named in str(caught.value)
    assert here.control.journal() == []


def test_every_bad_path_is_in_the_one_error_and_the_exit_code_is_2(here: Farm, tmp_path: Path) -> None:
    result = submit_by_file(here, tmp_path, job(tmp_path / "missing.ma", "scene.ma"))
    assert result.exit_code == 2
    assert str(tmp_path / "missing.ma") in result.stderr
    assert "'scene.ma'" in result.stderr
    assert here.control.journal() == []


def test_a_directory_without_files_is_a_job_without_files(here: Farm, tmp_path: Path) -> None:
    (tmp_path / "empty" / "and" / "deep").mkdir(parents=True)
    response, status = here.submit(job(tmp_path / "empty"))
    assert status == 201
    assert here.control.job(response["jobid"])["payload"]["upload_files"] == []
    assert here.control.journal("files.get_upload_urls") == []


def test_uploading_only_a_directory_without_files_asks_the_server_nothing(here: Farm, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    arguments = {
        "upload_only": True,
        "upload_paths": [str(tmp_path / "empty")],
        "instance_type": "n1-standard-2",
    }
    assert here.submit(arguments) == ({"message": "No files to upload", "jobid": None}, 204)
    assert here.control.journal() == []


def test_a_colon_in_a_name_below_a_directory_is_warned_about_and_the_file_is_sent(
    here: Farm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "project"
    (odd,) = write_tree(folder, {"sh:ot.ma": b"abc"})
    with caplog.at_level(logging.WARNING, "conductor"):
        _, status = here.submit(job(folder))
    assert status == 201
    assert here.control.files() == {str(odd): facts(odd)}
    assert any("colon" in record.getMessage() for record in caplog.records)


def test_a_file_of_no_bytes_is_uploaded_and_held(here: Farm, tmp_path: Path) -> None:
    (empty,) = write_tree(tmp_path, {"project/empty.ass": b""})
    response, _ = here.submit(job(empty))
    assert here.control.files() == {str(empty): (EMPTY_MD5, 0)}
    recorded = here.control.job(response["jobid"])
    assert [(file["md5"], file["st_size"]) for file in recorded["payload"]["upload_files"]] == [
        (EMPTY_MD5, 0)
    ]
    assert recorded["warnings"] == []


# More bytes than memory is to be taken


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(
    "mib",
    [
        pytest.param(400, id="a part of a gibibyte", marks=pytest.mark.slow),
        pytest.param(2048, id="two gibibytes", marks=pytest.mark.prove),
    ],
)
def test_a_large_file_takes_constant_memory_on_both_sides(tmp_path: Path, mib: int) -> None:
    big = tmp_path / "big.vdb"
    with big.open("wb") as file:
        file.truncate(mib * MIB)
    program = """
import json, pathlib, sys
from conductor.lib import conductor_submit
response, status = conductor_submit.Submit(json.loads(sys.argv[1])).main()
print(json.dumps([status, response["jobid"], pathlib.Path("/proc/self/status").read_text()]))
"""
    with served(tmp_path / "served") as server:
        finished = run(python("-c", program, json.dumps(job(big))), server.ready["env"])
        assert finished.returncode == 0, finished.stderr
        status, jid, client_status = json.loads(finished.stdout)
        server_status = Path(f"/proc/{server.process.pid}/status").read_text()
        control = Control(server.url)
        (declared,) = control.job(jid)["payload"]["upload_files"]
        sent = [entry["body"]["size"] for entry in control.journal() if entry["method"] == "PUT"]
        held = control.files()
    shutil.rmtree(tmp_path / "served")  # the copy is not sparse
    assert status == 201
    assert held == {str(big): (declared["md5"], mib * MIB)}
    assert sum(sent) == mib * MIB, "in one piece or in parts, each byte once"
    assert most_memory_kib(client_status) < MOST_MEMORY_KIB
    assert most_memory_kib(server_status) < MOST_MEMORY_KIB


def most_memory_kib(status: str) -> int:
    """The largest resident size that a process ever had, from its status in /proc."""
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1])
