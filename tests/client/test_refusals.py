"""Why the store did not take a file: whether another URL may help, and what is told where none does."""

from __future__ import annotations

from pathlib import Path

import pytest

from conductor.lib.exceptions import Acted, FileChangedError, RefusedError
from conductor.lib.files.hashing import hash_file
from conductor.lib.files.local import LocalFile
from conductor.lib.upload.refusals import explained, may_have_expired
from support.client_world import md5_of


def refusal(status: int) -> RefusedError:
    return RefusedError("no", operation="objects.put", status=status, attempts=2, acted=Acted.NO)


@pytest.fixture
def file(tmp_path: Path) -> LocalFile:
    (tmp_path / "a").write_bytes(b"abc")
    return hash_file(str(tmp_path / "a"))


def test_another_url_may_help_where_the_store_does_not_know_this_one(file: LocalFile) -> None:
    statuses = range(300, 500)
    assert [one for one in statuses if may_have_expired(file, refusal(one))] == [400, 401, 403, 404, 410]


def test_another_url_does_not_help_where_the_bytes_are_wrong(file: LocalFile) -> None:
    Path(file.path).write_bytes(b"xyz")
    assert [one for one in range(300, 500) if may_have_expired(file, refusal(one))] == [401, 403, 404, 410]
    assert not may_have_expired(file, FileChangedError("changed", path=file.path, status=403))


def test_a_refusal_is_told_with_its_facts_and_what_is_true_of_the_file(file: LocalFile) -> None:
    told = explained(file, refusal(403))
    assert isinstance(told, RefusedError)
    assert str(told) == f"no; the file still has the md5 {md5_of(b'abc')} that was declared"
    assert (told.operation, told.status, told.attempts, told.acted) == ("objects.put", 403, 2, Acted.NO)

    Path(file.path).write_bytes(b"xyz")
    told = explained(file, refusal(403))
    assert isinstance(told, FileChangedError)
    assert (told.expected, told.actual) == (md5_of(b"abc"), md5_of(b"xyz"))


def test_a_file_that_was_only_touched_is_told_as_changed_with_the_same_md5(file: LocalFile) -> None:
    error = FileChangedError("changed", path=file.path, expected="3 bytes", actual="3 bytes, later")
    told = explained(file, error)
    assert isinstance(told, FileChangedError)
    assert told.path == file.path
    assert told.actual == "3 bytes, later (the same md5)"
