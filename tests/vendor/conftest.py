"""The stage that all scenarios of the vendor's client play on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from support.package_index import IndexUnreachableError
from vendor.environments import installed
from vendor.scenarios import Scenario, Stage, named_by


@pytest.fixture(scope="session")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Starts the scenarios of all selected tests at once. Skips, but never in CI, when there is no package index."""
    wanted = named_by(request.session.items)
    try:
        environments = {version: installed(version) for version in sorted({item.version for item in wanted})}
    except IndexUnreachableError as error:
        if os.environ.get("CI") == "true":
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
