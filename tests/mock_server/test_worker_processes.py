"""What starts workers, ends them and starts those again that die: with workers that serve nothing."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conductor_mock.serving.signals import EndingSignals
from conductor_mock.settings import Settings
from conductor_mock.store.database_url import DatabaseError
from conductor_mock.store.ownership import lock_file, share_file
from conductor_mock.workers import serving
from conductor_mock.workers.link import Link
from conductor_mock.workers.parent import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    MOST_DEATHS,
    WITHIN_S,
    Workers,
    WorkersError,
    _Worker,
)

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings(
        "ignore:.*multi-threaded:DeprecationWarning"
    ),  # by the runner, with a thread of its own
]
PATIENCE_S = 60
WORKER_S = 30


@contextmanager
def started_by_us(count: int, work: Callable[[Link], int], **options: Any) -> Iterator[Workers]:
    """Workers that are ended with the block."""
    with EndingSignals() as signals:
        workers = Workers(count, work, signals, **{"end_s": PATIENCE_S, **options})
        try:
            yield workers
        finally:
            workers.close()


def stay(link: Link, **told: Any) -> int:
    """Be ready until a signal comes; whatever is wrong, not for ever."""
    signal.alarm(WORKER_S)
    link.tell({"number": link.number, **told})
    signal.pause()
    return 0


def opened(*kinds: str) -> int:
    """How many of these this process has open."""
    gc.collect()
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # closed since they were listed
            found += str(path.readlink()).startswith(kinds)
    return found


def pipes() -> int:
    """How many ends of pipes, and selectors, are open here; files and sockets may be those of other threads."""
    return opened("pipe:", "anon_inode:")


def test_the_first_worker_is_ready_before_the_others_are_started_and_all_are_before_anybody_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(link: Link) -> int:
        if link.number and not (tmp_path / "0").exists():
            return 3
        (tmp_path / str(link.number)).write_text(str(os.getpid()))
        return stay(link, text="x" * 200_000)

    before = pipes()
    with started_by_us(3, work) as workers:
        fork = workers._fork
        told: list[bool] = []

        def noting(number: int) -> _Worker:
            told.append(any(one.told is not None for one in workers._there.values()))
            return fork(number)

        monkeypatch.setattr(workers, "_fork", noting)
        assert workers.start() == {"number": 0, "text": "x" * 200_000}
        assert told == [False, True, True]
        pids = workers.pids()
        assert pids == [int((tmp_path / name).read_text()) for name in "012"]
    assert workers.pids() == []
    for pid in pids:
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, 0)
    assert pipes() == before
    assert caplog.text == ""


def test_a_worker_has_the_signals_of_a_process_that_was_just_begun_and_no_selector() -> None:
    def work(link: Link) -> int:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        return stay(
            link,
            blocked=sorted(blocked),
            default=signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
            wakes=signal.set_wakeup_fd(-1),
            selectors=opened("anon_inode:"),
        )

    mask, before = signal.pthread_sigmask(signal.SIG_BLOCK, ()), opened("anon_inode:")
    with started_by_us(1, work) as workers:
        assert workers.start() == {
            "number": 0,
            "blocked": sorted(mask),
            "default": True,
            "wakes": -1,
            "selectors": before,
        }
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask


def exits(code: object) -> Callable[[], int]:
    def die() -> int:
        raise SystemExit(code)

    return die


def fails() -> int:
    raise ZeroDivisionError


def is_killed() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


DEATHS: list[tuple[Callable[[], int], str, int]] = [
    (lambda: 3, "ended with 3", 3),
    (lambda: 0, "ended with 0", 1),
    (exits(4), "ended with 4", 4),
    (exits("a sentence"), "ended with 1", 1),
    (fails, "ended with 1", 1),
    (is_killed, "was ended by SIGKILL", 137),
]


@pytest.mark.parametrize(("die", "how", "_"), DEATHS)
def test_a_worker_that_dies_is_started_again_in_its_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, die: Callable[[], int], how: str, _: int
) -> None:
    wait, go = os.pipe()

    def work(link: Link) -> int:
        if link.number != 1:
            return stay(link)
        try:
            (tmp_path / "died").touch(exist_ok=False)
        except FileExistsError:
            os.kill(os.getppid(), signal.SIGTERM)
            return stay(link)
        link.tell({})
        os.read(wait, 1)
        return die()

    logger, handler = logging.getLogger("conductor_mock"), logging.FileHandler(tmp_path / "log")
    logger.addHandler(handler)
    try:
        with started_by_us(3, work) as workers:
            assert workers.start() == {"number": 0}
            before = workers.pids()
            os.write(go, b"x")
            workers.watch()
            after = workers.pids()
    finally:
        logger.removeHandler(handler)
        handler.close()
        os.close(wait)
        os.close(go)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]
    assert f"worker 1 (process {before[1]}) {how}; another one is started in its place" in caplog.text
    assert ("worker 1 is defective" in (tmp_path / "log").read_text()) == (die is fails)


def test_what_a_worker_has_to_say_is_written_before_it_ends(tmp_path: Path) -> None:
    logger = logging.getLogger("conductor_mock.of_a_worker")

    def work(_: Link) -> int:
        # It keeps lines together, as the log of a server does.
        logger.addHandler(MemoryHandler(1000, target=logging.FileHandler(tmp_path / "log")))
        logger.warning("a line")
        return 0

    with started_by_us(1, work) as workers, pytest.raises(WorkersError):
        workers.start()
    assert (tmp_path / "log").read_text() == "a line\n"


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(("die", "how", "code"), DEATHS)
def test_a_worker_that_cannot_begin_is_an_error_with_its_code(
    number: int, die: Callable[[], int], how: str, code: int
) -> None:
    with (
        started_by_us(2, lambda link: die() if link.number == number else stay(link)) as workers,
        pytest.raises(WorkersError, match=f"worker {number} .* {how} before it was ready") as raised,
    ):
        workers.start()
    assert raised.value.code == code


@pytest.mark.parametrize("number", [0, 1])
def test_a_signal_that_comes_before_all_are_ready_ends_the_start(number: int) -> None:
    def work(link: Link) -> int:
        if link.number == number:
            os.kill(os.getppid(), signal.SIGTERM)
            signal.alarm(WORKER_S)
            signal.pause()
        return stay(link)

    with started_by_us(2, work) as workers:
        assert workers.start() is None
        assert workers._signals.next(0.001) == 0, "it was taken"


@pytest.mark.parametrize("is_ready", [False, True])
def test_a_signal_that_ended_a_worker_too_is_no_death(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, is_ready: bool
) -> None:
    """As from a terminal, which signals all: a worker may have ended before its parent is told."""

    def work(link: Link) -> int:
        if is_ready:
            link.tell({})
        return 0

    with started_by_us(1, work) as workers:
        select = workers._selector.select

        def when_both_are_ready(timeout: float | None = None) -> list[Any]:
            """The worker is seen first, and it is gone."""
            if timeout is None:
                os.waitid(os.P_PID, workers.pids()[0], os.WEXITED | os.WNOWAIT)
                workers._signals.wake()
                return [one for one in select() if one[0].data is not None]
            return sorted(select(timeout), key=lambda one: one[0].data is None)

        with monkeypatch.context() as patched:
            patched.setattr(workers._selector, "select", when_both_are_ready)
            assert workers.start() is None
            workers._signals.wake()
            workers.watch()
    assert "started in its place" not in caplog.text


@example(waits_s=[5] * (MOST_DEATHS + 1), code=3, another_serves=True)  # the last one comes in time
@example(waits_s=[6] * (MOST_DEATHS + 1), code=3, another_serves=True)  # just too late to be too many
@given(
    waits_s=st.lists(st.sampled_from([0, 1, 5, 6, 7, WITHIN_S - 1, WITHIN_S, WITHIN_S + 1]), max_size=30),
    code=st.sampled_from([0, 1, 3, -9]),
    another_serves=st.booleans(),
)
def test_workers_are_given_up_at_the_first_death_behind_too_many_others(
    waits_s: list[float], code: int, another_serves: bool
) -> None:
    times = [sum(waits_s[: end + 1]) for end in range(len(waits_s))]
    too_many = [
        number
        for number in range(MOST_DEATHS, len(times))
        if times[number] - times[number - MOST_DEATHS] < WITHIN_S
    ]
    now_s, started = [0.0], list[int]()
    with started_by_us(1, stay, seconds=lambda: now_s[0]) as workers, pytest.MonkeyPatch.context() as patch:
        workers._fork = started.append  # type: ignore[assignment]
        # In its own table, which is gone before workers are ended: it has the process of nobody.
        patch.setattr(workers, "_there", {0: _Worker(0, 2**31 - 1, -1, {})} if another_serves else {})
        for number, now_s[0] in enumerate(times):
            if number in too_many[:1]:
                with pytest.raises(
                    WorkersError, match=f"and {MOST_DEATHS} others did in the last 60 s"
                ) as raised:
                    workers._gone(_Worker(7, 1, -1, {}), code, may_die=True)
                assert raised.value.code == 1
                assert str(raised.value).endswith("in the last 60 s; no more are started")
                break
            workers._gone(_Worker(7, 1, -1, {}), code, may_die=True)
    assert started == [7] * (too_many[0] if too_many else len(times))


def test_a_worker_that_cannot_begin_waits_ever_longer_for_the_next_try_as_long_as_another_one_serves() -> (
    None
):
    now_s = [0.0]
    with started_by_us(1, stay, seconds=lambda: now_s[0]) as workers:
        workers.start()
        pauses = []
        for _ in range(3 * MOST_DEATHS):
            workers._gone(_Worker(1, 1, -1), 2, may_die=True)
            pauses.append(workers._until_due_s())
            del workers._due_s[1]
        assert pauses[:4] == [FIRST_PAUSE_S * factor for factor in (1, 2, 4, 8)]
        assert pauses[7:] == [LONGEST_PAUSE_S] * len(pauses[7:])
        serving_one = workers._there.pop(0)
        for _ in range(MOST_DEATHS):
            workers._gone(_Worker(1, 1, -1), 2, may_die=True)
        with pytest.raises(WorkersError, match="no more are started"):
            workers._gone(_Worker(1, 1, -1), 2, may_die=True)
        workers._there[0] = serving_one


def test_a_place_has_another_worker_once_its_pause_is_over_and_nobody_waits_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [0.0]
    with started_by_us(1, stay, seconds=lambda: now_s[0]) as workers:
        workers.start()
        for number in (1, 2, 2):
            workers._gone(_Worker(number, 1, -1), 2, may_die=True)
        assert workers._until_due_s() == FIRST_PAUSE_S
        now_s[0] = FIRST_PAUSE_S
        asked: list[float | None] = []
        select = workers._selector.select

        def selecting(timeout: float | None = None) -> list[Any]:
            asked.append(timeout)
            assert len(asked) < 5, "it is not started"
            return select(0)

        def start_again(number: int) -> None:
            assert number == 1
            workers._signals.wake()

        with monkeypatch.context() as patched:
            patched.setattr(workers._selector, "select", selecting)
            patched.setattr(workers, "_start_again", start_again)
            workers.watch()
        assert asked == [0, 0, FIRST_PAUSE_S, 0]


def test_who_begins_after_all_waits_as_at_first_when_it_dies_again() -> None:
    read, write = os.pipe()
    with started_by_us(1, stay, seconds=lambda: 0.0) as workers:
        for _ in range(3):
            workers._start_later(1, "it could not begin")
        os.write(write, b"{}\n")
        assert not workers._read(_Worker(1, 1, read))
        workers._start_later(1, "it could not begin")
        assert workers._until_due_s() == FIRST_PAUSE_S
    os.close(read)
    os.close(write)


def test_a_worker_that_could_not_begin_for_a_while_serves_once_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("conductor_mock.workers.parent.LONGEST_PAUSE_S", 0.001)
    for number in range(MOST_DEATHS + 2):
        (tmp_path / str(number)).touch()
    (tmp_path / "it dies").touch()

    def work(link: Link) -> int:
        if link.number == 0:
            return stay(link)
        if (tmp_path / "it dies").exists():
            link.tell({})
            (tmp_path / "it dies").unlink()
            return 3
        for number in range(MOST_DEATHS + 2):
            if (tmp_path / str(number)).exists():
                (tmp_path / str(number)).unlink()
                return 2
        os.kill(os.getppid(), signal.SIGTERM)
        return stay(link)

    with started_by_us(2, work) as workers:
        workers.start()
        workers.watch()
        assert len(workers.pids()) == 2
    assert caplog.text.count("ended with 2 before it was ready; another one is started in") == MOST_DEATHS + 2


def test_a_worker_that_the_system_does_not_start_is_tried_again_and_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    refused = [BlockingIOError(11, "Resource temporarily unavailable")] * 2
    fork = os.fork
    monkeypatch.setattr("conductor_mock.workers.parent.LONGEST_PAUSE_S", 0.001)

    def work(link: Link) -> int:
        if link.number == 1 and refused:
            link.tell({})
            return 3
        if link.number == 1:
            os.kill(os.getppid(), signal.SIGTERM)
        return stay(link)

    with started_by_us(2, work) as workers:
        workers.start()

        def fails_at_first() -> int:
            if refused:
                raise refused.pop()
            return fork()

        monkeypatch.setattr(os, "fork", fails_at_first)
        before = pipes()
        workers.watch()
        assert pipes() == before
    assert caplog.text.count("worker 1 cannot be started (Resource temporarily unavailable)") == 2


@pytest.mark.parametrize(
    ("error", "why"), [(BlockingIOError(11, "too many"), "too many"), (OSError("no more"), "no more")]
)
def test_it_is_said_why_a_worker_cannot_be_started(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: OSError, why: str
) -> None:
    def fails(_: int) -> _Worker:
        raise error

    with started_by_us(1, stay) as workers:
        monkeypatch.setattr(workers, "_fork", fails)
        workers._start_again(3)
    assert f"worker 3 cannot be started ({why}); another one is started in 0.1 s" in caplog.text


def test_a_signal_that_comes_while_the_workers_end_is_told_to_them(caplog: pytest.LogCaptureFixture) -> None:
    def work(link: Link) -> int:
        came: list[int] = []

        def end(number: int, _: object) -> None:
            came.append(number)
            if len(came) == 2:
                os._exit(0)
            os.kill(os.getppid(), signal.SIGINT)

        signal.signal(signal.SIGTERM, end)
        link.tell({})
        signal.alarm(WORKER_S)
        while True:
            signal.pause()

    with EndingSignals() as signals:
        workers = Workers(1, work, signals, end_s=PATIENCE_S)
        workers.start()
        workers.close()
        assert signals.next(0.001) == 0, "it was taken"
    assert "killed" not in caplog.text


@pytest.mark.parametrize(("took_s", "is_killed"), [(4, False), (5, True), (6, True)])
def test_workers_that_do_not_end_in_time_are_killed(
    caplog: pytest.LogCaptureFixture, took_s: int, is_killed: bool
) -> None:
    wait, go = os.pipe()

    def work(link: Link) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN if is_killed else lambda *_: os._exit(0))
        return stay(link)

    times = iter([0, *[took_s] * 100])
    with started_by_us(2, work, end_s=5, seconds=lambda: next(times)) as workers:
        workers.start()
    os.close(wait)
    os.close(go)
    assert workers.pids() == []
    assert ("2 workers did not end in 5 s, and are killed" in caplog.text) == is_killed


def test_workers_know_when_their_parent_is_gone() -> None:
    read, write = os.pipe()

    def work(link: Link) -> int:
        def told() -> None:
            os.write(write, b"%d" % link.number)
            os._exit(0)

        link.when_alone(told)
        return stay(link)

    parent = os.fork()
    if not parent:
        try:
            with EndingSignals() as signals:
                workers = Workers(2, work, signals, end_s=PATIENCE_S)
                workers.start()
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.close(write)
    _, status = os.waitpid(parent, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    said = b""
    while block := os.read(read, 10):
        said += block
    os.close(read)
    assert sorted(said) == sorted(b"01")


# What a worker does, and what is told of all together


@dataclass
class Noted:
    """A worker's server and signals, and what became of them."""

    events: list[object] = field(default_factory=list)
    url = "http://127.0.0.1:1"
    directory = Path("/a/b")

    def environment(self) -> dict[str, str]:
        return {"CONDUCTOR_URL": self.url}

    def drain(self) -> None:
        self.events.append("drain")

    def next(self, timeout_s: float | None = None) -> int:
        self.events.append(timeout_s)
        return 0

    def seconds(self) -> float:
        return 1000.0 * len(self.events)

    def wake(self) -> None:
        self.events.append("wake")

    @contextmanager
    def opened(self, _: object = None) -> Iterator[Noted]:
        self.events.append("open")
        yield self
        self.events.append("close")


class NotedLink(Link):
    """What was told by it, and what is done when the parent is gone."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []

    def tell(self, document: Mapping[str, Any]) -> None:
        self.told.append(json.loads(json.dumps(document)))

    def when_alone(self, act: Callable[[], None]) -> None:
        self.act = act


@pytest.mark.parametrize(("drain_s", "last"), [(0, []), (300, ["drain", 300])])
def test_a_worker_serves_until_a_signal_and_drains_where_it_is_to(
    monkeypatch: pytest.MonkeyPatch, drain_s: float, last: list[object]
) -> None:
    link, noted = NotedLink(), Noted()
    monkeypatch.setattr(serving, "EndingSignals", noted.opened)
    monkeypatch.setattr(serving._wait, "__defaults__", (noted.seconds,))
    options = {"drain_s": drain_s} if drain_s else {}
    serving.work(link, Settings(), noted.opened, **options)  # type: ignore[arg-type]
    assert noted.events == ["open", "open", None, *last, "close", "close"]
    (told,) = link.told
    assert told == {
        "url": noted.url, "directory": "/a/b", "environment": {"CONDUCTOR_URL": noted.url}
    }  # fmt: skip
    link.act()
    assert noted.events[-1] == "wake", "the signals are woken when the parent is gone"


@given(st.lists(st.sampled_from([0.0, 0.3, 0.6, serving.TOGETHER_S, 5.0]), max_size=8))
def test_a_signal_ends_the_drain_unless_it_came_with_the_first_one(waits_s: list[float]) -> None:
    """A service manager signals the workers and their parent, who then signals them again."""
    now_s, left = [100.0], list(waits_s)

    class Signals:
        def next(self, timeout_s: float) -> int:
            now_s[0] += min(timeout_s, left.pop(0) if left else timeout_s)
            return 0

    serving._wait(Signals(), 300, lambda: now_s[0])  # type: ignore[arg-type]
    times = [sum(waits_s[: end + 1]) for end in range(len(waits_s))]
    ended_s = next((one for one in times if one >= serving.TOGETHER_S), 300)
    assert now_s[0] - 100 == pytest.approx(ended_s)


@dataclass
class NotedWorkers:
    """Workers that were started or not, and what could be locked when they were ended."""

    told: dict[str, Any] | None
    folder: Path
    ended: list[tuple[bool, bool]] = field(default_factory=list)

    def start(self) -> dict[str, Any] | None:
        return self.told

    def close(self) -> None:
        self.ended.append(locked(self.folder))


def locked(folder: Path) -> tuple[bool, bool]:
    """Whether anybody has the directory: those of a group, and any at all."""

    def is_locked(name: str) -> bool:
        try:
            lock_file(folder / name, "it").release()
        except DatabaseError:
            return True
        return False

    return is_locked("group"), is_locked("lock")


TOLD = {"url": "http://127.0.0.1:1", "directory": "/a/b", "environment": {"A": "b"}}


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("told", [TOLD, None])
def test_the_directory_of_workers_is_had_as_long_as_they_are_there(
    tmp_path: Path, told: dict[str, Any] | None, is_shared: bool
) -> None:
    workers = NotedWorkers(told, tmp_path)
    settings = Settings(data_dir=tmp_path)
    with serving.together(workers, settings, is_shared=is_shared) as all_of_them:  # type: ignore[arg-type]
        if told is None:
            assert all_of_them is None
        else:
            assert all_of_them is not None
            assert (all_of_them.url, all_of_them.directory) == (told["url"], Path("/a/b"))
            assert all_of_them.environment() == told["environment"]
            assert locked(tmp_path) == (not is_shared, True)
            share_file(tmp_path / "lock", "it").release()  # as a worker does that is started again
        assert workers.ended == []
    assert workers.ended == [(not is_shared, False)], "the group's until the last one has ended"
    assert locked(tmp_path) == (False, False)


def test_throw_away_data_has_a_folder_until_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for goes_before in (False, True):
        with serving.directory_of(Settings(ephemeral=True)) as settings:
            folder = settings.data_dir
            assert folder is not None
            assert folder.is_dir()
            assert settings.shared
            assert folder.name.startswith("conductor-mock-")
            (folder / "a file").touch()
            if goes_before:
                folder.rename(tmp_path / "elsewhere")
        assert not folder.exists()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(serving, "default_data_dir", lambda: Path("usual"))
    for asked, wanted in ((Path("here"), "here"), (None, "usual")):
        with serving.directory_of(Settings(data_dir=asked)) as settings:
            assert (settings.data_dir, settings.shared) == (tmp_path / wanted, True)
