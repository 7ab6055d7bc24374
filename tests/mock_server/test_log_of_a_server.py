"""The log of a server that was started by its command: what libraries say of a bucket is not in it, nor
a traceback for what the system refuses; and what a line of a request costs.
"""

from __future__ import annotations

import errno
import logging
import sqlite3

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.cli.logs import is_told
from conductor_mock.serving import server
from conductor_mock.serving.log_lines import REQUESTS
from conductor_mock.store.objects import DamagedContentError
from conductor_mock.store.unavailable import UnavailableError
from support.server import Fake

QUIET = ("botocore", "urllib3")


@given(library=st.sampled_from(QUIET), part=st.sampled_from(["", ".retries", ".connectionpool.more"]))
def test_what_speaks_to_a_bucket_is_not_told(library: str, part: str) -> None:
    assert not is_told(logging.makeLogRecord({"name": library + part}))


@pytest.mark.parametrize("name", ["conductor_mock.service", "botocores", "root", "my.urllib3"])
def test_everything_elseis_told(name: str) -> None:
    assert is_told(logging.makeLogRecord({"name": name}))


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (UnavailableError("its object store does not answer"), "its object store does not answer"),
        (DamagedContentError(bytes(16)), "was damaged"),
        (OSError(errno.EIO, "at /a/folder/of/ours"), "its disk refuses (EIO"),
        (
            sa.exc.OperationalError("SELECT", {}, sqlite3.OperationalError("disk I/O error")),
            "its database refuses",
        ),
        (KeyError("a defect"), None),
    ],
)
def test_what_breaks_an_answer_off_is_a_line_and_a_defect_is_told_with_where_it_is(
    error: Exception, why: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    def answer() -> None:
        try:
            raise error
        finally:  # where cheroot has one that it handles
            server._log_server_error("what cheroot says", logging.WARNING, traceback=True)

    with pytest.raises(type(error)):
        answer()
    (said,) = caplog.records
    assert bool(said.exc_info) is (why is None)
    assert (why or "what cheroot says") in said.getMessage()
    assert "/a/folder" not in said.getMessage()


def test_no_line_of_a_request_costs_a_look_through_the_stack(
    fake: Fake, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, looks = fake.caller(), []

    def look(*_: object) -> tuple[str, int, str, None]:
        looks.append(1)
        return "", 0, "", None

    monkeypatch.setattr(logging.getLogger(REQUESTS), "findCaller", look)
    with caplog.at_level(logging.INFO, REQUESTS):
        assert caller.submit(project="unknown", scout_frames="99").status == 201
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == REQUESTS]
    assert [level for level, _ in lines] == ["INFO", "WARNING", "WARNING"]
    assert all(text.startswith("POST /jobs/") for _, text in lines)
    assert not looks
    caplog.clear()
    with caplog.at_level(logging.WARNING, REQUESTS):
        caller.jobs()
    assert not caplog.records
