"""`mock_conductor`: a fake in this process, and this process pointed at it, for a block or a function."""

from __future__ import annotations

import functools
import inspect
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast, overload

from conductor_mock.inprocess import InProcess, in_process
from conductor_mock.serving.environment import API_KEY, removed
from conductor_mock.settings import Settings
from conductor_mock.testkit.control import Control
from conductor_mock.testkit.fake import Fake
from conductor_mock.testkit.values import Account

T = TypeVar("T")

HOMES = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")
FOLDERS: Mapping[str, str] = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_CACHE_HOME": ".cache",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
}

GIVEN = "fake"
"""A decorated function that has a parameter of this name is given the fake by it."""


@overload
def mock_conductor(decorated: T, /) -> T: ...


@overload
def mock_conductor(**settings: Any) -> Mock: ...


def mock_conductor(decorated: Any = None, /, **settings: Any) -> Any:
    """A new fake for the length of a block, or for each call of what it decorates.

        with mock_conductor() as fake: ...

        @mock_conductor(strict=True)
        def test_submit(fake): ...

    Sessions of the requests library in this process go to it, the variables of the environment name it, the home is an
    empty folder; afterwards all is as before. It decorates functions, async functions, and classes, of which every
    method that begins with `test` has a fake of its own. A function with a parameter `fake` is given it by that name.
    `settings` are those of `conductor_mock.settings.Settings`; TypeError for any other. What is returned can be used
    again, and nested.
    """
    mock = Mock(Settings(**settings))
    return mock if decorated is None else mock(decorated)


class Mock:
    """What `mock_conductor` returns: a context manager, and a decorator."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: list[ExitStack] = []

    def __enter__(self) -> Fake:
        with ExitStack() as stack:
            fake = stack.enter_context(opened(self._settings))
            self._open.append(stack.pop_all())
        return fake

    def __exit__(self, *_: object) -> None:
        self._open.pop().close()

    def __call__(self, decorated: T) -> T:
        """The same, with a fake for every call."""
        if isinstance(decorated, type):
            for name, value in list(vars(decorated).items()):
                if name.startswith("test") and inspect.isfunction(value):
                    setattr(decorated, name, self._around(value))
            return cast(T, decorated)
        return cast(T, self._around(cast(Any, decorated)))

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)
        is_given = GIVEN in signature.parameters

        def more(fake: Fake) -> dict[str, Any]:
            return {GIVEN: fake} if is_given else {}

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **options: Any) -> Any:
                with opened(self._settings) as fake:
                    return await function(*args, **options, **more(fake))

        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **options: Any) -> Any:
                with opened(self._settings) as fake:
                    return function(*args, **options, **more(fake))

        # What calls it, such as pytest, must not look for the parameter that is given here.
        left = [one for name, one in signature.parameters.items() if name != GIVEN]
        wrapper.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return wrapper


@contextmanager
def opened(settings: Settings) -> Iterator[Fake]:
    """A fake in this process for the length of the block, in an account of its own, with home and variables."""
    with in_process(settings) as service, home() as folder:
        fake = of_service(service)
        with variables({**fake.environment, **folder}, removed(fake.environment)):
            yield fake


def of_service(service: InProcess) -> Fake:
    """A new account of a service in this process, in a test's hands."""
    account = new_account()
    control = Control(service.url, account, service.adapter())
    control.sign_in()
    return Fake(control, {**service.environment(), API_KEY: account.api_key()})


def new_account() -> Account:
    """An account that nobody else uses."""
    return Account(f"test {secrets.token_hex(8)}", secrets.token_hex(16))


@contextmanager
def home() -> Iterator[dict[str, str]]:
    """The variables that make an empty folder the home, for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="conductor-mock-home-", ignore_cleanup_errors=True) as folder:
        below = {name: str(Path(folder, path)) for name, path in FOLDERS.items()}
        yield {**dict.fromkeys(HOMES, folder), **below}


@contextmanager
def variables(given: Mapping[str, str], gone: list[str]) -> Iterator[None]:
    """These variables set, and those not, for the length of the block."""
    before = {name: os.environ.get(name) for name in (*given, *gone)}
    os.environ.update(given)
    for name in gone:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
