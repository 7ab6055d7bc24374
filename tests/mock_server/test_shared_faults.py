"""Fault rules of servers that share a database: each meets what one server alone would meet."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor_contracts.contract import load
from conductor_mock.faults import rules
from conductor_mock.faults.conditions import RequestInfo
from conductor_mock.faults.fault import TOKEN, URL
from conductor_mock.faults.kinds import KINDS
from conductor_mock.faults.reading import FaultError, read_rule
from conductor_mock.faults.rules import Faults
from conductor_mock.faults.shared import SharedKeeper, changes_of, name_of
from conductor_mock.store.database import Database
from conductor_mock.store.fault_rows import FaultRows

OPERATIONS = load().operations
ACCOUNTS = ("one", "other")
FAULT = {"kind": "status"}


@dataclass
class Servers:
    """Two that share a database, each with what it remembers of its own."""

    database: Database
    rows: FaultRows
    pair: tuple[Faults, Faults]


@contextmanager
def sharing() -> Iterator[Servers]:
    with Database("sqlite://") as database:
        rows = FaultRows(database, "a run")
        one, other = (Faults(OPERATIONS, SharedKeeper(rows, OPERATIONS)) for _ in range(2))
        yield Servers(database, rows, (one, other))


@pytest.fixture
def servers() -> Iterator[Servers]:
    with sharing() as made:
        yield made


def asked(**fields: Any) -> RequestInfo:
    head = {"simulated_s": 1000.0, "body_bytes": 0, "has_token": False, "has_signature": False}
    return RequestInfo("jobs.list", "GET", "/api/v1/jobs", 1000.0, **{**head, **fields})


FAULTS = st.one_of(
    st.builds(lambda status: {"kind": "status", "status": status}, st.sampled_from([500, 503])),
    st.builds(lambda count, simulated: {"kind": "quota", "requests": count, "seconds": 5, "simulated": simulated},
              st.integers(1, 3), st.booleans()),
    st.sampled_from([{"kind": "expired_token"}, {"kind": "expired_url"}, {"kind": "stall"}]),
)  # fmt: skip
RULES = st.fixed_dictionaries(
    {"fault": FAULTS},
    optional={
        "match": st.sampled_from(
            [
                {"operation": "jobs.list"},
                {"method": "PUT"},
                {"path": "jobs$"},
                {"body": {"pointer": "/a", "value": 1}},
            ]
        ),
        "times": st.integers(1, 3),
        "skip": st.integers(0, 2),
        "every": st.integers(1, 3),
        "probability": st.sampled_from([0.5, 1]),
        "seed": st.integers(1, 9),
        "until": st.sampled_from(["1970-01-01T00:16:41Z", "2026-01-01T00:00:00Z"]),
    },
)
REQUESTS = st.builds(
    lambda wall_s, simulated_s, token, signed, body: RequestInfo(
        "jobs.list", "GET", "/api/v1/jobs", wall_s, simulated_s, 0, has_token=token, has_signature=signed,
        read_body=lambda: body,
    ),
    st.sampled_from([1000.0, 1004.0, 1006.0]), st.sampled_from([1000.0, 1003.0]), st.booleans(), st.booleans(),
    st.sampled_from([None, ({"a": 1},)]),
)  # fmt: skip
STEPS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(ACCOUNTS), RULES),
    st.tuples(st.just("take"), st.sampled_from(ACCOUNTS), REQUESTS),
    st.tuples(st.just("hand_out"), st.sampled_from(ACCOUNTS), st.sampled_from([TOKEN, URL])),
    st.tuples(st.just("clear"), st.sampled_from(ACCOUNTS), st.none()),
)


@given(st.lists(st.tuples(st.booleans(), STEPS), max_size=30))
def test_servers_that_share_rules_do_together_what_one_does(story: list[tuple[bool, Any]]) -> None:
    alone = Faults(OPERATIONS)
    with sharing() as servers:
        for second, (what, account, given_) in story:
            for faults in (alone, servers.pair[second]):
                if what == "add":
                    faults.add(account, given_)
            if what == "take":
                assert alone.has_any(account) == servers.pair[second].has_any(account)
                hit = servers.pair[second].take(account, given_)
                assert alone.take(account, given_) == hit
            elif what == "hand_out":
                alone.handed_out(account, given_)
                servers.pair[second].handed_out(account, given_)
            elif what == "clear":
                alone.clear(account)
                servers.pair[second].clear(account)
        for account in ACCOUNTS:
            assert [alone.of(account)] * 2 == [faults.of(account) for faults in servers.pair]
            changes = {faults.changes(account).partition("-")[2] for faults in (alone, *servers.pair)}
            assert len(changes) == 1, "rules that were met as often"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_rule_of_every_kind_is_read_by_another_server_as_it_was_asked_for(kind: Any) -> None:
    match = {
        "operation": "jobs.create",
        "method": "post",
        "path": "^/j",
        "body": {"pointer": "/a", "value": [None]},
    }
    rule = read_rule({"match": match, "fault": {"kind": kind.kind}, "from_byte": 7, "times": 3}, OPERATIONS)
    again = read_rule(rule.asked_for(), OPERATIONS)
    assert (again.match, again.fault, again.turns, again.from_byte) == (
        rule.match,
        rule.fault,
        rule.turns,
        rule.from_byte,
    )


def test_what_one_server_holds_back_is_freed_by_the_other(servers: Servers) -> None:
    one, other = servers.pair
    one.add("one", {"fault": {"kind": "stall"}})
    other.add("other", {"fault": {"kind": "stall"}})
    hit, second = one.take("one", asked()), one.take("other", asked())
    assert hit is not None
    assert second is not None
    assert not hit.freed.is_set()

    other.clear("one")

    assert hit.freed.is_set()
    assert not second.freed.is_set(), "it is another account's"


def test_a_wait_goes_on_while_the_database_cannot_be_asked(
    servers: Servers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = servers.pair
    one.add("one", {"fault": {"kind": "stall"}})
    hit = one.take("one", asked())
    assert hit is not None
    with monkeypatch.context() as patched, caplog.at_level(logging.DEBUG, "conductor_mock.faults"):
        patched.setattr(FaultRows, "is_there", lambda *_: 1 / 0)
        assert not hit.freed.is_set()
    assert "whether fault 1 was deleted cannot be said" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    other.clear("one")
    assert hit.freed.is_set()


def test_requests_at_two_servers_at_once_share_the_turns_of_a_rule(servers: Servers) -> None:
    servers.pair[0].add("one", {"fault": FAULT, "times": 10, "every": 2})
    start = threading.Barrier(4)

    def ask(number: int) -> int:
        start.wait()
        return sum(servers.pair[number % 2].take("one", asked()) is not None for _ in range(10))

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(ask, range(4))) == 10
    (rule,) = servers.pair[1].of("one")
    assert (rule["seen"], rule["consumed"]) == (40, 10)


def test_what_one_server_hands_out_is_counted_for_all_of_them(servers: Servers) -> None:
    one, other = (SharedKeeper(servers.rows, OPERATIONS) for _ in range(2))
    servers.pair[0].add("one", {"fault": {"kind": "expired_token"}})
    handed = [(one, "one", TOKEN), (other, "one", TOKEN), (one, "one", URL), (one, "other", URL)]
    for keeper, account, what in handed:
        keeper.hand_out(account, what)
    with other.turn("one", []) as (_, handed_out):
        assert handed_out == {TOKEN: 2, URL: 1}


def test_rules_have_a_number_of_their_own_at_every_server(servers: Servers) -> None:
    one, other = servers.pair
    numbers = [one.add("one", {"fault": FAULT}).number, other.add("other", {"fault": FAULT}).number]
    one.clear("one")
    numbers.append(other.add("one", {"fault": FAULT}).number)
    assert numbers == [1, 2, 3]


def test_the_most_rules_of_an_account_are_counted_at_every_server(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_RULES", 7)
    for number in range(7):
        servers.pair[number % 2].add("one", {"fault": FAULT})
    with pytest.raises(FaultError, match="one rule more than the 7"):
        servers.pair[0].add("one", {"fault": FAULT})
    servers.pair[0].add("other", {"fault": FAULT})


def test_an_account_without_rules_costs_one_look_at_one_number(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = servers.pair
    other.add("other", {"fault": FAULT})
    assert not one.has_any("one")
    asked_for: list[str] = []

    def watched(name: str) -> Any:
        real = getattr(FaultRows, name)

        def method(*arguments: Any) -> Any:
            asked_for.append(name)
            return real(*arguments)

        return method

    for name in ("version", "accounts", "read", "is_there", "hand_out"):
        monkeypatch.setattr(FaultRows, name, watched(name))
    assert not one.has_any("one")
    one.handed_out("one", TOKEN)
    assert asked_for == ["version", "version"]


def test_rules_are_read_once_until_one_comes_or_goes(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, asked_for, read = SharedKeeper(servers.rows, OPERATIONS), list[str](), FaultRows.read

    def watched(rows: FaultRows, account: str) -> Any:
        asked_for.append(account)
        return read(rows, account)

    monkeypatch.setattr(FaultRows, "read", watched)
    for number in (1, 2):
        servers.pair[0].add("one", {"fault": FAULT})
        assert [len(keeper.rules(account)) for account in ("one", "other", "one")] == [number, 0, number]
        assert asked_for == ["one"] * number


class Heard:
    """What somebody else asks for, as `Lately` does."""

    def __init__(self) -> None:
        self.wanted: list[str] = []
        self.noted: list[tuple[str, float, str]] = []
        self.now_s = lambda: 7.0

    def of(self, name: str, /) -> str:
        self.wanted.append(name)
        return "as it was"

    def note(self, name: str, began_s: float, text: str, /) -> None:
        self.noted.append((name, began_s, text))


def test_where_rows_may_be_far_away_changes_are_told_as_they_were_and_noted_once_somebody_asked(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, near = Heard(), SharedKeeper(servers.rows, OPERATIONS)
    far = SharedKeeper(servers.rows, OPERATIONS, heard)
    servers.pair[0].add("one", {"fault": FAULT})
    far.meet("one")
    assert heard.noted == [(name_of("one"), 7.0, near.changes("one"))]
    with monkeypatch.context() as patched:
        patched.setattr(FaultRows, "changes", lambda *_: pytest.fail("nothing is asked"))
        assert far.changes("one") == "as it was"
        near.meet("one")
    assert heard.wanted == [name_of("one")] * 2


def test_changes_are_told_of_names_that_are_of_rules(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.pair[0].add("one", {"fault": FAULT})
    names = [name_of("one"), "another/two", name_of("other"), "three"]
    assert changes_of(servers.rows, names) == {name_of("one"): "1-1-0", name_of("other"): "0-0-0"}
    monkeypatch.setattr(FaultRows, "changes", lambda *_: pytest.fail("nothing is asked"))
    assert changes_of(servers.rows, ["another/two"]) == {}


def test_a_request_that_fits_no_rule_writes_nothing(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = servers.pair
    other.add("one", {"match": {"method": "PUT"}, "fault": FAULT})
    monkeypatch.setattr(FaultRows, "turn", lambda *_: pytest.fail("nothing counts"))
    assert one.take("one", asked()) is None


def test_a_rule_of_a_newer_server_is_passed_over(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    one, _ = servers.pair
    servers.rows.add("one", '{"fault": {"kind": "of_tomorrow"}}', most=9)
    one.add("one", {"fault": FAULT})
    hit = one.take("one", asked())
    assert hit is not None
    assert hit.rule == 2
    assert "fault 1, which another server took, means nothing here" in caplog.text


def test_the_first_of_the_next_run_has_no_rules_and_those_who_join_it_have_its_own(servers: Servers) -> None:
    one, other = servers.pair
    one.add("one", {"fault": FAULT})
    assert servers.rows.is_first
    assert not FaultRows(servers.database, "a run").is_first
    assert other.has_any("one")

    assert FaultRows(servers.database, "the next").is_first
    assert not other.has_any("one")
    assert one.of("one") == []
    other.add("one", {"fault": FAULT})
    assert not FaultRows(servers.database, "the next").is_first
    assert [rule["id"] for rule in one.of("one")] == [2]


def test_requests_at_two_servers_of_a_postgresql_share_the_turns_of_a_rule_and_wait_for_each_other_in_one_order(
    monkeypatch: pytest.MonkeyPatch, postgres: str
) -> None:
    monkeypatch.setattr(Database, "_owned", lambda _, engine, __: engine)  # the second one is let in
    with Database(postgres) as first, Database(postgres) as second:
        run = os.urandom(8).hex()
        pair = [
            Faults(OPERATIONS, SharedKeeper(FaultRows(database, run), OPERATIONS))
            for database in (first, second)
        ]
        pair[0].add("one", {"fault": FAULT, "times": 20, "every": 2})
        start = threading.Barrier(4)

        def ask(number: int) -> int:
            start.wait()
            server, hits = pair[number % 2], 0
            for turn in range(20):
                hits += server.take("one", asked()) is not None
                server.handed_out("one", TOKEN)
                server.add(f"other {number}", {"fault": FAULT})
                if turn % 5 == 0:
                    server.clear(f"other {number}")
            return hits

        with ThreadPoolExecutor(4) as threads:
            assert sum(threads.map(ask, range(4))) == 20
        (rule,) = pair[1].of("one")
        assert (rule["seen"], rule["consumed"]) == (80, 20)
        numbers = [
            rule["id"]
            for account in ("one", *(f"other {n}" for n in range(4)))
            for rule in pair[0].of(account)
        ]
        assert len(numbers) == len(set(numbers))
