"""The log of a server that was started by its command: what libraries say of a bucket is not in it."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.cli.logs import is_told

QUIET = ("botocore", "urllib3")


@given(library=st.sampled_from(QUIET), part=st.sampled_from(["", ".retries", ".connectionpool.more"]))
def test_what_speaks_to_a_bucket_is_not_told(library: str, part: str) -> None:
    assert not is_told(logging.makeLogRecord({"name": library + part}))


@pytest.mark.parametrize("name", ["conductor_mock.service", "botocores", "root", "my.urllib3"])
def test_everything_elseis_told(name: str) -> None:
    assert is_told(logging.makeLogRecord({"name": name}))
