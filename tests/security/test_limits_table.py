"""The one table of limits: each option of it is one of the server with that default, each limit has its test."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from conductor_mock.auth.attempts import OF_ALL, OF_ONE, WINDOW_US
from conductor_mock.catalog.served import MOST_OWN
from conductor_mock.cli import main
from conductor_mock.serving import events
from conductor_mock.serving.patience import IDLE_S
from support.security_page import limits, rows

UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "s": 1}
OPTIONS = {
    option.opts[0]: option for option in main.commands["serve"].params if isinstance(option, click.Option)
}
GROWTH = re.compile(r"--(max|least|sweep|close)-|--(head|client)-timeout")
ELSEWHERE = {"--execute-max-output", "--execute-timeout"}
"""What a task that runs for real may do has a page of its own."""


def amount(text: str) -> float | None:
    """The first number of a limit, in its unit."""
    if text == "none":
        return None
    number, unit = re.search(r"([\d,]+)(?: (KiB|MiB|GiB|TiB|s)\b)?", text).groups()  # type: ignore[union-attr]
    return int(number.replace(",", "")) * UNITS.get(unit, 1)


TESTS = Path(__file__).parents[1]
NAMED = [(row, option) for row in rows() for option in re.findall(r"`(--[a-z-]+)`", row["option"])]


@pytest.mark.parametrize(("row", "option"), NAMED, ids=lambda value: value if isinstance(value, str) else "")
def test_an_option_of_the_table_is_there_with_the_limit_as_its_default(
    row: dict[str, str], option: str
) -> None:
    default = OPTIONS[option].default
    wanted = amount(row["limit"])
    # click has more than one way to say that there is none
    assert not isinstance(default, (int, float)) if wanted is None else default == wanted, row


def test_every_option_that_is_a_limit_is_in_the_table() -> None:
    wanted = {name for name in OPTIONS if GROWTH.match(name)} - ELSEWHERE
    assert wanted == {option for _, option in NAMED if not option.startswith("--execute-")}


def test_every_limit_names_a_test_that_is_there() -> None:
    tests = {
        path.stem for folder in ("security", "mock_server") for path in (TESTS / folder).glob("test_*.py")
    }
    for row in rows():
        assert row["tried by"] in tests, row
        assert row["of what"], row
        assert row["beyond it"], row
    assert len({(row["side"], row["of what"]) for row in rows()}) == len(rows())


def test_limits_without_an_option_are_as_the_code_has_them() -> None:
    said = limits("server")
    assert (
        said[f"wrong admin tokens in {WINDOW_US // 1_000_000} s"]
        == f"{OF_ONE} of an address, {OF_ALL} of all"
    )
    assert said["catalogues of accounts' own in memory"] == str(MOST_OWN)
    assert said["silence before or between requests"] == f"{IDLE_S} s"
    assert said["streams of events to pages"] == str(events.MOST)
