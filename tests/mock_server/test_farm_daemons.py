"""What daemons are handed and what they report: enforced md5s, leases at another speed, files one by one."""

from __future__ import annotations

from typing import Any

import pytest

from conductor_mock.farm import downloads, leases, tasks, uploads
from conductor_mock.farm.clock import ONE, SECOND, Anchor
from conductor_mock.farm.commands import ClockSet, OutputsListed
from conductor_mock.farm.state import Job
from conductor_mock.farm.statuses import DownloadStatus
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


def test_outputs_that_were_fetched_are_fetched_once_and_may_be_given_back() -> None:
    farm, job = rendered("a")
    farm.do(downloads.offer(farm.state, job, 0))
    farm.do(downloads.report(farm.state, NAME, status=DOWNLOADED, bytes_downloaded=1))
    assert job.tasks[0].status == "downloaded"
    assert downloads.report(farm.state, NAME, status=DOWNLOADED, bytes_downloaded=1) is None
    farm.do(downloads.report(farm.state, NAME, status=PENDING, bytes_downloaded=0))
    assert job.tasks[0].status == "success"
    assert list(downloads.waiting(farm.state, None)) == [(job, 0)]
