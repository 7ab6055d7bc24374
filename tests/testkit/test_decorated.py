"""Whatever kind of function or method is decorated has a fake while its code runs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator

import pytest

from conductor_mock.testkit import Fake, mock_conductor
from support.testkit import run_in_a_loop


def is_here(fake: Fake) -> bool:
    return os.environ.get("CONDUCTOR_API_KEY") == fake.account.api_key()


def test_a_generator_has_it_until_it_is_done_and_sends_and_returns_as_ever() -> None:
    @mock_conductor
    def story(fake: Fake) -> Generator[bool, str, str]:
        got = yield is_here(fake)
        yield is_here(fake) and got == "sent"
        return "end"

    before = dict(os.environ)
    running = story()  # type: ignore[call-arg]
    assert next(running) is True
    assert running.send("sent") is True
    with pytest.raises(StopIteration, match="end"):
        next(running)
    assert dict(os.environ) == before


def test_an_async_generator_has_it_until_it_is_done_or_left() -> None:
    closed = []

    @mock_conductor
    async def story(fake: Fake) -> AsyncIterator[bool]:
        try:
            yield is_here(fake)
            yield is_here(fake)
        finally:
            closed.append(is_here(fake))

    async def all_of_it() -> list[bool]:
        return [one async for one in story()]  # type: ignore[call-arg]

    async def some_of_it() -> None:
        running = story()  # type: ignore[call-arg]
        await anext(running)
        await running.aclose()  # type: ignore[attr-defined]

    before = dict(os.environ)
    assert run_in_a_loop(all_of_it()) == [True, True]
    run_in_a_loop(some_of_it())
    assert closed == [True, True]
    assert dict(os.environ) == before


def test_every_kind_of_method_of_a_class_has_one_and_what_it_inherits_from_stays_as_it_is() -> None:
    class Base:
        def test_inherited(self, fake: Fake) -> bool:
            return is_here(fake)

    inherited = Base.test_inherited

    @mock_conductor
    class Suite(Base):
        tests = test_names = ("no function",)

        def test_plain(self, fake: Fake) -> bool:
            return is_here(fake)

        @staticmethod
        def test_static(fake: Fake) -> bool:
            return is_here(fake)

        @classmethod
        def test_of_class(cls, fake: Fake) -> bool:
            return cls is Suite and is_here(fake)

        async def test_async(self, fake: Fake) -> bool:
            return is_here(fake)

    suite = Suite()
    for method in (suite.test_inherited, suite.test_plain, suite.test_static, suite.test_of_class):
        assert method() is True, method  # type: ignore[call-arg]
    assert run_in_a_loop(suite.test_async()) is True  # type: ignore[call-arg]
    assert Base.test_inherited is inherited
    assert Suite.tests == ("no function",)
