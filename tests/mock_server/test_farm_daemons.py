"""What daemons are handed and what they report: enforced md5s, leases at another speed, files one by one."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import pytest

from conductor_mock.farm import actions, downloads, leases, outcomes, queues, snapshot, tasks, uploads
from conductor_mock.farm.clock import ONE, SECOND, Anchor
from conductor_mock.farm.commands import ClockSet, OutputsListed, RulesChanged, UploadFinished
from conductor_mock.farm.refusals import NotThereError, StateForbidsError
from conductor_mock.farm.state import Job
from conductor_mock.farm.statuses import Action, DownloadStatus
from conductor_mock.farm.values import OutputFile
from support.simulated import Farm

MD5, OTHER = "kAFQmDzST7DWlj99KOF/cg==", "1B2M2Y8AsgTpgAmY7PhCfg=="
NAME = "d00001-000-1"
PENDING, DOWNLOADED = DownloadStatus.PENDING, DownloadStatus.DOWNLOADED


def files(md5: str | None = None, size: int = 1) -> dict[str, Any]:
    return {"upload_files": [{"destination": "/a", "md5": md5, "st_size": size}]}


def claimed(**options: Any) -> tuple[Farm, Job]:
    """A farm with one job, whose file an uploader daemon has claimed."""
    farm = Farm()
    job = farm.submit(1, local_upload=False, **files(**options))
    farm.do(uploads.claim(farm.state, None))
    return farm, job


def rendered(*names: str) -> tuple[Farm, Job]:
    """A farm with one job, whose one task has these outputs."""
    farm = Farm()
    job = farm.submit(1)
    farm.until_idle()
    farm.do(OutputsListed(1, 0, tuple(OutputFile(name, MD5, 1) for name in names)))
    return farm, job


def next_file(farm: Farm) -> tuple[Job, int, int | None] | None:
    return downloads.next_file(farm.state, None, lambda _: True)


@pytest.mark.parametrize("seconds", [0, 1, 3600])
def test_syncing_takes_five_seconds_and_one_for_each_200_mb(seconds: int) -> None:
    farm, job = claimed(size=seconds * 200_000_000)
    farm.do(uploads.finish(farm.state, "u00001", reported={}, payload=files(), held_md5=lambda *_: MD5))
    farm.advance((5 + seconds) * SECOND - 1)
    assert tasks.job_status(job) == "syncing"
    farm.advance(1)
    assert tasks.job_status(job) == "pending"


@pytest.mark.parametrize(("reported", "right"), [(MD5, True), (None, True), (OTHER, False)])
def test_an_enforced_md5_is_held_against_what_the_daemon_reports(reported: str | None, right: bool) -> None:
    """The store may hold the enforced content all the same, from another path."""
    farm, _ = claimed(md5=MD5)
    command = uploads.finish(
        farm.state,
        "u00001",
        reported={"/a": reported},
        payload=files(MD5),
        held_md5=lambda _, md5: md5,
    )
    assert command is not None
    said = f"/a: expected md5 {MD5} (enforced at submission), got {OTHER}"
    assert command.problems == (() if right else (said,))


@pytest.mark.parametrize(
    ("held", "said"), [(True, ()), (False, ("/a: expected its content in the store, got none",))]
)
def test_what_nobody_enforced_is_what_the_daemon_says_or_what_is_held(
    held: bool, said: tuple[str, ...]
) -> None:
    farm, _ = claimed()
    for reported in (None, MD5):
        asked: list[tuple[str, str | None]] = []

        def held_md5(path: str, md5: str | None, asked: list[Any] = asked) -> str | None:
            asked.append((path, md5))
            return MD5 if held else None

        command = uploads.finish(
            farm.state, "u00001", reported={"/a": reported}, payload=files(), held_md5=held_md5
        )
        assert command is not None
        assert asked == [("/a", reported)]
        named = tuple(text.replace("store", f"store (md5 {reported})") if reported else text for text in said)
        assert command.problems == named


def test_an_upload_that_has_failed_is_not_finished_any_more_and_one_that_is_finished_does_not_fail() -> None:
    def finish(farm: Farm) -> UploadFinished | None:
        return uploads.finish(farm.state, "u00001", reported={}, payload=files(), held_md5=lambda *_: MD5)

    farm, job = claimed()
    farm.do(uploads.fail(farm.state, "u00001", "the disk is gone"))
    assert (tasks.job_status(job), job.note) == ("failed", "the disk is gone")
    assert uploads.fail(farm.state, "u00001", "again") is None
    with pytest.raises(StateForbidsError, match=r"upload u00001 has failed \(the disk is gone\)"):
        finish(farm)

    farm, job = claimed()
    farm.do(finish(farm))
    assert finish(farm) is None
    assert uploads.progress(farm.state, "u00001", bytes_to_send=1, bytes_sent=1) is None
    with pytest.raises(StateForbidsError, match="upload u00001 was finished before; job 00001 has its files"):
        uploads.fail(farm.state, "u00001", "late")

    farm, job = claimed()
    farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["1"]))
    with pytest.raises(StateForbidsError, match="upload u00001 went with its job"):
        finish(farm)


def test_a_claim_lasts_two_minutes_and_outputs_an_hour() -> None:
    farm, _ = claimed()
    farm.advance(120 * SECOND - 1)
    assert uploads.claim(farm.state, None) is None
    farm.advance(1)
    assert uploads.claim(farm.state, None) is not None

    farm, job = rendered("a")
    farm.do(downloads.offer(farm.state, job, 0))
    farm.advance(3600 * SECOND - 1)
    assert not list(downloads.waiting(farm.state, None))
    farm.advance(1)
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)]


def test_outputs_of_a_task_that_is_started_again_are_nobodys() -> None:
    farm, job = rendered("a")
    farm.do(downloads.offer(farm.state, job, 0))
    farm.do(actions.act_on_tasks(farm.state, Action.RETRY, "1", ["0"]))
    assert not list(downloads.waiting(farm.state, None))
    farm.until_idle()
    farm.advance(3600 * SECOND)
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)]


def test_outputs_that_somebody_was_handed_wait_for_nobody() -> None:
    farm, job = rendered("a", "b")
    farm.do(downloads.offer(farm.state, job, 0))
    assert list(downloads.waiting(farm.state, None)) == []
    assert list(queues.jobs_to_deliver(farm.state, None)) == []
    farm, job = rendered("a", "b")
    for file in (0, 1):
        assert list(queues.jobs_to_deliver(farm.state, None)) == [job]
        farm.do(downloads.offer(farm.state, job, 0, file))
    assert list(queues.jobs_to_deliver(farm.state, None)) == []


def test_a_lease_of_outputs_that_are_gone_ends_without_them() -> None:
    farm, job = rendered("a")
    farm.do(downloads.offer(farm.state, job, 0))
    farm.do(actions.act_on_tasks(farm.state, Action.RETRY, "1", ["0"]))
    farm.do(actions.act_on_jobs(farm.state, Action.HOLD, ["1"]))
    farm.advance(leases.DOWNLOAD_S * SECOND)
    assert not list(downloads.waiting(farm.state, None))
    farm.do(actions.act_on_jobs(farm.state, Action.UNHOLD, ["1"]))
    farm.until_idle()
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)]


@pytest.mark.parametrize(("names", "file", "count"), [(("a", "b"), 2, 2), ((), 0, 0)])
def test_a_file_that_is_not_there_is_told_with_how_many_there_are(
    names: tuple[str, ...], file: int, count: int
) -> None:
    farm, _ = rendered(*names)
    with pytest.raises(NotThereError, match=f"has no file {file}: it has {count}, counted from 0"):
        downloads.report(farm.state, NAME, status=DOWNLOADED, bytes_downloaded=1, file=file)


@pytest.mark.parametrize("speed", [2, 50])
def test_a_report_renews_a_lease_for_its_whole_length_at_the_new_speed(speed: int) -> None:
    farm, _ = claimed()
    farm.do(ClockSet(Anchor(0, farm.state.now_us, speed * ONE)))
    farm.advance(SECOND)
    farm.do(uploads.progress(farm.state, "u00001", bytes_to_send=2, bytes_sent=1))
    farm.advance(speed * leases.UPLOAD_S * SECOND - 1)
    assert uploads.claim(farm.state, None) is None
    farm.advance(1)
    assert uploads.claim(farm.state, None) is not None


def test_files_that_a_downloader_did_not_finish_are_offered_again_after_its_lease() -> None:
    farm, job = rendered("a", "b")
    for file in (0, 1):
        assert next_file(farm) == (job, 0, file)
        farm.do(downloads.offer(farm.state, job, 0, file))
    assert next_file(farm) is None
    farm.do(downloads.report(farm.state, NAME, status=DOWNLOADED, bytes_downloaded=1, file=0))
    farm.advance(leases.DOWNLOAD_S * SECOND)
    assert next_file(farm) == (job, 0, 1)


def test_outputs_are_downloaded_when_their_last_file_is() -> None:
    farm, job = rendered("a", "b")
    for file, status in ((0, "success"), (1, "downloaded")):
        farm.do(downloads.offer(farm.state, job, 0, file))
        farm.do(downloads.report(farm.state, NAME, status=DOWNLOADED, bytes_downloaded=1, file=file))
        assert job.tasks[0].status == status
    assert next_file(farm) is None


def test_a_file_that_is_given_back_is_the_next_ones_and_the_others_stay_where_they_are() -> None:
    farm, job = rendered("a", "b", "c")
    for file in (0, 1):
        farm.do(downloads.offer(farm.state, job, 0, file))
    farm.do(downloads.report(farm.state, NAME, status=PENDING, bytes_downloaded=0, file=0))
    assert next_file(farm) == (job, 0, 0)
    assert not list(downloads.waiting(farm.state, None)), "somebody has a file of it"
    farm.do(downloads.report(farm.state, NAME, status=PENDING, bytes_downloaded=0, file=1))
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)], "nobody has: who comes may have all"


def test_outputs_of_what_did_not_succeed_are_offered_to_nobody() -> None:
    farm = Farm()
    farm.do(RulesChanged((outcomes.check_rule({"outcome": "failed"}),)))
    job = farm.submit(1)
    farm.until_idle()
    assert job.tasks[0].status == "failed"
    assert next_file(farm) is None
    assert not list(downloads.waiting(farm.state, None))


def test_outputs_that_were_fetched_are_fetched_once_and_may_be_given_back() -> None:
    farm, job = rendered("a")
    farm.do(downloads.offer(farm.state, job, 0))
    farm.do(downloads.report(farm.state, NAME, status=DOWNLOADED, bytes_downloaded=1))
    assert job.tasks[0].status == "downloaded"
    assert downloads.report(farm.state, NAME, status=DOWNLOADED, bytes_downloaded=1) is None
    farm.do(downloads.report(farm.state, NAME, status=PENDING, bytes_downloaded=0))
    assert job.tasks[0].status == "success"
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)]


def test_a_task_is_marked_once_for_each_time_that_its_outputs_are_fetched_or_given_back() -> None:
    farm, job = rendered("a")
    farm.do(downloads.offer(farm.state, job, 0))
    reports = [PENDING, DOWNLOADED, DownloadStatus.DOWNLOADING, DOWNLOADED, PENDING, PENDING]
    for status in reports:
        farm.do(downloads.report(farm.state, NAME, status=status, bytes_downloaded=1))
    assert [status for _, status in job.tasks[0].marks or ()] == ["downloaded", "success"]


def test_what_is_delivered_are_the_outputs_of_tasks_that_succeeded_fetched_or_not() -> None:
    farm = Farm()
    rule = {"match": {"frames": "1"}, "outcome": "failed"}
    farm.do(RulesChanged((outcomes.check_rule(rule),)))
    job = farm.submit(3)
    assert list(downloads.delivered(job)) == []
    farm.until_idle()
    assert list(downloads.delivered(job)) == [0, 2]
    farm.do(downloads.offer(farm.state, job, 2))
    farm.do(downloads.report(farm.state, "d00001-002-1", status=DOWNLOADED, bytes_downloaded=1))
    assert list(downloads.delivered(job)) == [0, 2]


def test_a_daemon_gets_files_of_the_jobs_that_it_asks_for() -> None:
    farm = Farm()
    first, second = farm.submit(1), farm.submit(1)
    farm.until_idle()
    for job in (first, second):
        found = downloads.next_file(farm.state, None, partial(operator.is_, job))
        assert found == (job, 0, None), "its outputs were not listed yet"
    assert downloads.next_file(farm.state, None, lambda _: False) is None
    with pytest.raises(NotThereError, match="has no file 0: it has 0"):
        downloads.report(farm.state, NAME, status=DOWNLOADED, bytes_downloaded=1, file=0)


def test_a_report_renews_the_lease_of_outputs() -> None:
    farm, job = rendered("a")
    farm.do(downloads.offer(farm.state, job, 0))
    for _ in range(3):
        farm.advance(3600 * SECOND - 1)
        assert not list(downloads.waiting(farm.state, None))
        farm.do(downloads.report(farm.state, NAME, status=DownloadStatus.DOWNLOADING, bytes_downloaded=1))
    farm.advance(3600 * SECOND - 1)
    assert not list(downloads.waiting(farm.state, None))
    farm.advance(1)
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)]


def test_a_job_whose_files_are_wrong_has_failed_and_says_why() -> None:
    farm = Farm()
    entries = [{"destination": f"/{number}", "md5": MD5} for number in range(7)]
    payload = {"upload_files": entries}
    job = farm.submit(1, local_upload=False, notify={"emails": ["a@b.c"]}, **payload)
    farm.do(uploads.claim(farm.state, None))
    farm.do(uploads.finish(farm.state, "u00001", reported={}, payload=payload, held_md5=lambda *_: None))
    assert tasks.job_status(job) == "failed"
    assert job.note.count("expected its content") == 5, "the first are enough"
    assert [(mail.job, mail.status) for mail in farm.state.outbox] == [(1, "failed")]
    assert job.upload is not None
    assert (job.upload.status, job.upload.lease) == ("failed", None)
    assert uploads.claim(farm.state, None) is None


def test_an_uploader_that_gives_no_reason_is_told_to_have_given_none() -> None:
    farm, job = claimed()
    farm.do(uploads.fail(farm.state, "u00001", ""))
    assert (tasks.job_status(job), job.note) == ("failed", "the uploader daemon gave no reason")


@pytest.mark.parametrize("ended", ["finished", "failed", "not yet"])
def test_an_upload_goes_with_its_job_unless_it_has_ended(ended: str) -> None:
    farm, job = claimed()
    if ended == "finished":
        farm.do(uploads.finish(farm.state, "u00001", reported={}, payload=files(), held_md5=lambda *_: MD5))
    if ended == "failed":
        farm.do(uploads.fail(farm.state, "u00001", "no"))
    else:
        farm.do(actions.act_on_jobs(farm.state, Action.KILL, ["1"]))
    uploads.cancel(farm.state, job)
    assert job.upload is not None
    assert job.upload.status == ("cancelled" if ended == "not yet" else ended)
    assert uploads.claim(farm.state, None) is None


def test_what_is_watched_is_watched_once_and_what_is_gone_has_no_lease_to_change() -> None:
    farm, job = rendered("a")
    for _ in range(5):
        farm.do(downloads.offer(farm.state, job, 0))
        farm.do(downloads.report(farm.state, NAME, status=PENDING, bytes_downloaded=0))
    farm.do(downloads.offer(farm.state, job, 0))
    assert len(farm.state.watched) == 1
    farm.do(actions.act_on_tasks(farm.state, Action.RETRY, "1", ["0"]))
    farm.do(ClockSet(Anchor(0, farm.state.now_us, 7 * ONE)))
    farm.until_idle()
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)]


@pytest.mark.parametrize("speed", [2, 50])
def test_what_has_a_lease_is_looked_at_once_when_it_ends_however_often_the_speed_changes(speed: int) -> None:
    farm, job = claimed()
    for factor in (speed, 1, speed):
        farm.do(ClockSet(Anchor(0, farm.state.now_us, factor * ONE)))
    assert job.upload is not None
    assert job.upload.lease is not None
    assert farm.state.watched == [(job.upload.lease.until_us, job.number, leases.UPLOAD)]


def test_leases_go_on_in_a_state_that_was_read_from_a_snapshot() -> None:
    farm = Farm()
    done = farm.submit(1)
    farm.until_idle()
    farm.submit(1, local_upload=False, **files())
    farm.do(uploads.claim(farm.state, None))
    farm.do(downloads.offer(farm.state, done, 0))
    farm.state = snapshot.read(farm.stored())
    farm.advance(leases.UPLOAD_S * SECOND - 1)
    assert uploads.claim(farm.state, None) is None
    farm.advance(1)
    assert uploads.claim(farm.state, None) is not None
    farm.advance((leases.DOWNLOAD_S - leases.UPLOAD_S) * SECOND - 1)
    assert not list(downloads.waiting(farm.state, None))
    farm.advance(1)
    assert list(downloads.waiting(farm.state, None)) == [(farm.state.jobs[1], 0)]
