"""What other servers wrote to a database that may be away: asked seldom, for all at once, and never waited for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from conductor_mock.farm.ids import account_id
from conductor_mock.store.lately import EVERY_S, WANTED_S, Lately
from support.statements import of_this_thread
from support.workers import workers


class Elsewhere:
    """A database that counts when it was asked for what, and may be away."""

    def __init__(self) -> None:
        self.s = 0.0
        self.text = "1"
        self.is_away = False
        self.asked: list[tuple[float, Sequence[str]]] = []
        self.lately = Lately(self.ask, seconds=lambda: self.s)

    def ask(self, accounts: Sequence[str]) -> Mapping[str, str]:
        assert not self.lately._guard.locked(), "whoever wants to know waits for nothing"
        self.asked.append((self.s, accounts))
        if self.is_away:
            raise sa.exc.OperationalError("SELECT", {}, OSError("away"))
        return dict.fromkeys(accounts, self.text)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.5, 9.0]), st.sets(st.sampled_from("abc")), st.booleans()
        ),
        max_size=40,
    )
)
def test_the_database_is_asked_once_a_second_at_most_for_all_that_is_wanted(
    steps: list[tuple[float, set[str], bool]],
) -> None:
    there, wanted = Elsewhere(), dict[str, float]()
    for seconds, accounts, is_away in steps:
        there.s += seconds
        there.is_away = is_away
        for account in accounts:
            there.lately.of(account)
            wanted[account] = there.s
        before = len(there.asked)
        again_s = there.lately.look()
        assert 0 < again_s <= EVERY_S
        for at_s, asked in there.asked[before:]:
            assert asked == sorted(one for one, s in wanted.items() if at_s - s < WANTED_S)
    times = [at_s for at_s, _ in there.asked]
    assert all(later - sooner >= EVERY_S for sooner, later in pairwise(times))

    there.s, there.is_away, there.text = there.s + EVERY_S, False, "2"
    there.lately.of("a")
    there.lately.look()
    assert there.lately.of("a") == "2", "what was written is known in the end"


def test_of_an_account_that_nobody_wants_any_more_nothing_is_asked() -> None:
    there = Elsewhere()
    there.lately.of("a")
    there.lately.look()
    there.s = WANTED_S
    there.lately.look()
    assert [accounts for _, accounts in there.asked] == [["a"]]


def test_a_database_that_is_away_says_nothing_and_is_asked_again() -> None:
    there = Elsewhere()
    there.lately.meet("a")
    assert there.lately.of("a") == "1"
    there.is_away, there.text = True, "2"
    there.lately.meet("b")
    there.lately.look()
    assert (there.lately.of("a"), there.lately.of("b")) == ("1", "")
    there.is_away = False
    there.s += EVERY_S
    there.lately.look()
    assert (there.lately.of("a"), there.lately.of("b")) == ("2", "2")


def test_an_answer_to_an_older_question_does_not_take_back_what_a_later_one_was_told() -> None:
    there = Elsewhere()
    there.lately.of("a")
    there.lately.note("a", 2.0, "3")
    there.lately.note("a", 1.0, "2")
    assert there.lately.of("a") == "3"


def test_what_one_server_writes_the_others_know_after_one_query_and_itself_at_once(
    tmp_path: Path, postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "conductor_mock.store.lately")  # why it could not be asked
    names = ("studio", "another")
    ids = [account_id(name) for name in names]
    with workers(tmp_path, database_url=postgres) as (one, other):
        for name in names:
            one.caller(name).submit()
        accounts, lately = other.service.accounts, other.service.lately
        assert lately is not None
        lately.close()  # its thread would ask every second
        for known in ids:
            accounts.meet(known)
        before = [accounts.written(known) for known in ids]
        assert all(before)

        here = [one.service.accounts.written(known) for known in ids]
        one.caller("studio").submit()
        one.caller("another").post("/_mock/reset", query={"account": "another"})
        assert all(one.service.accounts.written(known) != text for known, text in zip(ids, here, strict=True))

        asked = of_this_thread(other.service.log._database.engine)
        assert [accounts.written(known) for known in ids] == before, (
            "nothing is asked by whoever waits for nothing"
        )
        assert asked == []
        lately.look()
        assert len(asked) == 1, caplog.text
        after = [accounts.written(known) for known in ids]
        assert after == [str(other.service.log.end(known)) for known in ids]
        assert all(now != text for now, text in zip(after, before, strict=True))


def test_nothing_is_kept_of_an_account_that_nobody_wants() -> None:
    there = Elsewhere()
    there.lately.note("a", 1.0, "2")
    assert there.lately.of("a") == ""
    there.lately.note("a", 1.0, "2")
    assert there.lately.of("a") == "2"
    there.s = WANTED_S
    there.lately.look()
    assert there.lately.of("a") == "", "it is long ago, and nobody wanted it"


def test_of_two_answers_to_questions_of_one_moment_the_last_one_counts() -> None:
    there = Elsewhere()
    there.lately.of("a")
    for text in ("1", "2"):
        there.lately.note("a", 3.0, text)
    assert there.lately.of("a") == "2"


def test_the_next_look_is_a_second_after_the_last_one() -> None:
    there = Elsewhere()
    assert there.lately.look() == EVERY_S, "nobody wants anything"
    there.s = 4.0
    there.lately.of("b")
    there.lately.of("a")
    assert there.lately.look() == EVERY_S
    there.s = 4.25
    assert there.lately.look() == 0.75
    assert there.asked == [(4.0, ["a", "b"])]


def test_a_database_that_is_away_is_told_for_who_looks_closely(caplog: pytest.LogCaptureFixture) -> None:
    there = Elsewhere()
    there.is_away = True
    with caplog.at_level(logging.DEBUG):
        there.lately.meet("a")
    assert "what others have written is asked again" in caplog.text


def test_a_thread_asks_until_it_is_closed() -> None:
    asked = threading.Event()

    def ask(accounts: Sequence[str]) -> Mapping[str, str]:
        asked.set()
        return dict.fromkeys(accounts, "1")

    before = set(threading.enumerate())
    lately = Lately(ask)
    lately.of("a")
    lately.start()
    assert asked.wait(60)
    lately.close()
    assert set(threading.enumerate()) <= before
