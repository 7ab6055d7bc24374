"""What the farm reads in a job payload, in either dialect, with its nulls and its numbers as text."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_contracts import submission as reading
from conductor_contracts.submission import is_upload_only, with_frames
from conductor_mock.farm.payload import UploadFile, read
from conductor_mock.farm.refusals import InvalidRequestError

MD5 = "kAFQmDzST7DWlj99KOF/cg=="
PAYLOAD: dict[str, Any] = {
    "job_title": "a shot",
    "owner": "kim",
    "project": "film",
    "location": "mars",
    "output_path": "/out",
    "priority": 7,
    "preemptible": True,
    "max_instances": 3,
    "instance_type": "m",
    "software_package_ids": ["p"],
    "local_upload": False,
    "upload_files": [{"destination": "/a", "md5": MD5, "st_size": 5}],
    "tasks_data": [{"command": "render 1", "frames": "1"}, {"command": "render 2"}],
    "scout_frames": "1",
    "metadata": {"shot": "a"},
    "environment": {"A": "1", "B": 2},
    "autoretry_policy": {"failed": {"max_retries": 2}, "preempted": {"max_retries": 3}},
    "notify": {"emails": ["a@b.c", None, "d@e.f"]},
}
OLD: dict[str, Any] = {"command": "render <frame args>", "frame_range": "1-5", "instance_type": "m"}


def test_each_field_is_read_from_its_key() -> None:
    found = read(PAYLOAD)
    assert found.payload is PAYLOAD
    assert (found.title, found.owner, found.project, found.location) == ("a shot", "kim", "film", "mars")
    assert (found.output_path, found.priority, found.preemptible, found.max_instances) == ("/out", 7, True, 3)
    assert (found.instance_type, found.packages, found.local_upload) == ("m", ["p"], False)
    assert found.files == (UploadFile("/a", MD5, 5, None),)
    assert found.tasks == [("render 1", "1"), ("render 2", "")]
    assert found.scout_frames == "1"
    assert found.scouts is not None
    assert list(found.scouts) == [1]
    assert (found.metadata, found.environment) == ({"shot": "a"}, {"A": "1", "B": "2"})
    assert found.retries == {"failed": 2, "preempted": 3}
    assert found.notify == ("a@b.c", "d@e.f")


@pytest.mark.parametrize("nulls", [True, False])
def test_null_is_as_if_nothing_was_given(nulls: bool) -> None:
    found = read({**dict.fromkeys(PAYLOAD), "command": None} if nulls else {})
    assert (found.title, found.owner, found.project, found.location, found.output_path) == ("",) * 5
    assert (found.priority, found.preemptible, found.max_instances) == (5, False, 0)
    assert (found.local_upload, found.files, list(found.tasks)) == (True, (), [])
    assert (found.scout_frames, found.scouts, found.metadata, found.environment) == ("", None, {}, {})
    assert (list(found.packages), found.retries, found.notify) == ([], {}, ())
    assert found.instance_type == "n1-standard-1"


@pytest.mark.parametrize("text", ["7", " 7\n", "\ufeff7"])
def test_a_number_may_be_a_text(text: str) -> None:
    assert read({"priority": text, "max_instances": text}).priority == 7
    assert read({"priority": "", "max_instances": " "}).priority == 5


@pytest.mark.parametrize(
    ("fields", "machine"),
    [
        ({"instance_type": "m", "machine_flavor": "highmem", "cores": 4}, "m"),
        ({"machine_flavor": "highmem", "cores": "4"}, "n1-highmem-4"),
        ({"cores": 8}, "n1-standard-8"),
    ],
    ids=str,
)
def test_a_machine_has_a_name_in_either_dialect(fields: dict[str, Any], machine: str) -> None:
    assert read(fields).instance_type == machine


@pytest.mark.parametrize(
    ("fields", "tasks"),
    [
        ({}, [("render 1", "1"), ("render 2", "2"), ("render 3", "3"), ("render 4", "4"), ("render 5", "5")]),
        ({"chunk_size": 2}, [("render 1-2", "1-2"), ("render 3-4", "3-4"), ("render 5", "5")]),
        ({"chunk_size": "9"}, [("render 1-5", "1-5")]),
        ({"chunk_size": 0, "frame_range": "7"}, [("render 7", "7")]),
        ({"frame_range": ""}, [("render <frame args>", "")]),
        ({"command": "render"}, [("render", str(frame)) for frame in range(1, 6)]),
        ({"command": ""}, []),
        ({"command": "upload only", "frame_range": "x"}, []),
        ({"command": "upload only", "frame_range": "1"}, [("upload only", "1")]),
    ],
    ids=str,
)
def test_a_command_with_frames_is_cut_into_tasks(
    fields: dict[str, Any], tasks: list[tuple[str, str]]
) -> None:
    assert list(read({**OLD, **fields}).tasks) == tasks
    assert read({**OLD, **fields, "tasks_data": [{"command": "c"}]}).tasks == [("c", "")]


@pytest.mark.parametrize(("fields", "said"), [({"frame_range": "x"}, "'x' is not a frame")], ids=str)
def test_a_range_that_is_none_is_refused_by_place(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"frame_range: {said}") as refused:
        read({**OLD, **fields})
    assert refused.value.path == "/frame_range"


def test_commands_that_would_fill_the_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_COMMANDS_CHARS", 5 * len(OLD["command"]))
    assert len(read(OLD).tasks) == 5
    with pytest.raises(InvalidRequestError, match="6 tasks with a command of 19 characters") as refused:
        read({**OLD, "frame_range": "1-6"})
    assert refused.value.path == "/frame_range"


@pytest.mark.parametrize(
    ("fields", "only"),
    [
        ({"command": "upload only", "frame_range": "x"}, True),
        ({"command": "upload only"}, True),
        ({"command": "upload only", "frame_range": None}, True),
        ({"command": "upload only", "frame_range": "1"}, False),
        ({"command": "render", "frame_range": "x"}, False),
        ({"command": "upload only", "tasks_data": [{"command": "c"}]}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_job_without_tasks_says_that_it_only_uploads(fields: dict[str, Any], only: bool) -> None:
    assert is_upload_only(fields) is only


@pytest.mark.parametrize(
    ("entry", "file"),
    [
        ({"destination": "/a"}, UploadFile("/a", None, 0, None)),
        ({"destination": "/a", "md5": None, "st_size": None}, UploadFile("/a", None, 0, None)),
        ({"destination": "/a", "md5": "", "st_size": 5.0}, UploadFile("/a", None, 5, None)),
        ({"destination": "/a", "st_mode": 33188}, UploadFile("/a", None, 0, 33188)),
        ({"destination": "/a", "md5": "kAFQmDzST7DWlj99KOF/ch=="}, UploadFile("/a", MD5, 0, None)),
    ],
    ids=str,
)
def test_a_file_has_a_path_and_perhaps_an_md5_in_its_one_spelling(
    entry: dict[str, Any], file: UploadFile
) -> None:
    assert read({"upload_files": [entry]}).files == (file,)


@pytest.mark.parametrize(
    ("policy", "retries"),
    [
        ({"failed": {"max_retries": 2}}, {"failed": 2}),
        ({"failed": {"max_retries": None}}, {"failed": 0}),
        ({"failed": None, "preempted": {"max_retries": 1}}, {"preempted": 1}),
        ({"failed": {}}, {}),
    ],
    ids=str,
)
def test_a_policy_says_how_often_a_task_is_started_again(
    policy: dict[str, Any], retries: dict[str, int]
) -> None:
    assert read({"autoretry_policy": policy}).retries == retries


@pytest.mark.parametrize("text", ["x", "1-", "first"])
def test_scout_frames_that_are_none_are_kept_as_text(text: str) -> None:
    found = read({"scout_frames": text})
    assert (found.scout_frames, found.scouts) == (text, None)
    assert read({"scout_frames": " "}).scouts is None


def test_every_placeholder_of_a_command_is_filled() -> None:
    assert with_frames("a <frame args> b <frame args>", "1-5") == "a 1-5 b 1-5"
