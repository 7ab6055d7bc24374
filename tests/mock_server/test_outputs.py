"""The files that simulated tasks leave: listed as their commands name them, with true md5 and size, each a picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from conductor_mock.outputs import pictures
from conductor_mock.outputs.pictures import HEIGHT, WIDTH, Caption, picture
from conductor_mock.outputs.png import BegunPng
from support.examples import examples
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


CAPTIONS = st.builds(
    Caption,
    account_id=st.sampled_from(["5001", "5002"]),
    seed=st.integers(0, 3),
    job=st.integers(1, 3),
    task=st.integers(0, 99),
    attempt=st.integers(1, 3),
    title=st.text(max_size=30),
    command=st.text(max_size=90),
    frame=st.none() | st.integers(-(10**18), 10**18),
)


@examples(15, full=50)
@given(st.lists(CAPTIONS, min_size=2, max_size=5))
def test_a_picture_does_not_depend_on_those_that_were_drawn_before(captions: list[Caption]) -> None:
    """Scenes and words are kept between pictures."""
    drawn = [picture(caption) for caption in captions]
    pictures._scene.cache_clear()
    pictures._word.cache_clear()
    assert [picture(caption) for caption in reversed(captions)] == drawn[::-1]
    for data in drawn:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            assert (image.size, image.mode, image.format) == ((WIDTH, HEIGHT), "RGB", "PNG")


def test_a_png_has_the_rows_that_it_was_made_of() -> None:
    above, below = (
        Image.effect_noise((40, 9), 80).convert("RGB"),
        Image.effect_noise((40, 5), 80).convert("RGB"),
    )
    begun = BegunPng((40, 14), above)
    for foot in (below, below.transpose(Image.Transpose.FLIP_LEFT_RIGHT)):
        whole = Image.new("RGB", (40, 14))
        whole.paste(above, (0, 0))
        whole.paste(foot, (0, 9))
        with Image.open(io.BytesIO(begun.finish(foot))) as image:
            assert image.tobytes() == whole.tobytes()


def test_a_listing_of_many_frames_is_a_few_commits(fake: Fake) -> None:
    caller = fake.caller()
    commits = 0
    write = fake.service.contents._database.write

    @contextmanager
    def counted() -> Iterator[Any]:
        nonlocal commits
        commits += 1
        with write() as connection:
            yield connection

    fake.service.contents._database.write = counted  # type: ignore[method-assign]
    downloads = finished(caller, *[("kick -o /proj/out/a.####.exr", f"{n}1-{n}9") for n in range(1, 31)])

    assert sum(len(one["files"]) for one in downloads) == 270
    of_jobs = 1 + 30  # the submission, and each task that was ended by hand
    assert commits - of_jobs <= 6
