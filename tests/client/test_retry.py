"""The retry table, as a decision without requests."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from conductor.lib.wire.operations import JOBS_CREATE, OPERATIONS, PACKAGES_LIST, Operation
from conductor.lib.wire.outcomes import Answer, Failure, FailureKind
from conductor.lib.wire.retry import Do, Doubt, Progress, RetryPolicy, Step, next_step, retry_after
from support.client_world import NOW

POLICY = RetryPolicy(attempts=5, base=0.5, cap=20.0, longest_wait=120.0)
FIRST = Progress(tries=1)
REPEATABLE = [operation for operation in OPERATIONS if operation.repeatable]


def answer(status: int, **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, CaseInsensitiveDict(names), b"")


def decide(operation: Operation, outcome: Answer | Failure, progress: Progress = FIRST) -> Step:
    return next_step(POLICY, operation, outcome, progress, lambda: 1.0, lambda: NOW)


def test_only_what_makes_hands_out_or_acts_must_not_be_repeated() -> None:
    once = {operation.id for operation in OPERATIONS if not operation.repeatable}
    assert once == {"jobs.create", "jobs.act", "tasks.act", "downloads.next", "uploads.next"}


NOT_NOW = (408, 429, 500, 502, 503, 504, 508, 520, 599)
FINAL = (
    *range(300, 308),
    *range(400, 408),
    *range(409, 418),
    421,
    422,
    425,
    426,
    428,
    431,
    451,
    501,
    505,
    507,
)
"""Refusals; that some of the last are the server's fault changes nothing."""


def test_a_success_is_returned() -> None:
    done = {(one.id, status): decide(one, answer(status)).do for one in OPERATIONS for status in one.ok}

    assert set(done.values()) == {Do.RETURN}


def test_not_now_is_repeated_where_that_makes_nothing_twice() -> None:
    done = {(one.id, status): decide(one, answer(status)) for one in REPEATABLE for status in NOT_NOW}

    assert {which: step for which, step in done.items() if step != Step(Do.AGAIN, 0.5)} == {}


def test_a_refusal_is_final() -> None:
    done = {(one.id, status): decide(one, answer(status)).do for one in OPERATIONS for status in FINAL}

    assert {which: do for which, do in done.items() if do is not Do.FAIL} == {}


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 507])
def test_creating_a_job_is_not_repeated_after_an_answer_that_leaves_it_open(status: int) -> None:
    assert decide(JOBS_CREATE, answer(status)).do is Do.FAIL


def test_creating_a_job_is_repeated_where_the_server_says_that_it_did_nothing() -> None:
    assert decide(JOBS_CREATE, answer(429)) == Step(Do.AGAIN, 0.5)
    assert decide(JOBS_CREATE, answer(429, Retry_After="3")) == Step(Do.AGAIN, 3.0)
    assert decide(JOBS_CREATE, answer(503, Retry_After="3")) == Step(Do.AGAIN, 3.0)


@pytest.mark.parametrize("kind", FailureKind)
def test_a_failure_is_repeated_by_whether_the_request_may_have_been_acted_on(kind: FailureKind) -> None:
    failure = Failure(kind, "")
    hopeless = kind in (FailureKind.TLS, FailureKind.INVALID)
    assert (decide(PACKAGES_LIST, failure).do is Do.FAIL) == hopeless
    assert (decide(JOBS_CREATE, failure).do is Do.AGAIN) == (kind is FailureKind.NOT_CONNECTED)


def test_a_token_is_renewed_once() -> None:
    for operation in OPERATIONS:
        assert decide(operation, answer(401), Progress(1, may_renew=True)).do is Do.RENEW, operation.id
        assert decide(operation, answer(401), Progress(1, may_renew=False)).do is Do.FAIL, operation.id


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_another_refusal_renews_no_token(status: int) -> None:
    for operation in OPERATIONS:
        if not operation.accepts(status):
            assert decide(operation, answer(status), Progress(1, may_renew=True)).do is Do.FAIL, operation.id


def test_a_stale_connection_is_replaced_at_once_and_for_free() -> None:
    dropped, stale = Failure(FailureKind.DROPPED, ""), Progress(5, may_be_stale=True)
    assert decide(PACKAGES_LIST, dropped, stale) == Step(Do.AGAIN, 0.0, counts=False)
    assert decide(PACKAGES_LIST, Failure(FailureKind.TIMEOUT, ""), stale).do is Do.FAIL


def test_attempts_are_bounded() -> None:
    steps = [decide(PACKAGES_LIST, answer(500), Progress(tries)) for tries in (1, 2, 3, 4, 5)]
    assert [step.wait for step in steps[:4]] == [0.5, 1.0, 2.0, 4.0]
    assert steps[4].do is Do.FAIL


@given(st.integers(0, 60), st.floats(0, 1, exclude_max=True))
def test_the_wait_is_spread_over_a_bounded_and_growing_time(retries: int, drawn: float) -> None:
    wait = POLICY.backoff(retries, lambda: drawn)
    assert wait == drawn * POLICY.backoff(retries, lambda: 1.0)
    assert 0 <= wait <= POLICY.cap
    assert POLICY.backoff(retries, lambda: 1.0) <= POLICY.backoff(retries + 1, lambda: 1.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", 0.0),
        ("Tue, 14 Nov 2023 23:13:30 +0100", 10.0),
        ("Tue, 14 Nov 2023 22:13:30 -0000", 10.0),
        ("soon", None),
        ("\u00b2", None),
        ("\u0663", None),
        ("9" * 400, math.inf),
        ("-5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    monkeypatch: pytest.MonkeyPatch, text: str, seconds: float | None
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # a date without a zone is not of this machine's
    time.tzset()
    assert retry_after(answer(503, Retry_After=text), lambda: NOW) == seconds
    monkeypatch.undo()
    time.tzset()


def test_a_client_that_is_told_nothing_makes_five_attempts_and_waits_two_minutes_at_most() -> None:
    """As docs/reference/uploads.md says."""
    assert RetryPolicy() == RetryPolicy(attempts=5, base=0.5, cap=20.0, longest_wait=120.0)


def test_what_is_sent_again_after_a_wait_counts_as_an_attempt() -> None:
    assert decide(PACKAGES_LIST, answer(500)).counts
    assert decide(
        PACKAGES_LIST, Failure(FailureKind.DROPPED, "gone"), Progress(1, may_be_stale=True)
    ) == Step(Do.AGAIN, 0.0, counts=False)


def test_doubts_grow_from_none() -> None:
    """All attempts together leave what the worst of them left."""
    assert [*Doubt] == [Doubt.NONE, Doubt.SETTLED, Doubt.OPEN] == sorted(Doubt)
    assert not Doubt.NONE


def test_a_server_that_asks_for_very_long_is_not_waited_for() -> None:
    assert decide(PACKAGES_LIST, answer(503, Retry_After="120")).wait == 120.0
    assert decide(PACKAGES_LIST, answer(503, Retry_After="121")).do is Do.FAIL
