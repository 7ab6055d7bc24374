"""The fixtures of the test kit for pytest (docs/reference/testkit.md); nothing is imported before one is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conductor_mock.serving.server import Server
    from conductor_mock.testkit import Fake

MARK = "conductor_mock"


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(strict=, seed=, fleet=, provider=, part_size=, speed=, catalog=, allow_unused=False, "
        "allow_warnings=False): how the fake of a test is, and what it is not failed for",
    )


@pytest.fixture(scope="session")
def _conductor_mock_server() -> Iterator[Server]:
    """The server of the session, on a free port."""
    from conductor_mock.app import create_app
    from conductor_mock.serving.server import Server
    from conductor_mock.settings import Settings

    with Server(create_app(Settings(ephemeral=True, speed=0))) as server:
        yield server


@pytest.fixture
def conductor_mock(request: pytest.FixtureRequest) -> Iterator[Fake]:
    """A fake service on a socket, in an account of this test's own; variables and home of this process point at it."""
    from conductor_mock.testkit import serving

    options = _options(request)
    allowed = _allowed(options)
    if options:
        with serving.served(**options) as fake:
            yield fake
            _check(fake, **allowed)
    else:
        with serving.of_server(request.getfixturevalue("_conductor_mock_server")) as fake:
            yield fake
            _check(fake, **allowed)


@pytest.fixture
def conductor_in_process(request: pytest.FixtureRequest) -> Iterator[Fake]:
    """A fake service in this process, for whatever uses the requests library; variables and home point at it."""
    from conductor_mock.testkit.mocking import mock_conductor

    options = _options(request)
    allowed = _allowed(options)
    with mock_conductor(**options) as fake:
        yield fake
        _check(fake, **allowed)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the markers of a test say, the nearest last."""
    options: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers(MARK))):
        options.update(mark.kwargs)
    return options


def _allowed(options: dict[str, Any]) -> dict[str, bool]:
    """What is not to be failed for, taken out of the options."""
    return {name: bool(options.pop(name, False)) for name in ("allow_unused", "allow_warnings")}


def _check(fake: Fake, *, allow_unused: bool, allow_warnings: bool) -> None:
    """Fail a test for what it asked for and did not use, and for what was odd."""
    __tracebackhide__ = True
    unused = [] if allow_unused else [rule for rule in fake.faults.all if rule.consumed == 0]
    if unused:
        pytest.fail("never used: " + "; ".join(map(str, unused)) + " (allow_unused=True for a test that may)")
    if not allow_warnings:
        try:
            fake.assert_no_warnings()
        except AssertionError as error:
            pytest.fail(f"{error}\n(allow_warnings=True for a test that may)")
