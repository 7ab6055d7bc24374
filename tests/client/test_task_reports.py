"""Reports on tasks: what goes wrong with one is said, once, and does not end a download; being cancelled does."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from conductor.lib.cancellation import CancelledError
from conductor.lib.download.records import DownloadStatus, DownloadTask
from conductor.lib.download.task_reports import TaskReports, TaskUnderWay
from conductor.lib.exceptions import ConductorError, LoginError, RefusedError
from conductor.lib.wire.calls import Calls

TASK = DownloadTask(download_id="d1", job_id="00001", task_id="000", size=0, files=())


def reports(error: ConductorError) -> TaskReports:
    """Reports of which each goes wrong in this way."""

    class Refusing:
        def downloads_report(self, *_: Any, **__: Any) -> None:
            raise error

    return TaskReports(cast("Calls", Refusing()), enabled=True)


def test_a_report_that_is_refused_is_returned_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = RefusedError("no such download")
    assert reports(error).tell(TaskUnderWay(TASK), DownloadStatus.DOWNLOADED) is error
    assert caplog.messages == ["job 00001 task 000: no such download"]


@pytest.mark.parametrize("error", [CancelledError("cancelled"), LoginError("no key")], ids=repr)
def test_what_ends_a_download_is_raised_and_not_logged_as_a_failure(
    error: ConductorError, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(type(error)):
        reports(error).tell(TaskUnderWay(TASK), DownloadStatus.DOWNLOADED)
    assert caplog.messages == []
