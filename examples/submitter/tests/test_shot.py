"""What is decided, without any service."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import submitter
from conductor.lib.conductor_submit import Submit
from conductor_contracts.check import Verdict, check
from submitter import Shot, ShotError, arguments, main

SHOT = Shot.of_file(Path(submitter.__file__).parent / "shot.json")
LETTERS = st.characters(categories=["L", "N", "P", "S"])
"""Of a title: no control characters, which nobody types."""


def test_frames_are_cut_into_chunks_of_which_the_last_is_shorter(shot: Shot) -> None:
    assert list(shot.chunks()) == [(1, 4), (5, 8), (9, 10)]


def test_a_task_of_one_frame_names_one(shot: Shot) -> None:
    (task,) = arguments(replace(shot, last=1))["tasks_data"]
    assert task["frames"] == "1"


def test_paths_are_meant_from_the_folder_of_the_job_file(shot: Shot) -> None:
    assert shot.scene.is_file()
    assert all(texture.is_file() for texture in shot.textures)


def test_a_misspelt_word_of_a_job_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "shot.json"
    file.write_text(
        json.dumps({"title": "a", "scene": "a", "output": "o", "first": 1, "last": 2, "chunks": 2})
    )
    with pytest.raises(ShotError, match=r"shot\.json: unknown chunks"):
        Shot.of_file(file)


@pytest.mark.parametrize("wrong", [{"last": 0}, {"chunk": 0}, {"chunk": -1}])
def test_a_shot_that_cannot_be_meant_is_refused(shot: Shot, wrong: dict[str, int]) -> None:
    with pytest.raises(ShotError, match="sh010 comp"):
        replace(shot, **wrong)


def test_what_is_wrong_is_a_sentence_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shot.json"
    file.write_text(json.dumps({"title": "a", "scene": "a", "output": "o", "first": 2, "last": 1}))
    assert main([str(file)]) == 1
    assert capsys.readouterr().err == "submitter: a: last is 1, before first, 2\n"


@given(first=st.integers(-1000, 1000), count=st.integers(1, 60), chunk=st.integers(1, 70))
def test_every_frame_is_in_one_task(first: int, count: int, chunk: int) -> None:
    shot = Shot("a", Path("/a"), (), Path("/o"), first, first + count - 1, chunk)
    rendered = [frame for start, end in shot.chunks() for frame in range(start, end + 1)]
    assert rendered == list(range(first, first + count))


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 40), chunk=st.integers(1, 50), title=st.text(LETTERS, min_size=1, max_size=20))
def test_every_shot_is_one_that_the_contract_takes_and_finds_nothing_odd_in(
    count: int, chunk: int, title: str
) -> None:
    shot = replace(SHOT, last=count, chunk=chunk, title=title)
    submission = Submit({**arguments(shot), "md5_caching": False})  # the cache would be in your home
    assert check(submission.payload()) == Verdict()
