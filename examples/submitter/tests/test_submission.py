"""What the service gets, and what comes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import submitter
from conductor.lib.waiting import wait_for_jobs
from conductor_mock.testkit import Fake
from submitter import Shot, submit

HERE = Path(submitter.__file__).parent


@pytest.fixture
def fake(conductor_in_process: Fake) -> Iterator[Fake]:
    """A fake that has seen nothing odd, and all that the commands name, whatever the test was about."""
    yield conductor_in_process
    conductor_in_process.assert_exactly_once()
    conductor_in_process.assert_commands_uploaded()


def test_a_job_has_what_the_shot_says(fake: Fake, shot: Shot) -> None:
    jid = submit(shot)
    fake.assert_job(jid, job_title="sh010 comp", project="default", instance_type="n1-standard-8")
    assert [task.frames for task in fake.job(jid).tasks] == ["1-4", "5-8", "9-10"]


def test_scene_and_textures_are_uploaded_as_they_are(fake: Fake, shot: Shot) -> None:
    submit(shot)
    fake.assert_uploaded([shot.scene, *shot.textures])
    assert fake.file(shot.scene).content == shot.scene.read_bytes()


def test_what_is_there_already_is_not_sent_again(fake: Fake, shot: Shot) -> None:
    submit(shot)
    sent = len(fake.requests("objects.put"))
    submit(replace(shot, title="again"))
    assert sent == 3
    assert len(fake.requests("objects.put")) == sent


def test_a_submitter_that_forgets_a_texture_is_found_out(conductor_in_process: Fake, shot: Shot) -> None:
    from conductor.lib.conductor_submit import Submit

    forgetful = {**submitter.arguments(shot), "upload_paths": [str(shot.scene)]}
    Submit(forgetful).main()
    with pytest.raises(AssertionError, match=r"wall\.tx, which task 000 of job 00001 names"):
        conductor_in_process.assert_commands_uploaded()


def test_a_job_is_waited_for_without_waiting(fake: Fake, shot: Shot) -> None:
    with fake.client() as client:
        (job,) = wait_for_jobs([submit(shot, client)], client=client)
    assert job.succeeded
    assert fake.waits.seconds > 60


def test_a_preempted_task_is_tried_again(fake: Fake, shot: Shot) -> None:
    rule = fake.outcomes.add(["preempted", "success"], frames="5")
    jid = submit(shot)
    fake.clock.until(jid)
    assert rule.consumed >= 1
    assert fake.job(jid).tasks[1].attempts[0].outcome == "preempted"


def test_a_failed_task_fails_the_job_and_no_other_task(fake: Fake, shot: Shot) -> None:
    fake.outcomes.add("failed", frames="9")
    jid = submit(shot)
    fake.clock.until(jid)
    assert [task.status for task in fake.job(jid).tasks] == ["success", "success", "failed"]
    fake.assert_job(jid, status="failed")


@pytest.mark.conductor_mock(strict=True)
def test_a_shot_is_one_that_a_strict_service_takes(fake: Fake, shot: Shot) -> None:
    assert len(fake.job(submit(shot)).tasks) == 3


def test_the_command_line_prints_the_jobs_id(conductor_mock: Fake) -> None:
    command = [sys.executable, str(HERE / "submitter.py"), str(HERE / "shot.json")]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, check=True)
    assert done.stdout == "00001\n"
    conductor_mock.assert_job("00001", job_title=json.loads((HERE / "shot.json").read_text())["title"])
