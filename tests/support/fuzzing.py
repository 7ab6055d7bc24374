"""`make fuzz`: property tests are repeated with new examples until their share of the time is used up.

The minutes that it may take, times its workers, are shared out among the property tests that were collected: each has
an equal share, one that is marked `share(n)` has n of them. A test is run once, whatever its share, and then in rounds
of the examples that it has there for as long as another round is likely to end in time. So the whole ends after
those minutes and what single rounds need that are longer than their share.

Fixtures are those of the test: rounds share them, as its examples do. The first failure ends a test, and is told with
its example as by any run.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import pytest
from hypothesis.statistics import collector

MINUTES = "FUZZ_MINUTES"
"""The variable that says how long all of it may take. Without it each property is tried once."""
SHARED = ("hypothesis", "schemathesis")
"""The markers of tests among which the time is shared out."""
MOST_BYTES = 2 << 30
"""What a worker may take: one that has more keeps something from each example to the next."""
GREEDY = 5
"""How many tests are named that a worker grew in."""
Clock = Callable[[], float]

_SECONDS = pytest.StashKey[float]()


def shared_out(minutes: float, workers: int, weights: dict[str, float]) -> dict[str, float]:
    """The seconds of each test, by the weights: together they are those minutes of all workers."""
    whole = sum(weights.values())
    return {name: minutes * 60 * workers * weight / whole for name, weight in weights.items()}


def rounds(seconds: float, clock: Clock) -> Iterator[int]:
    """Count rounds, the first in any case, others while one as long as the longest so far ends in time."""
    end, longest, number = clock() + seconds, 0.0, 0
    while True:
        began = clock()
        if number and began + longest >= end:
            return
        number += 1
        yield number
        longest = max(longest, clock() - began)


def seconds_of(item: pytest.Item) -> float | None:
    """The share of a test; None outside `make fuzz`."""
    return item.stash.get(_SECONDS, None)


def peak_bytes() -> int:
    """The most memory that this process ever had."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@dataclass
class Done:
    """What one worker has done."""

    worker: str
    tests: int = 0
    rounds: int = 0
    examples: int = 0
    peak: int = 0
    grew: dict[str, int] = field(default_factory=dict)
    """By how many bytes its peak rose in which test."""

    def lines(self) -> Iterator[str]:
        """Say what memory it took, and where."""
        yield f"{self.worker}: {self.peak >> 20:,} MiB of memory at most; its peak rose most in"
        greedy = sorted(self.grew.items(), key=lambda pair: -pair[1])[:GREEDY]
        yield from (f"  {grew >> 20:,} MiB  {name}" for name, grew in greedy if grew)


class Fuzzing:
    """The plugin: repeats property tests, counts, and looks at the memory of its process."""

    def __init__(
        self,
        config: pytest.Config,
        minutes: float,
        clock: Clock = time.monotonic,
        memory: Callable[[], int] = peak_bytes,
    ) -> None:
        self._config, self._minutes, self._clock, self._memory = config, minutes, clock, memory
        worker = getattr(config, "workerinput", {})
        self._workers = int(worker.get("workercount", 1))
        self._done = Done(str(worker.get("workerid", "this process")))
        self._all: list[Done] = []
        self._too_large = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Give each property test its share. Every worker has collected all of them."""
        properties = {item.nodeid: item for item in session.items if _shares(item)}
        if not properties:
            return
        weights = {name: _weight(item) for name, item in properties.items()}
        for name, seconds in shared_out(self._minutes, self._workers, weights).items():
            item = properties[name]
            item.stash[_SECONDS] = seconds
            limit = _limit(item)
            if limit:  # its own, which is that of a round
                item.add_marker(pytest.mark.timeout(limit + seconds), append=False)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Repeat a property test while there is time, unless this worker has grown too large."""
        seconds = seconds_of(pyfuncitem)
        if seconds is None:
            return (yield)
        test, before = pyfuncitem.obj, self._memory()

        def repeated(**arguments: Any) -> None:
            __tracebackhide__ = True
            for _ in rounds(0 if self._too_large else seconds, self._clock):
                self._done.rounds += 1
                test(**arguments)

        pyfuncitem.obj = repeated
        try:
            with self._counting():
                return (yield)
        finally:
            pyfuncitem.obj = test
            self._done.tests += 1
            self._done.peak = self._memory()
            self._done.grew[pyfuncitem.nodeid] = self._done.peak - before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Fail the test in which this worker grew too large, once."""
        yield
        if self._done.peak > MOST_BYTES and not self._too_large:
            self._too_large = True
            pytest.fail(
                f"{self._done.worker} has taken {self._done.peak / 2**30:.1f} GiB of memory, and may take"
                f" {MOST_BYTES >> 30}: something is kept from example to example, here or in a test before"
                " (the tests that it grew in are named at the end). What follows is tried once each.",
                pytrace=False,
            )

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """Count the examples that Hypothesis tries, and tell its own plugin of them as before."""
        others: Any = collector.value

        def note(statistics: Any) -> None:
            phases = (value for name, value in statistics.items() if name.endswith("-phase"))
            self._done.examples += sum(len(phase["test-cases"]) for phase in phases)
            if others is not None:
                others(statistics)

        with collector.with_value(note):  # type: ignore[arg-type]
            yield

    def pytest_sessionfinish(self) -> None:
        """Hand over what was done, to the process that tells it."""
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["fuzzing"] = asdict(self._done)
        elif self._done.tests:
            self._all.append(self._done)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker has done; one that died says nothing, and fails by itself."""
        done = getattr(node, "workeroutput", {}).get("fuzzing")
        if done is not None:
            self._all.append(Done(**done))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Tell how much was tried, and what memory each worker took."""
        if not self._all:
            return
        terminalreporter.section("fuzz")
        tests, repeated, tried = (
            sum(getattr(done, name) for done in self._all) for name in ("tests", "rounds", "examples")
        )
        terminalreporter.write_line(f"{tests:,} property tests, {repeated:,} rounds, {tried:,} examples")
        for done in sorted(self._all, key=lambda done: done.worker):
            for line in done.lines():
                terminalreporter.write_line(line)


def _shares(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and any(item.get_closest_marker(name) for name in SHARED)


def _weight(item: pytest.Item) -> float:
    marker = item.get_closest_marker("share")
    return float(marker.args[0]) if marker else 1.0


def _limit(item: pytest.Item) -> float:
    """After how many seconds a test is called stuck; 0 for never."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0] if marker else item.config.getini("timeout") or 0)
