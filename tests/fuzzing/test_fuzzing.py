"""`make fuzz` ends by its time: shares of it, rounds within a share, and what is told at its end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.fuzzing import rounds, shared_out
from support.programs import PATIENCE_S, ROOT


class Clock:
    """A clock that stands still while nobody lets it go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


seconds = st.floats(0.001, 100)


@given(share=st.floats(0, 1000), took=st.lists(seconds, min_size=1, max_size=30))
def test_rounds_end_within_the_share_but_for_one_that_is_longer_than_those_before(
    share: float, took: list[float]
) -> None:
    clock, past = Clock(), list[float]()
    for number in rounds(share, clock):
        past.append(took[number % len(took)])
        clock.now += past[-1]
        if len(past) == 500:
            break
    *before, last = past
    assert not before or sum(past) <= share + max(0, last - max(before)) + 1e-6
    assert len(past) == 500 or sum(past) + max(past) >= share - 1e-6, "there was time for another one"


def test_a_test_without_a_share_is_run_once() -> None:
    assert list(rounds(0, Clock())) == [1]


@given(
    minutes=st.floats(0.1, 1000), workers=st.integers(1, 64), weights=st.lists(st.floats(0.1, 50), min_size=1)
)
def test_shares_together_are_the_time_of_all_workers(
    minutes: float, workers: int, weights: list[float]
) -> None:
    named = {str(number): weight for number, weight in enumerate(weights)}
    shares = shared_out(minutes, workers, named)
    assert sum(shares.values()) == pytest.approx(minutes * 60 * workers)
    for name, weight in named.items():
        assert shares[name] == pytest.approx(shares["0"] * weight / named["0"])


CONFTEST = """
import os
from itertools import chain, count, repeat
from support.examples import register_profiles
from support.fuzzing import Fuzzing

register_profiles()

def pytest_configure(config):
    config.addinivalue_line("markers", "share(number): of the time")
    memory = chain(map(int, os.environ["MEMORY"].split()), repeat(int(os.environ["MEMORY"].split()[-1])))
    plugin = Fuzzing(config, 1, clock=count().__next__, memory=memory.__next__)
    config.pluginmanager.register(plugin)
"""
SUITE = """
import pytest
from hypothesis import given, settings, strategies as st

CALLS = []

@settings(max_examples=3)
@given(st.integers())
def test_a(number):
    pass

@pytest.mark.share(2)
@pytest.mark.hypothesis
def test_b():
    CALLS.append("b")

@settings(max_examples=7)
@given(st.integers())
def test_c(number):
    raise AssertionError(number)

def test_d():
    CALLS.append("d")
    assert CALLS.count("d") == 1
"""
PLUGINS = ("xdist", "_hypothesis_pytestplugin", "pytest_timeout")


def fuzzed(folder: Path, *options: str, memory: str = "0") -> str:
    """What pytest says of a small suite in a minute of a clock that goes on by a second whenever it is looked at."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_small.py").write_text(SUITE)
    loaded = (word for name in PLUGINS for word in ("-p", name))
    environment = {
        **{name: text for name, text in os.environ.items() if name != "CI"},
        "HYPOTHESIS_PROFILE": "fuzz",
        "MEMORY": memory,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(ROOT / "tests"),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *loaded, *options, str(folder)]
    finished = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert finished.returncode == 1, finished.stdout + finished.stderr
    return finished.stdout


def told(shown: str) -> Iterator[str]:
    """The lines of the section at the end."""
    lines = iter(shown.splitlines())
    for line in lines:
        if line.strip("= ") == "fuzz":
            break
    for line in lines:
        if line.startswith("="):
            return
        yield line


@pytest.mark.slow
def test_each_property_has_its_share_of_the_time_of_all_workers_and_a_failure_ends_it(tmp_path: Path) -> None:
    shown = fuzzed(tmp_path, "-n", "2")
    assert "1 failed, 3 passed" in shown, shown
    assert "@reproduce_failure" in shown
    first, *workers = told(shown)
    # Two workers have 120 seconds, of which test_a gets 30 and test_b 60. A round takes one and the look before it
    # another; test_c fails in its first round.
    tests, tried, examples = (int(words.split()[0].replace(",", "")) for words in first.split(", "))
    assert (tests, tried) == (3, 14 + 29 + 1)
    assert examples > 14 * 3
    assert [line.partition(":")[0] for line in workers if ":" in line] == ["gw0", "gw1"]


@pytest.mark.slow
def test_a_worker_that_grows_too_large_fails_a_test_and_tries_the_rest_once(tmp_path: Path) -> None:
    large = 3 << 30
    shown = fuzzed(tmp_path, memory=f"1048576 {large}")
    assert "2 failed, 2 passed" in shown, shown
    assert shown.count("this process has taken 3.0 GiB of memory, and may take 2") >= 1
    first, whole, greedy = told(shown)
    assert first.startswith("3 property tests, 9 rounds")
    assert whole.startswith("this process: 3,072 MiB of memory at most")
    assert greedy.endswith("MiB  test_small.py::test_a")
