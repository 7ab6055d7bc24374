"""Journal and log are written by threads of their own: nobody waits for them, and nothing is missing for who reads."""

from __future__ import annotations

import io
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.serving.log_lines import REQUESTS, BatchedLines
from conductor_mock.store.batches import MOST_BYTES, Batches
from conductor_mock.store.journal import Journal
from support.server import Fake, running

FOR_EVER_S = 3600
PATIENCE_S = 60


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_what_was_handed_in_is_written_once_and_in_order_before_anybody_reads(counts: list[int]) -> None:
    written: list[tuple[int, int]] = []
    batches: Batches[tuple[int, int]] = Batches("a test", written.extend, gather_s=FOR_EVER_S)

    def work(who: int) -> None:
        for number in range(counts[who]):
            batches.hand_in((who, number), 1)
        with batches.settled():
            assert [one for one in written if one[0] == who] == [(who, n) for n in range(counts[who])]

    with ThreadPoolExecutor(len(counts)) as pool:
        list(pool.map(work, range(len(counts))))
    batches.close()
    assert len(written) == sum(counts) == batches.handed_in


def test_a_thread_writes_what_nobody_reads() -> None:
    written, told = list[int](), threading.Event()

    def write(numbers: list[int]) -> None:
        written.extend(numbers)
        if len(written) == 3:
            told.set()

    batches: Batches[int] = Batches("a test", write, gather_s=0)
    for number in range(3):
        batches.hand_in(number, 1)
    assert told.wait(PATIENCE_S)
    batches.close()
    assert written == [0, 1, 2]


@pytest.mark.parametrize(("most", "size"), [(10, 1), (1000, MOST_BYTES // 10)], ids=["number", "bytes"])
def test_whoever_brings_more_than_may_wait_writes_all_of_it(most: int, size: int) -> None:
    batches_written: list[list[int]] = []
    batches: Batches[int] = Batches("a test", batches_written.append, most=most, gather_s=FOR_EVER_S)
    for number in range(25):
        batches.hand_in(number, size)
    assert [len(batch) for batch in batches_written] == [11, 11]
    batches.close()
    assert [number for batch in batches_written for number in batch] == list(range(25)), "nothing is dropped"


def test_what_cannot_be_written_is_told_and_the_next_is_written(caplog: pytest.LogCaptureFixture) -> None:
    tried: list[int] = []
    failed, told = threading.Event(), threading.Event()

    def write(numbers: list[int]) -> None:
        tried.extend(numbers)
        if numbers == [1]:
            failed.set()
            raise ZeroDivisionError
        told.set()

    batches: Batches[int] = Batches("a test", write, gather_s=0)
    batches.hand_in(1, 1)
    assert failed.wait(PATIENCE_S)
    batches.hand_in(2, 1)
    assert told.wait(PATIENCE_S)
    batches.close()
    assert tried == [1, 2]
    assert "a test: what was to be written is lost" in caplog.text


def test_where_no_thread_is_to_be_had_whoever_hands_in_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    written: list[int] = []
    batches: Batches[int] = Batches("a test", written.extend, gather_s=FOR_EVER_S)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        batches.hand_in(1, 1)
        assert written == [1]
    batches.hand_in(2, 1)
    assert written == [1], "there is a thread now, which lets things come together"
    batches.close()
    assert written == [1, 2]


def test_what_comes_after_the_end_is_written_at_once() -> None:
    written: list[int] = []
    batches: Batches[int] = Batches("a test", written.extend)
    batches.close()
    batches.hand_in(1, 1)
    assert written == [1]


def test_as_many_bytes_as_may_wait_do() -> None:
    written: list[list[int]] = []
    batches: Batches[int] = Batches("a test", written.append, gather_s=FOR_EVER_S)
    for number in (0, 2):
        batches.hand_in(number, MOST_BYTES)
        assert len(written) == number // 2
        batches.hand_in(number + 1, 1)
    batches.close()
    assert written == [[0, 1], [2, 3]]


def test_there_is_one_thread_that_keeps_no_process_and_none_after_the_end() -> None:
    written: list[int] = []
    batches: Batches[int] = Batches("the only one", written.extend, gather_s=FOR_EVER_S)
    assert batches._thread is None, "it begins when there is something to write"
    for number in range(3):
        batches.hand_in(number, 1)
    assert batches._there.is_set()
    (thread,) = (one for one in threading.enumerate() if one.name == "the only one")
    assert thread.daemon
    batches.close()
    assert not thread.is_alive()
    batches.hand_in(3, 1)
    assert written == [0, 1, 2, 3], "at once"
    batches = Batches("none", written.extend)
    batches.close()
    batches.hand_in(4, 1)
    assert batches._thread is None


def test_a_close_waits_for_the_writer_unless_it_is_the_writer() -> None:
    joined: list[float | None] = []

    class Writer(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            joined.append(timeout)

    written: list[int] = []
    batches: Batches[int] = Batches("a test", written.extend)
    batches._waiting.append(1)
    batches._thread = Writer()
    batches.close()
    assert len(joined) == 1
    assert joined[0] is not None, "not for ever"
    assert batches._there.is_set()
    batches._thread = threading.current_thread()
    batches._waiting.append(2)
    batches.close()
    assert written == [1, 2]


@pytest.mark.parametrize("does", ["settle", "close"])
def test_what_waited_before_a_fork_is_the_parents_to_write_whatever_the_child_does_first(does: str) -> None:
    written: list[int] = []
    batches: Batches[int] = Batches("a test", written.extend)
    batches._waiting.append(1)
    batches._process += 1  # as in a child, which has none of its parent's threads
    getattr(batches, does)()
    assert written == []
    if does == "close":
        batches.hand_in(2, 1)
        assert written == [2], "what comes after the end is written at once"


def test_the_writer_lets_things_come_together_and_then_writes_them() -> None:
    done: list[object] = []

    class Noted(threading.Event):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def wait(self, timeout: float | None = None) -> bool:
            done.append((self.name, timeout))
            return True

        def clear(self) -> None:
            done.append("cleared")

        def is_set(self) -> bool:
            return done.count("written") == 2

    def write(_: list[int]) -> None:
        done.append("written")
        batches._waiting.append(1)

    batches: Batches[int] = Batches("a test", write, gather_s=7)
    batches._there, batches._closing = Noted("there"), Noted("closing")
    batches._waiting.append(1)
    batches._run()
    assert done == [("there", None), ("closing", 7), "cleared", "written"] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_process_that_was_forked_off_writes_its_own_things_and_not_its_parents(tmp_path: Path) -> None:
    def write(lines: list[str]) -> None:
        with (tmp_path / "written").open("a") as file:
            file.write("".join(lines))

    batches: Batches[str] = Batches("a test", write, gather_s=FOR_EVER_S)
    batches.hand_in("parent\n", 1)
    child = os.fork()
    if not child:
        try:
            batches.hand_in("child\n", 1)
            batches.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    batches.close()
    assert (tmp_path / "written").read_text() == "child\nparent\n"


# The journal


@pytest.fixture
def unhurried(tmp_path: Path) -> Iterator[Fake]:
    """A fake whose journal nobody writes but those who read it."""
    with running(data_dir=tmp_path) as fake:
        fake.service.journal._batches._gather_s = FOR_EVER_S
        yield fake


def test_whoever_reads_the_journal_sees_every_answered_request(unhurried: Fake, tmp_path: Path) -> None:
    caller = unhurried.caller()
    for number in range(3):
        assert caller.submit(job_title=f"number {number}").status == 201
        asked = caller.get("/_mock/requests", query={"account": caller.client_id}).json()["requests"]
        assert [one["operation"] for one in asked] == ["auth.token", *["jobs.create"] * (number + 1)]
        assert f"number {number}" in asked[-1]["body"]["text"]
    assert caller.submit().status == 201


def test_a_clean_stop_writes_all_of_the_journal(tmp_path: Path) -> None:
    with running(data_dir=tmp_path) as fake:
        fake.service.journal._batches._gather_s = FOR_EVER_S
        for _ in range(3):
            fake.caller().submit()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        assert connection.execute("SELECT count(*) FROM requests").fetchone() == (6,)


def test_no_answer_waits_for_the_journal(unhurried: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    insert = Journal._insert

    def late(journal: Journal, *entries: object) -> None:
        assert go_on.wait(PATIENCE_S)
        insert(journal, *entries)  # type: ignore[arg-type]

    caller = unhurried.caller()
    monkeypatch.setattr(Journal, "_insert", late)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(unhurried.service.journal.find)
        assert caller.submit().status == 201
        go_on.set()
        assert reading.result(PATIENCE_S)
    assert len(unhurried.service.journal.find()) == 2


def test_two_who_write_one_journal_give_each_entry_a_number_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    entry = {"method": "GET", "path": "/"}
    with (
        closing(Journal(path, keep=150, most_bytes=2000)) as one,
        closing(Journal(path, keep=150, most_bytes=2000)) as other,
    ):
        for number in range(200):
            journal = (one, other)[number % 3 > 0]
            journal.add(account="a", operation=None, entry={**entry, "number": number})
            (last,) = journal.find(limit=1)
            assert last["number"] == number
        found = one.find()
        assert [(entry["id"], entry["number"]) for entry in found] == [
            (number + 1, number) for number in range(200 - len(found), 200)
        ]
        assert 30 < len(found) < 60, "together they keep what one may"


# The log


def logged(stream: io.StringIO, name: str = "a test") -> tuple[logging.Logger, BatchedLines]:
    handler = BatchedLines(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler._batches._gather_s = FOR_EVER_S
    logger = logging.Logger(name)
    logger.addHandler(handler)
    return logger, handler


def test_lines_are_written_later_and_what_is_out_of_the_ordinary_at_once_with_those_before_it() -> None:
    stream = io.StringIO()
    logger, handler = logged(stream)
    changing = ["as it was"]
    logger.info("one %s", changing)
    changing[0] = "as it became"
    assert stream.getvalue() == ""
    logger.warning("two")
    assert stream.getvalue() == "INFO one ['as it was']\nWARNING two\n"
    logger.info("three")
    handler.close()
    assert stream.getvalue().endswith("two\nINFO three\n")


def test_what_is_odd_about_a_request_waits_with_the_other_lines_of_requests_and_keeps_its_place() -> None:
    stream = io.StringIO()
    logger, handler = logged(stream, REQUESTS)
    logger.info("POST /jobs/ 201")
    logger.warning("POST /jobs/: /title: is not in the contract")
    assert stream.getvalue() == ""
    handler.close()
    assert stream.getvalue() == "INFO POST /jobs/ 201\nWARNING POST /jobs/: /title: is not in the contract\n"


def test_a_record_that_cannot_be_written_keeps_no_other_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    stream = io.StringIO()
    logger, handler = logged(stream)
    logger.info("one %d", "no number")
    logger.info("two")
    handler.flush()
    assert stream.getvalue() == "INFO two\n"
    handler.close()
