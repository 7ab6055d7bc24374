"""The body of POST /jobs/."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import pytest

from conductor.lib.files.local import look_at
from conductor.lib.submission.payload import build_payload
from conductor.lib.submission.resolution import resolve

MINIMAL: dict[str, Any] = {
    "instance_type": "n1-standard-1",
    "output_path": "/out",
    "tasks_data": [{"command": "render", "frames": "1-10"}],
}


def payload(**args: Any) -> dict[str, Any]:
    return build_payload(resolve({name: value for name, value in args.items() if value is not None}), [])


def test_a_minimal_submission_sends_the_defaults_of_the_reference() -> None:
    assert payload(**MINIMAL) == {
        **MINIMAL,
        "autoretry_policy": {},
        "chunk_size": 1,
        "docker_image": "",
        "environment": {},
        "job_title": "Unknown job title",
        "local_upload": True,
        "location": "",
        "max_instances": 0,
        "metadata": {},
        "notify": {"emails": []},
        "owner": getpass.getuser(),
        "preemptible": False,
        "priority": 5,
        "project": "",
        "scout_frames": "",
        "software_package_ids": [],
        "upload_files": [],
        "upload_size": 0,
    }


def test_documented_names_become_the_names_of_the_wire() -> None:
    sent = payload(
        **{**MINIMAL, "instance_type": None},
        machine_flavor="highcpu",
        cores="4",
        scout_frame="1,5",
        job_title="T",
        owner="fred",
        notify=["a@b"],
    )
    assert (sent["machine_flavor"], sent["cores"]) == ("highcpu", 4)
    assert "instance_type" not in sent
    assert (sent["scout_frames"], sent["job_title"], sent["owner"]) == ("1,5", "T", "fred")
    assert sent["notify"] == {"emails": ["a@b"]}


def test_what_only_the_client_needs_is_not_sent() -> None:
    sent = payload(
        **MINIMAL,
        upload_paths=["/a"],
        upload_file="/b",
        force=True,
        md5_caching=False,
        database_filepath="/c",
        enforced_md5s={"/a": "GDVem8GYRUuh4douZwIwFg=="},
        upload_only=False,
    )
    assert sent.keys() == payload(**MINIMAL).keys()


def test_a_command_template_is_sent_as_command_and_frame_range_with_no_tasks() -> None:
    sent = payload(
        cmd="render <frame args>", frames="1-100", chunk_size=5, output_path="/out", instance_type="m"
    )
    assert (sent["command"], sent["frame_range"]) == ("render <frame args>", "1-100")
    assert (sent["chunk_size"], sent["tasks_data"]) == (5, [])


@pytest.mark.parametrize("machine", [None, "n1-standard-8"])
def test_an_upload_only_job_says_what_the_vendors_client_says(machine: str | None) -> None:
    sent = payload(upload_only=True, upload_paths=["/a"], instance_type=machine)
    assert (sent["command"], sent["frame_range"]) == ("upload only", "x")
    assert sent["instance_type"] == (machine or "n1-standard-1")
    assert "tasks_data" not in sent
    assert "output_path" not in sent


def test_an_upload_only_job_that_names_cores_has_one_machine() -> None:
    sent = payload(upload_only=True, upload_paths=["/a"], cores=2)
    assert (sent["machine_flavor"], sent["cores"]) == ("standard", 2)
    assert "instance_type" not in sent


def test_files_carry_their_stat_and_sizes_are_summed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").write_bytes(b"")
    files = look_at([str(tmp_path / "a"), str(tmp_path / "b")])
    sent = build_payload(resolve(MINIMAL), [files[0].with_md5("kAFQmDzST7DWlj99KOF/cg=="), files[1]])
    assert sent["upload_size"] == 3
    first, second = sent["upload_files"]
    stat = (tmp_path / "a").stat()
    assert first == {
        "md5": "kAFQmDzST7DWlj99KOF/cg==",
        "destination": str(tmp_path / "a"),
        **{
            f"st_{name}": getattr(stat, f"st_{name}")
            for name in ("mode", "ino", "dev", "nlink", "uid", "gid")
        },
        **{f"st_{name}": getattr(stat, f"st_{name}") for name in ("size", "atime", "mtime", "ctime")},
    }
    assert isinstance(first["st_mtime"], float)
    assert second["md5"] is None
    assert json.loads(json.dumps(sent)) == sent


def test_without_files_nobody_waits_for_an_uploader_daemon(tmp_path: Path) -> None:
    arguments = resolve({**MINIMAL, "local_upload": False, "upload_paths": [str(tmp_path)]})
    assert build_payload(arguments, [])["local_upload"] is True
    (tmp_path / "a").write_text("a")
    assert build_payload(arguments, look_at([str(tmp_path / "a")]))["local_upload"] is False
