"""The files that simulated tasks leave: listed as their commands name them, with true md5 and size, each a picture."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from conductor_mock.outputs.pictures import HEIGHT, WIDTH, Caption, picture
from support.server import ApiCaller, Fake, md5_of


def finished(caller: ApiCaller, *tasks: tuple[str, str]) -> list[dict[str, Any]]:
    """The downloads of a new job with tasks of these commands and frames, all of which succeeded."""
    jid = caller.submit(
        tasks_data=[{"command": command, "frames": frames} for command, frames in tasks],
        output_path="/proj/out",
    ).json()["jobid"]
    for number in range(len(tasks)):
        caller.post(f"/_mock/jobs/{jid}/tasks/{number:03d}", {"status": "success"}, query=account(caller))
    return listed(caller, jid)


def listed(caller: ApiCaller, jid: str) -> list[dict[str, Any]]:
    downloads: list[dict[str, Any]] = caller.post(f"/jobs/{jid}/downloads", {"tids": None}).json()[
        "downloads"
    ]
    return downloads


def account(caller: ApiCaller) -> dict[str, str]:
    return {"account": caller.client_id}


def test_a_task_of_several_frames_leaves_a_file_for_each(fake: Fake) -> None:
    chunk = "blender -b /proj/a.blend --render-output /proj/out/shot_ -- --start=1 --end=3"
    (download,) = finished(fake.caller(), (chunk, "1-3"))
    assert [file["relative_path"] for file in download["files"]] == [
        f"shot_{frame:04d}.simulated.png" for frame in (1, 2, 3)
    ]


def test_tasks_that_write_one_name_leave_files_of_their_own(fake: Fake) -> None:
    command = "vray -sceneFile=/proj/a.vrscene -imgFile=/proj/out/output.exr"
    downloads = finished(fake.caller(), (command, "8"), (command, "24"))
    assert [file["relative_path"] for one in downloads for file in one["files"]] == [
        "output.0008.simulated.png",
        "output.0024.simulated.png",
    ]


def test_outputs_are_pictures_with_the_md5_and_size_that_are_said(fake: Fake) -> None:
    caller = fake.caller()
    (download,) = finished(caller, ("kick -o /proj/out/beauty/a.####.exr", "1-2"))
    contents = set()
    for file in download["files"]:
        content = caller.get(file["url"]).content
        assert (md5_of(content), len(content)) == (file["md5"], file["size"])
        assert Image.open(io.BytesIO(content)).size == (WIDTH, HEIGHT)
        contents.add(content)
    assert len(contents) == 2
    assert download["size"] == sum(file["size"] for file in download["files"])


def test_what_was_listed_once_stays_as_it_is(fake: Fake) -> None:
    caller = fake.caller()
    first = finished(caller, ("kick -o /proj/out/a.exr", "1"))
    again = listed(caller, first[0]["job_id"])
    assert [one["files"][0]["md5"] for one in again] == [one["files"][0]["md5"] for one in first]


def test_a_command_of_rubbish_leaves_a_picture_too(fake: Fake) -> None:
    rubbish = "kick -o '../../\\..\\" + '"' + "%s <frame \u202e\U0001f4a5 " * 100
    (download,) = finished(fake.caller(), (rubbish, "what?"))
    (file,) = download["files"]
    assert file["relative_path"].endswith(".simulated.png")


def test_no_two_frames_tasks_or_attempts_have_one_picture() -> None:
    pictures = {
        picture(Caption("5001", 1, job, task, attempt, "title", "command", frame))
        for job in (1, 2)
        for task in (0, 1)
        for attempt in (1, 2)
        for frame in (None, -1, 0, 1, 49)
    }
    assert len(pictures) == 2 * 2 * 2 * 5


def test_a_picture_is_the_same_every_time() -> None:
    caption = Caption("5001", 1, 1, 0, 1, "title", "command", 7)
    assert picture(caption) == picture(caption)
