"""Programs that tests start warm are as those that start from nothing."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import warm
from support.served import PATIENCE_S
from support.warm import TESTS, started

SEES = "support.what_a_program_sees"
Pipes = dict[str, Any]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs start warm on Linux only")


def said(
    *words: str, cold: bool = False, other_interpreter: bool = False, given: str = "", **options: Any
) -> tuple[int, str, str]:
    """The end of a program, and what it said."""
    options = {"cwd": TESTS, **options}
    pipes: Pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(SEES, words, cold=cold, **pipes, **options) as process:
        out, err = process.communicate(given, timeout=PATIENCE_S)
        assert (type(process) is subprocess.Popen) == (cold or other_interpreter)
    return process.returncode, out, err


@contextmanager
def a_soft_limit(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def a_umask(umask: int) -> Iterator[None]:
    before = os.umask(umask)
    yield
    os.umask(before)


@contextmanager
def a_blocked_signal() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def an_ignored_signal(number: signal.Signals) -> Iterator[None]:
    before = signal.signal(number, signal.SIG_IGN)
    yield
    signal.signal(number, before)


@contextmanager
def an_open_file() -> Iterator[None]:
    with Path(os.devnull).open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        yield


@pytest.mark.parametrize(
    ("around", "options"),
    [
        pytest.param(None, {}, id="nothing"),
        pytest.param(None, {"start_new_session": True}, id="a session of its own"),
        pytest.param(None, {"given": "words\n"}, id="words on its standard input"),
        pytest.param(
            None, {"more": {"TZ": "Asia/Tokyo", "TMPDIR": "/dev/shm", "ODD": "\udcff"}}, id="variables"
        ),
        pytest.param(lambda: a_soft_limit(200), {}, id="a limit"),
        pytest.param(lambda: a_umask(0o027), {}, id="a umask"),
        pytest.param(a_blocked_signal, {}, id="a blocked signal"),
        pytest.param(lambda: an_ignored_signal(signal.SIGINT), {}, id="no Ctrl-C"),
        pytest.param(lambda: an_ignored_signal(signal.SIGHUP), {}, id="no hangup"),
        pytest.param(an_open_file, {}, id="a file that is left open"),
    ],
)
def test_a_program_sees_nothing_of_how_it_was_started(around: Any, options: dict[str, Any]) -> None:
    options = dict(options)
    more = options.pop("more", {})
    seen = []
    for cold in (True, False):
        with around() if around else a_umask(0o022):
            code, out, err = said("see", "é", cold=cold, env={**os.environ, **more}, **options)
        assert (code, err) == (0, "")
        seen.append(json.loads(out))

    assert seen[1] == seen[0]
    assert seen[0]["parent"] == os.getpid()
    assert sorted(seen[0]["files"]) == ["0", "1", "2"]


def test_it_starts_in_the_folder_that_is_asked_for(tmp_path: Path) -> None:
    code, out, _ = said("see", cwd=tmp_path)
    seen, folder = json.loads(out), str(tmp_path.resolve())
    assert (code, seen["folder"], seen["path"][0]) == (0, folder, folder)


@pytest.mark.parametrize(
    "words", [["exit", "0"], ["exit", "7"], ["say and exit"], ["at exit"]], ids=lambda words: words[0]
)
def test_it_ends_as_it_would(words: list[str]) -> None:
    assert said(*words) == said(*words, cold=True)


def test_a_mistake_is_told_with_its_place() -> None:
    code, out, err = said("raise")
    assert (code, out) == (1, "")
    assert err.startswith("Traceback")
    assert 'what_a_program_sees.py", line' in err
    assert err.endswith("ValueError: a mistake\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
def test_a_signal_ends_it(number: signal.Signals, cold: bool) -> None:
    pipes: Pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(SEES, ["wait"], cold=cold, cwd=TESTS, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == -number


def test_no_two_are_dealt_the_same_chances_and_many_may_start_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        numbers = {out for _, out, _ in pool.map(lambda _: said("number"), range(8))}
    assert len(numbers) == 8


@pytest.mark.parametrize("variable", ["PYTHONOPTIMIZE", "LC_ALL"])
def test_what_the_interpreter_reads_is_read(variable: str) -> None:
    value = {"PYTHONOPTIMIZE": "1", "LC_ALL": "C"}[variable]
    environment = {**os.environ, variable: value}
    warm, cold = (
        json.loads(said("see", cold=cold, other_interpreter=True, env=environment)[1])
        for cold in (False, True)
    )
    assert warm == cold
    assert warm["environment"][variable] == value


def test_what_was_ignored_when_the_warm_parent_started_is_not_ignored_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with an_ignored_signal(signal.SIGHUP):
        parent = warm._Parent(SEES)
    monkeypatch.setattr(warm, "_parent_of", lambda *_: parent)
    try:
        (_, cold, _), (_, out, _) = said("see", cold=True), said("see")
    finally:
        parent.close()
    assert json.loads(out)["handlers"] == json.loads(cold)["handlers"]
