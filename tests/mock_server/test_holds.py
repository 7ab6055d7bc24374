"""What does not go on unless somebody acts: that it is said of every such job and of no other, and how."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm import actions, holds, tasks, uploads, views
from conductor_mock.farm.commands import JobCreated
from conductor_mock.farm.ids import jid
from conductor_mock.farm.statuses import Action, Outcome
from support.lives import FILE, Step, live, lives
from support.simulated import MACHINE, Farm, farms

ROUNDS = 3
"""Files are missing, then tasks wait for scouts: nothing holds a job more often."""


def idle(farm: Farm) -> list[holds.Hold]:
    farm.until_idle()
    return list(holds.holds(farm.state))


@given(farms, st.booleans(), lives)
def test_once_nothing_is_due_every_job_has_ended_or_it_is_said_what_holds_it(
    options: dict[str, Any], release_scouts: bool, life: list[Step]
) -> None:
    farm = Farm(**options, release_scouts=release_scouts)
    live(farm, life)
    held = [hold.job for hold in idle(farm)]
    assert held == [job.number for job in farm.state.jobs.values() if not tasks.job_has_ended(job)]


@given(farms, st.booleans(), lives)
def test_who_does_what_is_said_until_nothing_holds_sees_every_job_end(
    options: dict[str, Any], release_scouts: bool, life: list[Step]
) -> None:
    farm = Farm(**options, release_scouts=release_scouts)
    live(farm, life)
    for _ in range(ROUNDS):
        for hold in idle(farm):
            name = jid(hold.job)
            if hold.action is not None:
                farm.do(actions.act_on_jobs(farm.state, hold.action, [name]))
            else:
                farm.do(
                    uploads.finish(
                        farm.state, f"u{name}", reported={}, payload={}, held_md5=lambda *_: "there"
                    )
                )
    assert idle(farm) == []
    assert all(map(tasks.job_has_ended, farm.state.jobs.values()))


def scouted(*frames: str, scouts: str, **payload: Any) -> dict[str, Any]:
    return {
        "tasks_data": [{"command": "r", "frames": part} for part in frames],
        "scout_frames": scouts,
        **payload,
    }


FAILS = {"mock_outcome": "failed", "mock_frames": "2"}
DAEMON = {"local_upload": False, "upload_files": [FILE]}


@pytest.mark.parametrize(
    ("payload", "sentence", "command"),
    [
        (
            scouted("1", "2", scouts="1"),
            "1 task of job 00001 waits for the scout frame 1 to be approved",
            "conductor unhold --scouts 00001",
        ),
        (
            scouted("1-4", "5-8", "9", scouts="2"),
            "2 tasks of job 00001 wait for the scout frames 1-4 to be approved",
            "conductor unhold --scouts 00001",
        ),
        (
            scouted(*"123456789", scouts="1-7"),
            "2 tasks of job 00001 wait for the scout frames 1, 2, 3, 4, 5 and 2 more to be approved",
            "conductor unhold --scouts 00001",
        ),
        (
            scouted(*"1234", scouts="1,2,3", metadata=FAILS),
            "1 task of job 00001 waits for the scout frames 1, 2 and 3 (task 001 is failed) to be approved",
            "conductor unhold --scouts 00001",
        ),
        (DAEMON, "job 00001 waits for an uploader daemon", "conductor uploader --once"),
        (
            {**DAEMON, "location": "new york"},
            "job 00001 waits for an uploader daemon of the location 'new york'",
            "conductor uploader --once --location 'new york'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " job " in value else "",
)
def test_what_holds_is_one_sentence_and_what_to_type(
    payload: dict[str, Any], sentence: str, command: str
) -> None:
    farm = Farm(release_scouts=False)
    farm.submit(2, **payload)
    (hold,) = idle(farm)
    assert (hold.reason, hold.command) == (sentence, command)


def test_scouts_that_cannot_release_the_rest_any_more_are_named() -> None:
    farm = Farm(release_scouts=True)
    farm.submit(3, **scouted("1", "2", "3", scouts="2", metadata=FAILS))
    (hold,) = idle(farm)
    assert hold.reason == "2 tasks of job 00001 wait for the scout frame 2 (task 001 is failed) to succeed"


def test_what_people_hold_is_told_from_what_waits_for_scouts() -> None:
    farm = Farm(release_scouts=False)
    farm.submit(4, scout_frames="0,1")
    farm.do(actions.act_on_tasks(farm.state, Action.HOLD, "1", ["1"]))
    (both,) = idle(farm)
    farm.do(actions.act_on_jobs(farm.state, Action.RELEASE_SCOUTS, ["1"]))
    farm.do(actions.act_on_tasks(farm.state, Action.HOLD, "1", ["1", "2"]))
    (hold,) = idle(farm)

    assert (
        both.reason == "2 tasks of job 00001 wait for the scout frames 0 and 1 to be approved, 1 more is held"
    )
    assert (both.tasks, both.action) == (3, Action.RELEASE_SCOUTS)
    assert (hold.reason, hold.command) == ("2 tasks of job 00001 are held", "conductor unhold 00001")


def test_files_that_were_never_sent_and_files_that_are_on_their_way_are_said() -> None:
    farm = Farm()
    body = {"instance_type": MACHINE.name, "output_path": "/out", "tasks_data": [{"command": "r"}]}
    farm.do(JobCreated(body, "", MACHINE, missing=("/proj/a.ma",)))
    farm.submit(1, **DAEMON)
    farm.do(uploads.claim(farm.state, ""))
    missing, coming = idle(farm)

    assert missing.reason == "job 00001 does not begin: 1 files were never uploaded: /proj/a.ma"
    assert (missing.command, missing.action) == ("conductor retry --sync 00001", Action.RETRY_SYNC)
    assert coming.reason == "job 00002 waits for the files that an uploader daemon brings"
    assert views.hold_record(coming)["command"] is None
    assert views.hold_record(coming)["request"] is None


def test_a_job_that_goes_on_by_itself_or_has_ended_does_not_hold() -> None:
    farm = Farm(fleet=1)
    jobs = [farm.submit(1), farm.submit(2, scout_frames="0"), farm.submit(1)]
    assert list(holds.holds(farm.state)) == []  # they are copied to the render storage
    farm.do(actions.force(farm.state, "1", "0", Outcome.FAILED, 1))
    farm.do(actions.force(farm.state, "3", "0", Outcome.SUCCESS, 0))
    assert [holds.hold_of(farm.state, job) for job in jobs] == [None, None, None]
