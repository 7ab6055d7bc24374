"""What a download leaves on the disk and tells the service, whatever happens on the way."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import responses
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.lib.cancellation import Cancellation, CancelledError
from conductor.lib.download.partial_file import SUFFIX, partial_path
from conductor.lib.download.plan import Overwrite, Selection, parse_task_ids
from conductor.lib.download.records import next_tasks, read_task
from conductor.lib.download.report import FileStatus
from conductor.lib.downloader import Downloader
from conductor.lib.exceptions import BadArgumentError, BusyError, RefusedError
from conductor.lib.md5_cache import Md5Cache
from conductor.lib.progress import Progress
from conductor.lib.wire.transport import RECEIVED_BYTES
from support.client_world import client_threads, make_client, md5_of
from support.fake_outputs import FakeOutputs, here, luck_of
from support.raw_server import RawServer, Step, answer

CONTENT = bytes(range(256)) * 400


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[FakeOutputs]:
    """Outputs whose place is the test's folder ``out``."""
    service = FakeOutputs(str(tmp_path / "out"))
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        service.install(mock)
        yield service


def download(tmp_path: Path, *selections: Selection | str, threads: int = 4, **options: Any) -> Any:
    with make_client(tmp_path, threads=threads) as client:
        return Downloader(client, **options).download(selections or ["1"])


def test_every_output_of_a_job_lies_where_the_job_put_it_and_the_service_knows(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    outputs.add("a.png", b"a").add("deep/er/b.png", CONTENT, task="001").add("empty", b"", task="002")
    report = download(tmp_path)
    assert here(tmp_path / "out") == {"a.png": b"a", "deep/er/b.png": CONTENT, "empty": b""}
    assert (report.fetched, report.kept, report.problems, report.complete) == (3, 0, (), True)
    assert report.bytes_received == 1 + len(CONTENT)
    assert [outputs.statuses(task) for task in ("000", "001", "002")] == [["downloaded"]] * 3


def test_tasks_are_listed_page_by_page(outputs: FakeOutputs, tmp_path: Path) -> None:
    for number in range(7):
        outputs.add(f"{number}.png", b"%d" % number, task=f"{number:03d}")
    report = download(tmp_path, "00001", page_size=3)
    assert report.fetched == 7
    assert [page.get("start_cursor") for page in outputs.pages] == [None, "3", "6"]


def test_only_the_tasks_that_were_named_are_fetched(outputs: FakeOutputs, tmp_path: Path) -> None:
    for number in range(12):
        outputs.add(f"{number}.png", b"%d" % number, task=f"{number:03d}")
    download(tmp_path, "1:1-7x3,10")
    assert sorted(here(tmp_path / "out")) == ["1.png", "10.png", "4.png", "7.png"]
    assert outputs.pages[0]["tids"] == ["001", "004", "007", "010"]


@pytest.mark.parametrize("text", ["1:", "1:x", "1:3-", "1:1-5x0", "job", "", "1;2", "1:-4", "../1"])
def test_what_names_no_job_or_task_is_refused_before_anything_is_asked(
    outputs: FakeOutputs, tmp_path: Path, text: str
) -> None:
    with pytest.raises(BadArgumentError):
        download(tmp_path, text)
    assert outputs.pages == []


def test_a_job_that_is_not_there_is_named_and_the_next_one_is_fetched(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    outputs.add("a.png", b"a")
    report = download(tmp_path, "00077", "00001")
    assert [type(error) for error in report.errors] == [RefusedError]
    assert here(tmp_path / "out") == {"a.png": b"a"}
    assert not report.complete


@pytest.mark.parametrize(
    ("texts", "ids"),
    [
        (["0"], ("000",)),
        (["3", "1-2"], ("001", "002", "003")),
        (["0-10x5,1000"], ("000", "005", "010", "1000")),
        (["1,1", "1"], ("001",)),
        (["8,1"], ("001", "008")),
        ([], ()),
    ],
)
def test_tasks_are_named_once_and_in_their_order(texts: list[str], ids: tuple[str, ...]) -> None:
    assert parse_task_ids(texts) == ids


@pytest.mark.parametrize("text", ["", "x", "-1", "1,-2", "3,1-100000000", "1-"])
def test_what_names_no_tasks_is_refused_though_other_parts_do(text: str) -> None:
    with pytest.raises(BadArgumentError, match="tasks"):
        parse_task_ids(["1", text])


def test_files_go_below_a_destination_by_job(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", b"a").add("a.png", b"other", job="00002")
    download(tmp_path, "1", "2", destination=tmp_path / "elsewhere")
    assert here(tmp_path / "elsewhere") == {"00001/a.png": b"a", "00002/a.png": b"other"}
    assert not (tmp_path / "out").exists()


def test_an_output_path_of_another_system_is_not_used(
    outputs: FakeOutputs, tmp_path: Path, home: Path
) -> None:
    outputs.output_dir = "C:\\renders"
    outputs.add("a.png", b"a")
    download(tmp_path)
    assert here(home / "CONDUCTOR_DOWNLOADS") == {"00001/a.png": b"a"}


def test_files_that_are_right_are_kept(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", CONTENT).add("b.png", b"b")
    download(tmp_path)
    before = (tmp_path / "out" / "a.png").stat()
    outputs.fetches.clear()
    report = download(tmp_path)
    assert (report.fetched, report.kept) == (0, 2)
    assert outputs.fetches == []
    assert (tmp_path / "out" / "a.png").stat().st_ino == before.st_ino
    assert outputs.statuses() == ["downloaded"] * 2


def test_what_becomes_of_a_file_that_is_there_is_said_in_a_word() -> None:
    assert [policy.value for policy in Overwrite] == ["changed", "always", "never"]


@pytest.mark.parametrize("there", [b"another", CONTENT[:-1] + b"\0"])
@pytest.mark.parametrize("policy", list(Overwrite))
def test_a_file_of_another_content_is_treated_by_the_policy(
    outputs: FakeOutputs, tmp_path: Path, policy: Overwrite, there: bytes
) -> None:
    outputs.add("a.png", CONTENT)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(there)
    report = download(tmp_path, overwrite=policy)
    kept = policy is Overwrite.NEVER
    assert here(tmp_path / "out") == {"a.png": there if kept else CONTENT}
    assert report.files[0].status is (FileStatus.KEPT if kept else FileStatus.FETCHED)


def test_always_fetches_what_is_right_already(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", CONTENT)
    download(tmp_path)
    assert download(tmp_path, overwrite=Overwrite.ALWAYS).fetched == 1


def test_md5s_of_files_that_are_there_are_remembered(
    outputs: FakeOutputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs.add("a.png", CONTENT)
    download(tmp_path)
    os.utime(tmp_path / "out" / "a.png", (1, 1))
    cache = Md5Cache(tmp_path / "md5s", now_ns=lambda: 2**62)
    download(tmp_path, cache=cache)
    monkeypatch.setattr("conductor.lib.download.file.hash_file", None)  # it would fail
    assert download(tmp_path, cache=cache).kept == 1


def test_an_expression_chooses_files_and_these_count_as_the_task(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    outputs.add("a.0001.png", b"1").add("a.0002.png", b"2").add("b.txt", b"b", task="001")
    report = download(tmp_path, regex=r"0002\.png$")
    assert here(tmp_path / "out") == {"a.0002.png": b"2"}
    assert report.fetched == 1
    assert (outputs.statuses("000"), outputs.statuses("001")) == (["downloaded"], [])


def test_an_expression_may_name_the_folder_of_the_job(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", b"1")
    assert download(tmp_path, regex=rf"^{re.escape(str(tmp_path))}/out/a\.png$").fetched == 1
    assert download(tmp_path / "new", regex=r"/elsewhere/").fetched == 0


def test_an_expression_that_is_none_is_refused(outputs: FakeOutputs, tmp_path: Path) -> None:
    with pytest.raises(BadArgumentError, match="regular expression"):
        download(tmp_path, regex="(")


def test_nothing_is_reported_where_that_is_not_wanted(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", b"a")
    assert download(tmp_path, report=False).complete
    assert outputs.reports == []


# Bad luck


@pytest.mark.parametrize(
    "events",
    [
        ("drop:0",),
        ("drop:70000",),
        ("drop:70000", "drop:10", "drop:0", 503, "drop:9000"),
        ("spoil",),
        ("short",),
        ("drop:70000", "spoil"),
        ("drop:70000", "whole"),
        ("drop:70000", "shifted"),
        ("drop:70000", 416),
        (500, 502, 503, 504),
    ],
)
@pytest.mark.parametrize("threads", [1, 4])
def test_a_file_comes_whole_through_bad_luck(
    outputs: FakeOutputs, tmp_path: Path, events: tuple[str | int], threads: int
) -> None:
    outputs.add("a.png", CONTENT)
    outputs.luck = luck_of(*events)
    report = download(tmp_path, threads=threads)
    assert report.complete, report.files
    assert here(tmp_path / "out") == {"a.png": CONTENT}


def test_of_what_came_before_a_break_at_most_a_block_is_sent_again(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    outputs.add("a.png", CONTENT)
    outputs.luck = luck_of("drop:70000")
    download(tmp_path)
    assert [asked for _, asked in outputs.fetches] == ["", f"bytes={RECEIVED_BYTES}-"]
    assert outputs.sent - len(CONTENT) == 70000 - RECEIVED_BYTES


def test_a_partial_file_of_an_earlier_run_is_continued(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", CONTENT)
    target = tmp_path / "out" / "a.png"
    target.parent.mkdir()
    partial_path(target, md5_of(CONTENT)).write_bytes(CONTENT[:1000])
    report = download(tmp_path)
    assert report.bytes_received == len(CONTENT) - 1000
    assert here(tmp_path / "out") == {"a.png": CONTENT}


@pytest.mark.parametrize("rest", [b"x" * 1000, CONTENT + b"more", b"x" * len(CONTENT)])
def test_a_partial_file_that_is_wrong_is_fetched_again(
    outputs: FakeOutputs, tmp_path: Path, rest: bytes
) -> None:
    outputs.add("a.png", CONTENT)
    target = tmp_path / "out" / "a.png"
    target.parent.mkdir()
    partial_path(target, md5_of(CONTENT)).write_bytes(rest)
    assert download(tmp_path).complete
    assert here(tmp_path / "out") == {"a.png": CONTENT}


def test_a_whole_partial_file_is_put_in_place_without_a_request(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", CONTENT)
    target = tmp_path / "out" / "a.png"
    target.parent.mkdir()
    partial_path(target, md5_of(CONTENT)).write_bytes(CONTENT)
    assert download(tmp_path).complete
    assert outputs.fetches == []
    assert here(tmp_path / "out") == {"a.png": CONTENT}


def test_a_file_that_never_is_what_was_promised_is_named_with_both_md5s_and_not_there(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    outputs.add("a.png", CONTENT).add("b.png", b"b")
    outputs.luck = luck_of(*["spoil"] * 3)
    report = download(tmp_path, threads=1)
    (problem,) = report.problems
    wrong = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    assert md5_of(CONTENT) in problem.reason
    assert md5_of(wrong) in problem.reason
    assert problem.status is FileStatus.FAILED
    assert here(tmp_path / "out") == {"b.png": b"b"}
    assert outputs.statuses() == ["pending"]


def test_a_url_that_is_refused_twice_is_not_renewed_for_ever(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", CONTENT)
    outputs.luck = luck_of(403, 403)
    report = download(tmp_path)
    assert "403" in report.problems[0].reason
    assert len(outputs.pages) == len(outputs.fetches) == 2


def test_a_url_that_has_expired_is_replaced_by_a_new_one(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", CONTENT)
    listed = outputs.record("00001", "000")
    outputs.expire()
    with make_client(tmp_path) as client:
        report = Downloader(client).download_tasks([read_task(listed)])
    assert report.complete
    assert [page["tids"] for page in outputs.pages] == [["000"]]


def test_one_file_that_cannot_be_had_leaves_the_others_alone(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", b"a").add("b.png", b"b", task="001")
    outputs.luck = luck_of(404, 404)
    report = download(tmp_path, threads=1)
    assert [(result.path, result.status) for result in report.problems] == [
        (str(tmp_path / "out" / "a.png"), FileStatus.FAILED)
    ]
    assert "404" in report.problems[0].reason
    assert [task.task_id for task in report.unfinished] == ["000"]
    assert (outputs.statuses("000"), outputs.statuses("001")) == (["pending"], ["downloaded"])


def test_when_file_after_file_finds_no_server_the_rest_is_not_tried(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    for number in range(100):
        outputs.add(f"{number}.png", b"x%d" % number, task=f"{number:03d}")
    outputs.luck = luck_of(*[503] * 10_000)
    report = download(tmp_path, threads=2)
    assert report.fetched == 0
    assert len(outputs.fetches) < 5 * 30
    assert isinstance(report.errors[0], BusyError)


def test_a_disk_that_says_no_is_a_message_about_that_file(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("folder/a.png", b"a").add("b.png", b"b")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "folder").write_bytes(b"a file where a folder should be")
    report = download(tmp_path)
    (problem,) = report.problems
    assert problem.path.endswith("folder/a.png")
    assert problem.reason
    assert here(tmp_path / "out") == {"b.png": b"b", "folder": b"a file where a folder should be"}


def test_a_full_disk_leaves_no_half_file(
    outputs: FakeOutputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conductor.lib.download.partial_file import PartialFile

    def full(self: PartialFile, block: bytes) -> None:
        raise OSError(28, "No space left on device")

    outputs.add("a.png", CONTENT)
    monkeypatch.setattr(PartialFile, "write", full)
    report = download(tmp_path)
    assert "No space left" in report.problems[0].reason
    assert here(tmp_path / "out") == {}


# Paths


@pytest.mark.parametrize(
    "name",
    [
        "../escape.png",
        "/etc/escape.png",
        "a/../../escape.png",
        "..\\escape.png",
        "C:escape.png",
        "C:\\escape.png",
        "\\\\server\\share\\escape.png",
        "NUL",
        "a/con.0001.exr",
        "a/trailing.",
        "a /b.png",
        "nul\0l.png",
        "",
        "folder/",
        "\ud800.png",
    ],
)
def test_a_path_that_is_not_safe_is_refused_and_the_rest_goes_on(
    outputs: FakeOutputs, tmp_path: Path, name: str
) -> None:
    outputs.add(name, b"bad").add("good.png", b"good")
    report = download(tmp_path)
    assert [(result.status, result.path) for result in report.problems] == [(FileStatus.REFUSED, "")]
    assert report.problems[0].reason
    assert here(tmp_path / "out") == {"good.png": b"good"}
    assert not list(tmp_path.rglob("*escape*"))
    assert len(outputs.fetches) == 1
    assert outputs.statuses() == ["pending"]


def test_names_that_this_system_can_hold_are_taken_where_that_is_wanted(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    outputs.add("aux/a.png", b"1").add("aux/A.png", b"2").add("../b.png", b"3")
    report = download(tmp_path, portable_names=False)
    assert here(tmp_path) == {"out/aux/a.png": b"1", "out/aux/A.png": b"2"}
    assert len(report.problems) == 1


def test_of_names_that_differ_in_case_the_first_is_taken(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.add("a.png", b"1").add("A.png", b"2")
    report = download(tmp_path)
    assert here(tmp_path / "out") == {"a.png": b"1"}
    assert "case" in report.problems[0].reason


def test_of_two_tasks_with_another_file_of_one_name_the_first_is_taken(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    outputs.add("log.txt", b"1").add("log.txt", b"2", task="001").add("log.txt", b"1", task="002")
    report = download(tmp_path)
    assert here(tmp_path / "out") == {"log.txt": b"1"}
    assert [result.file.task_id for result in report.problems] == ["001"]


@pytest.mark.parametrize("link", ["deep", "deep/er", "deep/er/a.png"])
def test_nothing_is_written_through_a_link(outputs: FakeOutputs, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    (outside / "er").mkdir(parents=True)
    (outside / "a.png").write_bytes(b"precious")
    place = tmp_path / "out" / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside / "a.png" if link.endswith("png") else outside)
    outputs.add("deep/er/a.png", b"new").add("b.png", b"b")
    report = download(tmp_path)
    assert [result.status for result in report.problems] == [FileStatus.REFUSED]
    assert "link" in report.problems[0].reason
    assert here(outside) == {"a.png": b"precious"}
    assert place.is_symlink()


def test_the_output_folder_itself_may_be_a_link(outputs: FakeOutputs, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    outputs.add("a.png", b"a")
    assert download(tmp_path).complete
    assert here(tmp_path / "disk") == {"a.png": b"a"}


# Progress and the end


@pytest.mark.parametrize("threads", [1, 4])
def test_progress_ends_with_everything_done(outputs: FakeOutputs, tmp_path: Path, threads: int) -> None:
    outputs.add("a.png", CONTENT).add("b.png", b"b", task="001").add("../c.png", b"cc", task="002")
    outputs.luck = luck_of("drop:100")
    seen: list[Progress] = []
    ticks = iter(range(10**6))
    with make_client(tmp_path, threads=threads) as client:
        Downloader(client, clock=lambda: float(next(ticks))).download(["1"], progress=seen.append)
    last = seen[-1]
    assert (last.done_files, last.files) == (3, 3)
    assert last.done_bytes == last.bytes == len(CONTENT) + 3
    assert [event.done_bytes for event in seen] == sorted(event.done_bytes for event in seen)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_cancelled_download_keeps_what_came_and_gives_the_task_back(
    outputs: FakeOutputs, tmp_path: Path, threads: int
) -> None:
    outputs.add("a.png", CONTENT)
    cancellation = Cancellation()
    ticks = iter(range(10**6))

    def cancel(progress: Progress) -> None:
        if progress.done_bytes:
            cancellation.cancel()

    if threads > 1:  # the calling thread sees no single block
        outputs.on_fetch = cancellation.cancel
    with make_client(tmp_path, threads=threads) as client, pytest.raises(CancelledError):
        Downloader(client, clock=lambda: float(next(ticks))).download(
            ["1"], progress=cancel, cancellation=cancellation
        )
    assert outputs.statuses() == ["pending"]
    assert all(name.endswith(SUFFIX) for name in here(tmp_path / "out"))


def test_a_download_that_waits_for_a_silent_server_is_cancelled_at_once(tmp_path: Path) -> None:
    cancellation = Cancellation()

    def list_one(connection: socket.socket, closing: threading.Event) -> None:
        file = {"relative_path": "a.png", "size": 9, "md5": None, "url": f"{server.url}/a"}
        task = {"download_id": "d", "job_id": "00001", "task_id": "000", "output_dir": str(tmp_path / "out")}
        body = {"downloads": [{**task, "size": 9, "files": [{**file, "output_dir": str(tmp_path / "out")}]}]}
        answer(201, json.dumps(body).encode()).act(connection, closing)

    def fall_silent(connection: socket.socket, closing: threading.Event) -> None:
        cancellation.cancel()
        closing.wait()

    with RawServer([[Step(list_one)], [Step(fall_silent)]]) as server:
        with make_client(tmp_path, url=server.url) as client, pytest.raises(CancelledError):
            Downloader(client, report=False).download(["1"], cancellation=cancellation)
        assert client_threads() == []
    assert here(tmp_path / "out") == {}


def test_tasks_that_were_handed_out_and_failed_stay_with_the_caller(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    outputs.add("../a.png", b"a").add("b.png", b"b", task="001")
    with make_client(tmp_path) as client:
        downloader = Downloader(client)
        report = downloader.download_tasks(next_tasks(client.calls))
    assert [task.task_id for task in report.unfinished] == ["000"]
    assert (outputs.statuses("000"), outputs.statuses("001")) == ([], ["downloaded"])


def test_a_task_that_was_handed_out_is_kept_by_reports_while_it_lasts(
    outputs: FakeOutputs, tmp_path: Path
) -> None:
    for number in range(5):
        outputs.add(f"{number}.png", b"%d" % number)
    ticks = iter(range(0, 10**9, 100))
    with make_client(tmp_path, threads=1) as client:
        downloader = Downloader(client, clock=lambda: float(next(ticks)))
        report = downloader.download_tasks(next_tasks(client.calls))
    assert report.complete
    reported = outputs.statuses()
    assert reported.count("downloaded") == 1
    assert "downloading" in reported


def test_a_handed_out_task_without_files_is_done(outputs: FakeOutputs, tmp_path: Path) -> None:
    outputs.files["00001", "000"] = {}
    with make_client(tmp_path) as client:
        downloader = Downloader(client)
        downloader.download_tasks(next_tasks(client.calls))
    assert outputs.statuses() == ["downloaded"]


# Whatever happens

events = st.one_of(
    st.none(),
    st.sampled_from([404, 408, 416, 429, 500, 503, "spoil", "short", "whole", "shifted"]),
    st.integers(0, 300).map(lambda count: f"drop:{count}"),
)
names = st.sampled_from(["a", "A", "b/c", "b/d", "../x", "con", "e.png", "f g"])


@settings(max_examples=60)
@given(
    tasks=st.lists(st.dictionaries(names, st.binary(max_size=300), max_size=4), min_size=1, max_size=3),
    luck=st.lists(events, max_size=12),
    threads=st.sampled_from([1, 3]),
)
def test_whatever_happens_a_file_under_its_name_is_right_and_a_rerun_completes_it(
    tmp_path_factory: pytest.TempPathFactory,
    tasks: list[dict[str, bytes]],
    luck: list[str | int | None],
    threads: int,
) -> None:
    tmp_path = tmp_path_factory.mktemp("run")
    outputs = FakeOutputs(str(tmp_path / "out"))
    for number, task in enumerate(tasks):
        outputs.files["00001", f"{number:03d}"] = dict(task)
    contents = {content for task in tasks for content in task.values()}
    outputs.luck = luck_of(*luck)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        outputs.install(mock)
        first = download(tmp_path, threads=threads)
        for name, content in here(tmp_path / "out").items():
            assert name.endswith(SUFFIX) or content in contents
        assert len(first.files) == sum(len(task) for task in tasks)
        outputs.luck.clear()
        second = download(tmp_path, threads=threads)
    assert {result.status for result in second.problems} <= {FileStatus.REFUSED}
    for result in second.files:
        if result.is_here:
            assert md5_of(Path(result.path).read_bytes()) == result.file.md5
    refused = {result.file.task_id for result in second.problems}
    for number, task in enumerate(tasks):
        if task:
            last = outputs.statuses(f"{number:03d}")[-1]
            assert last == ("pending" if f"{number:03d}" in refused else "downloaded")
    assert not [path for path in tmp_path.iterdir() if path.name not in ("out", "home")]
