"""The stage that all scenarios of the vendor's client play on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.package_index import IndexUnreachableError
from vendor.environments import ASKED_FOR, installed
from vendor.scenarios import Scenario, Stage, named_by, scenario_of

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where a version is asked for, its scenarios are what is looked at here, and nothing else."""
    if ASKED_FOR is None:
        return
    others = [item for item in items if HERE in item.path.parents and not _is_of(item, ASKED_FOR)]
    items[:] = [item for item in items if item not in others]
    config.hook.pytest_deselected(items=others)


def _is_of(item: pytest.Item, version: str) -> bool:
    found = scenario_of(item)
    return found is not None and found.version == version


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Starts the scenarios of all selected tests at once.

    Skips when there is no package index, but never in CI, nor where a version is asked for.
    """
    wanted = named_by(request.session.items)
    try:
        environments = {version: installed(version) for version in sorted({item.version for item in wanted})}
    except IndexUnreachableError as error:
        if ASKED_FOR or os.environ.get("CI") == "true":
            raise
        pytest.skip(f"the vendor's client cannot be installed: {error}")
    own = tmp_path_factory.mktemp("stage")
    in_worker = "PYTEST_XDIST_WORKER" in os.environ
    shared = (tmp_path_factory.getbasetemp().parent if in_worker else own) / "scenarios"
    stage = Stage(own, shared, environments.__getitem__)
    stage.start(wanted)
    yield stage
    stage.close()


@pytest.fixture
def result(request: pytest.FixtureRequest, stage: Stage) -> Any:
    """What the scenario that the test is marked with returned."""
    assert isinstance(request.param, Scenario)
    return stage.result(request.param)
