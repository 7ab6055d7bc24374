"""Scenarios: what users of the vendor's client do, run side by side and once; the tests look at what came of it.

The client spends most of its time asleep (an upload alone takes ten seconds, wire reference 9), so a scenario is a
function of its own: all those that the selected tests name start at once, in threads, and each test waits for its
own. What a scenario returns is JSON, kept in a folder that the workers of one test run share, so that it runs once
whichever of them has the tests.
"""

from __future__ import annotations

import json
import re
import threading
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from filelock import FileLock

from vendor.environments import CURRENT, Environment, obstacle
from vendor.fake import Fake
from vendor.workstation import Workstation

AT_ONCE = 32
POLL_S = 0.5
RESULT = "result"
Function = TypeVar("Function", bound=Callable[..., Any])


class ScenarioError(Exception):
    """A scenario ended in an exception; the message is its traceback."""


@dataclass(frozen=True)
class Scenario:
    """What a user does at a workstation, with which version of the client, against a server with which options."""

    function: Callable[[Workstation], Any]
    options: tuple[str, ...] = ()
    version: str = CURRENT

    @property
    def name(self) -> str:
        name = str(self.function.__name__)
        return name if self.version == CURRENT else f"{name}-{self.version}"

    @property
    def client_id(self) -> str:
        """The account: one per scenario, so that scenarios share a server and nothing else."""
        module = str(self.function.__module__).rpartition(".")[2]
        return re.sub(r"[^\w.-]", "-", f"{module}-{self.name}")

    @property
    def executes(self) -> bool:
        """Whether tasks run for real: then it has the default account, and a server of its own options."""
        return "--execute" in self.options

    def by(self, version: str) -> Scenario:
        """The same, done with another version of the client."""
        return replace(self, version=version)


def scenario(*options: str, client: str = CURRENT) -> Callable[[Callable[[Workstation], Any]], Scenario]:
    """Make a function of a workstation a scenario; `options` are those of its server, `client` is what is installed."""
    return lambda function: Scenario(function, options, client)


def after(*scenarios: Scenario) -> Callable[[Function], Function]:
    """The test looks, as its argument `result`, at what each of these scenarios returned."""
    return pytest.mark.parametrize(RESULT, [_parameter(item) for item in scenarios], indirect=True)


def _parameter(item: Scenario) -> Any:
    reason = obstacle(item.version)
    marks = [] if reason is None else [pytest.mark.skip(reason=reason)]
    return pytest.param(item, id=item.name, marks=marks)


def named_by(items: Iterable[pytest.Item]) -> set[Scenario]:
    """The scenarios that tests look at and that can run on this Python."""
    found = map(scenario_of, items)
    return {item for item in found if item is not None and obstacle(item.version) is None}


def scenario_of(item: pytest.Item) -> Scenario | None:
    """The scenario that a test looks at; None if it looks at none."""
    callspec = getattr(item, "callspec", None)
    found = None if callspec is None else callspec.params.get(RESULT)
    return found if isinstance(found, Scenario) else None


class Stage:
    """Where scenarios are played: starts servers, runs each scenario once, keeps its results. Close it."""

    def __init__(self, own: Path, shared: Path, environment: Callable[[str], Environment]) -> None:
        self._own, self._shared, self._environment = own, shared, environment
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="scenario")
        self._lock = threading.Lock()
        self._fakes: dict[tuple[str, ...], Fake] = {}
        self._started: dict[Scenario, Future[Any]] = {}

    def start(self, scenarios: Iterable[Scenario]) -> None:
        """Begin scenarios that have not begun; returns at once."""
        for item in sorted(scenarios, key=lambda item: item.client_id):
            with self._lock:
                if item not in self._started:
                    self._started[item] = self._pool.submit(self._result, item)

    def result(self, item: Scenario) -> Any:
        """What a scenario returned; waits for it. Raises ScenarioError."""
        self.start([item])
        outcome = self._started[item].result()
        if "error" in outcome:
            raise ScenarioError(outcome["error"])
        return outcome["returned"]

    def close(self) -> None:
        """Wait for what is under way, drop what is not, stop the servers."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for fake in self._fakes.values():
            fake.close()

    def _result(self, item: Scenario) -> dict[str, Any]:
        folder = self._shared / item.client_id
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "result.json"
        with FileLock(folder / "lock").acquire(poll_interval=POLL_S):
            if not kept.exists():
                kept.write_text(json.dumps(self._play(item, folder)))
            return dict(json.loads(kept.read_text()))

    def _play(self, item: Scenario, folder: Path) -> dict[str, Any]:
        try:
            fake = self._fake(item.options)
            account = fake.default_account() if item.executes else fake.account(item.client_id)
            desk = Workstation(folder / "desk", self._environment(item.version), account)
            return {"returned": item.function(desk)}
        except Exception:  # noqa: BLE001 - told to every test that looks at this scenario
            return {"error": traceback.format_exc()}

    def _fake(self, options: tuple[str, ...]) -> Fake:
        with self._lock:
            if options not in self._fakes:
                self._fakes[options] = Fake(self._own / f"fake-{len(self._fakes)}", *options)
            return self._fakes[options]
