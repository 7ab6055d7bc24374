"""What every test gets: an empty home, no word of Conductor or proxies in the environment, a Hypothesis profile."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# What tests compile lies not beside the sources then, but is kept: some 150 processes are started, and each worker
# imports much from here on.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ.setdefault(
        "PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled")
    )
    sys.dont_write_bytecode, sys.pycache_prefix = False, os.environ["PYTHONPYCACHEPREFIX"]

from support.examples import register_profiles
from support.fuzzing import MINUTES, Fuzzing
from support.slow import SLOW

register_profiles()


def pytest_configure(config: pytest.Config) -> None:
    """Give the processes that tests start, and xdist's, the usual Ctrl-C."""
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # as shells leave it to what runs in their background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()  # until all is collected: what that makes stays, and the collector would look at it again and again
    if MINUTES in os.environ:
        config.pluginmanager.register(Fuzzing(config, float(os.environ[MINUTES])), "fuzzing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow."""
    slow = {Path(__file__).parents[1] / name for name in SLOW}
    for item in items:
        if item.path in slow:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Tests and modules stay to the end, so the collector of garbage need not look at them again and again.

    A run whose tests cannot be collected ends without it.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """With --durations: how many tests each folder has, and the seconds that they took, over all workers."""
    if config.getoption("durations") is None:
        return
    tests: Counter[str] = Counter()
    seconds: defaultdict[str, float] = defaultdict(float)
    for report in (one for reports in terminalreporter.stats.values() for one in reports):
        if isinstance(report, pytest.TestReport):
            suite = "/".join(report.nodeid.split("/")[:2])
            seconds[suite] += report.duration
            tests[suite] += report.when == "call"
    terminalreporter.section("seconds by suite")
    for suite, took in sorted(seconds.items(), key=lambda pair: -pair[1]):
        terminalreporter.write_line(f"{took:7.1f}s {tests[suite]:6,} tests  {suite}")


@pytest.fixture(scope="session", autouse=True)
def _hangup() -> Iterator[None]:
    """Programs that tests start hear of a hangup, also where the suite was started by `nohup`."""
    if not hasattr(signal, "SIGHUP") or signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each test has its home. Numbered folders of pytest would be counted anew for each."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def isolated_environment(homes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings, tokens, caches or proxies of whoever runs it."""
    for name in list(os.environ):
        ours = name.startswith("CONDUCTOR_") and not name.startswith("CONDUCTOR_MOCK_TEST_")
        if ours or name.lower() in _PROXIES or name.endswith("_CA_BUNDLE"):
            monkeypatch.delenv(name)
    home = tempfile.mkdtemp(dir=homes)
    monkeypatch.setenv("HOME", home)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, f"{home}/{name.lower()}")


@pytest.fixture(autouse=True)
def log_of_its_own() -> Iterator[None]:
    """Each test finds the client's log as a new program does, whatever `set_logging` did in this process before."""
    _forget_logging()
    yield
    _forget_logging()


def _forget_logging() -> None:
    logger = logging.getLogger("conductor")
    logger.setLevel(logging.NOTSET)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
