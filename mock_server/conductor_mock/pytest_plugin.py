"""The fixtures of the test kit for pytest (docs/reference/testkit.md); nothing is imported before one is used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

try:
    import pytest
except ModuleNotFoundError as error:  # pragma: no cover - nobody loads plug-ins of pytest without it
    raise ImportError("the fixtures need pytest: pip install 'conductor-mock[testkit]'") from error

if TYPE_CHECKING:
    from conductor_mock.testkit import Fake
    from conductor_mock.testkit.places import InMemory, Place

T = TypeVar("T")

MARK = "conductor_mock"
ALLOWANCES = ("allow_unused", "allow_invalid", "allow_warnings")
"""Options of the marker: what a test is not failed for."""
VENDOR_WAITS = "vendor_waits"

FAKES = pytest.StashKey[list["Fake"]]()
"""The fakes of a test that is under way."""
STOPPED = pytest.StashKey[bool]()
"""Whether a test did not come to its end, in its setup or its call: it failed, as it was to or not, or was skipped."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the command line."""
    group = parser.getgroup("conductor-mock")
    group.addoption(
        "--conductor-mock-url",
        metavar="URL",
        help="let conductor_mock give accounts of the server there, instead of one that each worker starts",
    )
    group.addoption(
        "--conductor-mock-artifacts",
        metavar="DIR",
        help="write the journal and a bundle of the account of each test that fails into a folder in DIR",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARK}(strict=, seed=, fleet=, provider=, part_size=, speed=, catalog=, vendor_waits=False, "
        "allow_unused=False, allow_invalid=False, allow_warnings=False): how the fake of a test is, and what it is not "
        "failed for",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the fake of a test has seen into the report of its failure."""
    report = yield
    if report.when == "setup":  # of a test that is run again, too
        item.stash[STOPPED] = False
    if report.when != "teardown" and not item.stash[STOPPED]:
        item.stash[STOPPED] = report.failed or call.excinfo is not None
        if not report.failed:
            return report
        fakes: list[Fake] = item.stash.get(FAKES, [])
        for number, fake in enumerate(fakes):
            report.sections.append(_evidence(item, fake, number))
    return report


@pytest.fixture(scope="session")
def _conductor_mock_server(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The server of the session: the one that the command line names, else one on a free port."""
    from conductor_mock.settings import Settings
    from conductor_mock.testkit.places import Elsewhere, listening

    url = request.config.getoption("--conductor-mock-url")
    if url:
        yield Elsewhere(url.rstrip("/"))
    else:
        with listening(Settings()) as place:
            yield place


@pytest.fixture
def conductor_mock(request: pytest.FixtureRequest) -> Iterator[Fake]:
    """A fake service on a socket, in an account of this test's own; variables and home of this process point at it."""
    from conductor_mock.testkit.beginning import OF_AN_ACCOUNT, Beginning
    from conductor_mock.testkit.given import settings_of
    from conductor_mock.testkit.places import listening
    from conductor_mock.testkit.serving import account_of

    options, allowed, vendor_waits = _options(request)
    own = {name: options.pop(name) for name in OF_AN_ACCOUNT if name in options}
    somewhere = request.config.getoption("--conductor-mock-url")
    if somewhere:  # where time may pass
        own.setdefault("speed", 0)
    if not options:
        place = request.getfixturevalue("_conductor_mock_server")

        def opened(stack: ExitStack) -> Fake:
            return stack.enter_context(account_of(place, Beginning.of(own), vendor_waits=vendor_waits))

        yield from _given(request, opened, allowed)
        return
    if somewhere:
        pytest.fail(
            f"{', '.join(options)} of the marker {MARK} of {request.node.name} is for a whole server, which "
            "--conductor-mock-url is not to be given; deselect the test, or use conductor_in_process",
            pytrace=False,
        )

    def opened_alone(stack: ExitStack) -> Fake:
        place = stack.enter_context(listening(settings_of(options)))
        return stack.enter_context(account_of(place, Beginning.of(own), vendor_waits=vendor_waits))

    yield from _given(request, opened_alone, allowed)


@pytest.fixture(scope="session")
def _conductor_mock_in_process() -> Iterator[InMemory]:
    """The server in this process of the session, which answers while a test has an account of it."""
    from conductor_mock.inprocess.fake import closed_in_process
    from conductor_mock.testkit.places import InMemory

    with closed_in_process() as service:
        yield InMemory(service)


@pytest.fixture
def conductor_in_process(request: pytest.FixtureRequest) -> Iterator[Fake]:
    """A fake service in this process, for whatever uses the requests library; variables and home point at it."""
    from conductor_mock.testkit.beginning import OF_AN_ACCOUNT, Beginning
    from conductor_mock.testkit.mocking import opened
    from conductor_mock.testkit.serving import account_in_process

    options, allowed, vendor_waits = _options(request)
    if options.keys() <= set(OF_AN_ACCOUNT):
        place = request.getfixturevalue("_conductor_mock_in_process")

        def opened_account(stack: ExitStack) -> Fake:
            beginning = Beginning.of(options)
            return stack.enter_context(account_in_process(place, beginning, vendor_waits=vendor_waits))

        yield from _given(request, opened_account, allowed)
        return

    def opened_alone(stack: ExitStack) -> Fake:
        return stack.enter_context(opened(options, vendor_waits=vendor_waits))

    yield from _given(request, opened_alone, allowed)


def _options(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, bool], bool]:
    """What the markers of a test say, the nearest last: settings, allowances, whether the vendor's client waits."""
    from conductor_mock.testkit.given import settings_of

    options: dict[str, Any] = {}
    for mark in reversed(list(request.node.iter_markers(MARK))):
        if mark.args:
            pytest.fail(f"the marker {MARK} takes options by name only, not {mark.args[0]!r}", pytrace=False)
        options.update(mark.kwargs)
    allowed = {name: bool(options.pop(name, False)) for name in ALLOWANCES}
    waits = bool(options.pop(VENDOR_WAITS, False))
    _told(request, lambda: settings_of(options, *ALLOWANCES, VENDOR_WAITS))
    return options, allowed, waits


def _told(request: pytest.FixtureRequest, what: Callable[[], T]) -> T:
    """Do what the marker of a test asks for; where that cannot be, the test fails with a sentence and no traceback."""
    from conductor_mock.testkit.control import ControlError

    try:
        return what()
    except (TypeError, ValueError, OSError, ControlError) as error:
        if request.node.get_closest_marker(MARK) is None:
            raise
        reason = str(error)
    pytest.fail(f"the marker {MARK} of {request.node.name}: {reason}", pytrace=False)


def _given(
    request: pytest.FixtureRequest, opened: Callable[[ExitStack], Fake], allowed: dict[str, bool]
) -> Iterator[Fake]:
    """A fake for a test, which fails at its end for what it left, if it came there."""
    __tracebackhide__ = True
    node = request.node
    with ExitStack() as stack:
        fake = _told(request, lambda: opened(stack))
        fakes = node.stash.setdefault(FAKES, [])
        fakes.append(fake)
        try:
            yield fake
            if node.stash.get(STOPPED, False):
                return
            fake.start()
            left = fake.leftovers(**allowed)
            if left:
                node.add_report_section("teardown", *_evidence(node, fake, fakes.index(fake)))
                pytest.fail("\n".join(left), pytrace=False)
        finally:
            fakes.remove(fake)


def _evidence(item: pytest.Item, fake: Fake, number: int) -> tuple[str, str]:
    """The title and text of a section of a report, and the files that it names."""
    from conductor_mock.testkit import evidence

    name = evidence.folder_name(item.nodeid) + (f"-{number + 1}" if number else "")
    chosen = item.config.getoption("--conductor-mock-artifacts")
    try:
        # Where pytest was started: a test may be elsewhere by now.
        if chosen:
            base = item.config.invocation_params.dir / chosen
        else:
            base = item.config._tmp_path_factory.getbasetemp() / TITLE  # type: ignore[attr-defined]
        return TITLE, evidence.save(fake, base / name)
    except Exception as error:  # noqa: BLE001 - a report must not hide the failure that it is about
        return TITLE, f"what the fake has seen cannot be told: {type(error).__name__}: {error}"


TITLE = "conductor-mock"
