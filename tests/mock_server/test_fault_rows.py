"""Fault rules as rows: each call by itself, with two accounts beside each other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.faults.keeping import MemoryKeeper
from conductor_mock.faults.reading import read_rule
from conductor_mock.faults.rule import Rule
from conductor_mock.faults.shared import Deleted
from conductor_mock.store import fault_rows as module
from conductor_mock.store.database import Database
from conductor_mock.store.fault_rows import FaultRows
from conductor_mock.store.tables import COUNTERS, META
from support.guarded import untouched_without


@pytest.fixture
def database() -> Iterator[Database]:
    with Database("sqlite://") as database:
        yield database


@pytest.fixture
def rows(database: Database) -> FaultRows:
    with database.write() as connection:
        connection.execute(COUNTERS.insert().values(name="another", value=77))
        connection.execute(META.insert().values(name="another", value="row"))
    return FaultRows(database, "a run")


def counters(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {str(name): int(value) for name, value in connection.execute(sa.select(COUNTERS))}


def test_rules_are_numbered_over_all_accounts_and_begin_with_nothing_counted(rows: FaultRows) -> None:
    assert [rows.add(name, f"rule of {name}", most=9) for name in ("a", "b", "a")] == [1, 2, 3]
    assert rows.read("a") == [(1, "rule of a", 0, 0, "null"), (3, "rule of a", 0, 0, "null")]
    assert rows.read("b") == [(2, "rule of b", 0, 0, "null")]
    assert rows.read("c") == []
    assert sorted(rows.accounts()) == ["a", "b"]
    assert (rows.is_there("a", 1), rows.is_there("a", 2), rows.is_there("b", 1)) == (True, False, False)


def test_an_account_has_so_many_rules_and_another_one_as_many(rows: FaultRows) -> None:
    assert [rows.add("a", "", most=2) for _ in range(3)] == [1, 2, None]
    assert [rows.add("b", "", most=2) for _ in range(3)] == [3, 4, None]
    assert len(rows.read("a")) == 2


def test_the_version_changes_with_every_rule_that_comes_or_goes(rows: FaultRows, database: Database) -> None:
    versions = [rows.version()]
    rows.add("a", "", most=9)
    versions.append(rows.version())
    for account_id in "ba":
        rows.clear(account_id)
        versions.append(rows.version())
    assert versions == [1, 2, 3, 4]
    rows.hand_out("a", "token")
    with rows.turn("a", [1]):
        pass
    assert rows.version() == versions[-1]
    assert counters(database)["another"] == 77


def test_what_is_handed_out_is_counted_for_its_account_alone(rows: FaultRows) -> None:
    rows.add("a", "", most=9)
    rows.add("b", "", most=9)
    for account_id, what in (("a", "token"), ("a", "token"), ("a", "url"), ("b", "url"), ("c", "token")):
        rows.hand_out(account_id, what)
    for account_id, counted in (("a", {"token": 2, "url": 1}), ("b", {"token": 0, "url": 1}), ("c", {})):
        with rows.turn(account_id, []) as (_, handed_out):
            assert handed_out == counted


@given(st.sets(st.integers(1, 12)), st.integers(1, 5))
def test_the_rules_of_a_turn_come_in_order_and_what_was_counted_is_stored(
    wanted: set[int], at_once: int
) -> None:
    patched = pytest.MonkeyPatch()
    patched.setattr(module, "_AT_ONCE", at_once)
    with Database("sqlite://") as database:
        rows = FaultRows(database, "a run")
        for number in range(1, 13):
            rows.add("a" if number % 4 else "b", f"rule {number}", most=99)
        numbers = sorted(number for number in wanted if number % 4)
        with rows.turn("a", sorted(wanted, reverse=True)) as (found, _):
            assert [row[:2] for row in found] == [(number, f"rule {number}") for number in numbers]
            found[:] = [(number, "", number, number + 1, f"[{number}]") for number, *_ in found]
        for number, _, *counted in [*rows.read("a"), *rows.read("b")]:
            assert counted == ([number, number + 1, f"[{number}]"] if number in numbers else [0, 0, "null"])
    patched.undo()


def test_what_changed_is_told_of_each_account_that_is_asked_for(rows: FaultRows) -> None:
    for account_id in "abaa":
        rows.add(account_id, "", most=9)
    with rows.turn("a", [1, 4]) as (found, _):
        found[:] = [(number, "", number + 5, 0, "null") for number, *_ in found]
    assert rows.changes(["a", "c"]) == {"a": (4, 3, 6 + 9), "c": (0, 0, 0)}
    assert rows.changes(["b"]) == {"b": (2, 1, 0)}
    assert rows.changes([]) == {}


def test_a_turn_begins_with_a_write_that_keeps_others_waiting(rows: FaultRows, database: Database) -> None:
    rows.add("a", "", most=9)
    rows.add("b", "", most=9)
    said: list[tuple[str, object]] = []
    sa.event.listen(
        database.engine,
        "before_cursor_execute",
        lambda _, __, statement, values, *___: said.append((statement, values)),
    )
    with rows.turn("b", [2]):
        assert said[0][0].startswith("UPDATE fault_accounts")
        assert said[0][0].endswith("WHERE fault_accounts.account = ?")
        assert said[0][1] == ("b",)
    said.clear()
    FaultRows(database, "a run")
    writes = [statement.split()[0] for statement, _ in said if statement.split()[0] in ("UPDATE", "SELECT")]
    assert writes[0] == "UPDATE", "before it looks which run it is"


def test_what_is_cleared_is_one_accounts(rows: FaultRows) -> None:
    for account_id in "aab":
        rows.add(account_id, "", most=9)
    rows.clear("a")
    assert (rows.read("a"), len(rows.read("b")), rows.accounts()) == ([], 1, ["b"])
    assert not rows.is_there("a", 1)
    assert rows.add("a", "", most=9) == 4


def test_the_rules_of_a_run_are_gone_with_the_next_one(rows: FaultRows, database: Database) -> None:
    assert rows.is_first
    rows.add("a", "", most=9)
    before = rows.version()
    same = FaultRows(database, "a run")
    assert (same.is_first, len(rows.read("a"))) == (False, 1)
    following = FaultRows(database, "the next")
    assert following.is_first
    assert (following.read("a"), following.accounts()) == ([], [])
    assert following.version() > before
    assert following.add("a", "", most=9) == 2
    assert not FaultRows(database, "the next").is_first
    with database.read() as connection:
        runs = {name: value for name, value in connection.execute(sa.select(META)) if name == "another"}
    assert runs == {"another": "row"}
    assert counters(database)["another"] == 77


# In memory


def a_rule() -> Rule:
    return read_rule({"fault": {"kind": "status"}}, ["jobs.list"])


def test_a_keeper_in_memory_numbers_counts_and_frees_as_the_rows_do() -> None:
    keeper = MemoryKeeper()
    touched = untouched_without(keeper, "_lock", "_made")
    rules = [a_rule() for _ in range(4)]
    accounts = ["a", "b", "a", "a"]
    added = [keeper.add(name, rule, most=2) for name, rule in zip(accounts, rules, strict=True)]
    assert added == [*rules[:3], None]
    assert [rule.number for rule in rules[:3]] == [1, 2, 3]
    assert (keeper.has_any("a"), keeper.has_any("c")) == (True, False)
    assert (keeper.rules("a"), keeper.rules("b"), keeper.rules("c")) == (
        (rules[0], rules[2]),
        (rules[1],),
        (),
    )
    for account_id, what in (("a", "token"), ("a", "token"), ("c", "token")):
        keeper.hand_out(account_id, what)
    with keeper.turn("a", [3, 2]) as (found, handed_out):
        assert (found, handed_out) == ([rules[2]], {"token": 2})
    with keeper.turn("c", [3]) as (found, handed_out):
        assert (found, handed_out) == ([], {})
    keeper.clear("a")
    keeper.clear("c")
    assert [rule.freed.is_set() for rule in rules[:3]] == [True, False, True]
    assert (keeper.has_any("a"), keeper.rules("a"), keeper.has_any("b")) == (False, (), True)
    assert touched == []


def test_a_keeper_in_memory_lets_nobody_count_beside_another() -> None:
    keeper = MemoryKeeper()
    entered: list[str] = []

    class Lock:
        """Notes who has it."""

        def __enter__(self) -> None:
            entered.append("in")

        def __exit__(self, *_: object) -> None:
            entered.append("out")

    keeper._lock = Lock()  # type: ignore[assignment]
    keeper.add("a", a_rule(), most=1)
    keeper.rules("a")
    keeper.hand_out("a", "token")
    with keeper.turn("a", []):
        assert entered == ["in", "out"] * 3 + ["in"]
    keeper.clear("a")
    assert entered == ["in", "out"] * 5


def test_whoever_waits_is_free_once_the_rule_is_gone_and_is_not_asked_for_again() -> None:
    answers: list[bool] = [True, False]

    class Rows:
        def is_there(self, account_id: str, number: int) -> bool:
            assert (account_id, number) == ("a", 3)
            return answers.pop(0)

    deleted = Deleted(Rows(), "a", 3)  # type: ignore[arg-type]
    assert [deleted.is_set() for _ in range(3)] == [False, True, True]
