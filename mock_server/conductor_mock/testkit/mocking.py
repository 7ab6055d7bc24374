"""`mock_conductor`: a fake in this process, and this process pointed at it, for a block or a function."""

from __future__ import annotations

import functools
import inspect
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, aclosing, contextmanager
from typing import Any, TypeVar, cast, overload

from conductor_mock.inprocess import in_process
from conductor_mock.serving.environment import removed
from conductor_mock.testkit import vendor
from conductor_mock.testkit.beginning import Beginning
from conductor_mock.testkit.fake import Fake
from conductor_mock.testkit.given import settings_of
from conductor_mock.testkit.places import InMemory
from conductor_mock.testkit.surroundings import home, variables
from conductor_mock.testkit.values import Account

T = TypeVar("T")

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
    empty folder; afterwards all is as before. It decorates functions, async functions, generators of both kinds
    (fixtures are some), and classes, of which every method that begins with `test`, inherited or not, has a fake of its
    own. A function with a parameter `fake` is given it by that name.
    `settings` are those of `conductor_mock.settings.Settings`, where `catalog` may be a document too, and
    `vendor_waits` (`vendor`); TypeError for any other, and for a value of another type.
    What is returned can be used again, and nested.
    """
    mock = Mock(settings, vendor_waits=bool(settings.pop("vendor_waits", False)))
    return mock if decorated is None else mock(decorated)


class Mock:
    """What `mock_conductor` returns: a context manager, and a decorator."""

    def __init__(self, settings: Mapping[str, Any], *, vendor_waits: bool = False) -> None:
        settings_of(settings, "vendor_waits")  # what is wrong is said here, and not in each test
        self._settings = settings
        self._vendor_waits = vendor_waits
        self._open: list[ExitStack] = []

    def __enter__(self) -> Fake:
        with ExitStack() as stack:
            fake = stack.enter_context(self._opened())
            self._open.append(stack.pop_all())
        return fake

    def __exit__(self, *_: object) -> None:
        self._open.pop().close()

    def _opened(self) -> AbstractContextManager[Fake]:
        return opened(self._settings, vendor_waits=self._vendor_waits)

    def __call__(self, decorated: T) -> T:
        """The same, with a fake for every call."""
        if isinstance(decorated, type):
            for name in dir(decorated):
                value = inspect.getattr_static(decorated, name)
                if name.startswith("test") and (around := self._around_method(value)) is not None:
                    setattr(decorated, name, around)
            return cast(T, decorated)
        return cast(T, self._around(cast(Any, decorated)))

    def _around_method(self, value: Any) -> Any:
        """What stands in a class in place of a method, of whatever kind; None for what is none."""
        if isinstance(value, (staticmethod, classmethod)):
            return type(value)(self._around(value.__func__))
        return self._around(value) if inspect.isfunction(value) else None

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)
        is_given = GIVEN in signature.parameters

        def more(fake: Fake) -> dict[str, Any]:
            return {GIVEN: fake} if is_given else {}

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **options: Any) -> Any:
                with self._opened() as fake:
                    return await function(*args, **options, **more(fake))

        elif inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def wrapper(*args: Any, **options: Any) -> Any:
                with self._opened() as fake:
                    async with aclosing(function(*args, **options, **more(fake))) as values:
                        async for value in values:
                            yield value

        elif inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def wrapper(*args: Any, **options: Any) -> Any:
                with self._opened() as fake:
                    return (yield from function(*args, **options, **more(fake)))

        else:

            @functools.wraps(function)
            def wrapper(*args: Any, **options: Any) -> Any:
                with self._opened() as fake:
                    return function(*args, **options, **more(fake))

        # What calls it, such as pytest, must not look for the parameter that is given here.
        left = [one for name, one in signature.parameters.items() if name != GIVEN]
        wrapper.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return wrapper


@contextmanager
def opened(settings: Mapping[str, Any], *, vendor_waits: bool = False) -> Iterator[Fake]:
    """A fake in this process for the length of the block, in an account of its own, with home and variables."""
    document = {name: value for name, value in settings.items() if isinstance(value, Mapping)}
    of_server = {name: value for name, value in settings.items() if name not in document}
    with in_process(settings_of(of_server)) as service:
        fake = Fake(InMemory(service), new_account(), Beginning.of(document))
        with pointed_at(fake, vendor_waits=vendor_waits):
            yield fake


def new_account() -> Account:
    """An account that nobody else uses."""
    return Account(f"test {secrets.token_hex(8)}", secrets.token_hex(16))


@contextmanager
def pointed_at(fake: Fake, *, vendor_waits: bool = False) -> Iterator[None]:
    """This process pointed at a fake: variables, an empty home, and what the vendor's client keeps in its modules."""
    with (
        vendor.kept(waits=vendor_waits),
        home() as folder,
        variables({**fake.environment, **folder}, removed(fake.environment)),
    ):
        vendor.refresh()
        yield
