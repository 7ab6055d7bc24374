"""When a request is sent again, decided without sending anything.

=====================  =========================================  ==============================
what happened          repeatable operation                       jobs.create, hand-outs
=====================  =========================================  ==============================
not connected          again, with backoff                        again, with backoff
no answer in time      again, with backoff                        never: it may have been acted on
connection dropped     again, with backoff; at once where the     never
                       connection was an idle one of the pool
408, other 5xx         again, with backoff                        never
429                    again, after Retry-After or backoff        the same: it was not acted on
503                    again, after Retry-After or backoff        only if it has a Retry-After
501, 505, 507          never                                      never
401                    once, with a new token                     once, with a new token
anything else          never                                      never
=====================  =========================================  ==============================

A job is sent as what is repeatable where the service announced that it honours Idempotency-Key (``transport``):
then the second request makes no second job. ``submission`` says what is done where nothing may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timezone
from email.utils import parsedate_to_datetime
from enum import Enum, IntEnum
from typing import NamedTuple

from conductor.lib.wire.backoff import growing
from conductor.lib.wire.operations import Operation
from conductor.lib.wire.outcomes import Answer, Failure, FailureKind

HOPELESS = frozenset({501, 505, 507})


class RetryPolicy(NamedTuple):
    """How often and how long. Times are in seconds.

    The wait before retry n (from 0) is drawn evenly from 0 to ``base * 2**n``, at most ``cap``, so that many
    clients that failed together do not come back together. A server that asks for more than
    ``longest_wait`` by Retry-After is not waited for.
    """

    attempts: int = 5
    base: float = 0.5
    cap: float = 20.0
    longest_wait: float = 120.0

    def backoff(self, retries: int, random: Callable[[], float]) -> float:
        """Return the wait before the retry with this number; ``random`` gives a number in [0, 1)."""
        return random() * growing(self.base, retries, self.cap)


class Do(Enum):
    """What comes next."""

    RETURN = "return the answer"
    AGAIN = "send again after the wait"
    RENEW = "get a new token and send again"
    FAIL = "raise"


class Step(NamedTuple):
    """What to do, and how many seconds to wait first. ``counts`` is False for a repeat that uses up no attempt."""

    do: Do
    wait: float = 0.0
    counts: bool = True


class Progress(NamedTuple):
    """What was done so far: ``tries`` used up, and whether a renewal or an immediate repeat is still open."""

    tries: int
    may_renew: bool = False
    may_be_stale: bool = False


def next_step(
    policy: RetryPolicy,
    operation: Operation,
    outcome: Answer | Failure,
    progress: Progress,
    random: Callable[[], float],
    now: Callable[[], float],
) -> Step:
    """Decide what follows an outcome. ``now`` is epoch seconds, read only for a Retry-After that is a date."""
    if isinstance(outcome, Answer) and operation.accepts(outcome.status):
        return Step(Do.RETURN)
    if isinstance(outcome, Answer) and outcome.status == 401 and progress.may_renew:
        return Step(Do.RENEW)
    if isinstance(outcome, Failure) and outcome.kind is FailureKind.DROPPED and progress.may_be_stale:
        return Step(Do.AGAIN, counts=False)
    if progress.tries >= policy.attempts or not _worth_repeating(operation, outcome):
        return Step(Do.FAIL)
    wait = policy.backoff(progress.tries - 1, random)
    asked = retry_after(outcome, now) if isinstance(outcome, Answer) else None
    if asked is not None and asked > policy.longest_wait:
        return Step(Do.FAIL)
    return Step(Do.AGAIN, max(wait, asked or 0.0))


def _worth_repeating(operation: Operation, outcome: Answer | Failure) -> bool:
    if isinstance(outcome, Failure):
        if outcome.kind is FailureKind.NOT_CONNECTED:
            return True
        return operation.repeatable and outcome.may_have_been_sent
    if not operation.repeatable:
        return not_acted_on(outcome)
    status = outcome.status
    return status in (408, 429) or (status >= 500 and status not in HOPELESS)


def not_acted_on(answer: Answer) -> bool:
    """Say whether a 'not now' answer means for certain that nothing was done."""
    return answer.status == 429 or (answer.status == 503 and "Retry-After" in answer.headers)


class Doubt(IntEnum):
    """Whether a request that was not answered as it should be may have been acted on."""

    NONE = 0  # for certain it was not
    SETTLED = 1  # perhaps; the server is done with it, so what it did can be seen by now
    OPEN = 2  # perhaps, and it may still be under way


_SETTLED = frozenset({500, 501, 503, 505, 507})


def doubt_of(operation: Operation, outcome: Answer | Failure) -> Doubt:
    """Return what an outcome leaves open. A gateway's 502 or 504 says nothing of the server behind it."""
    if isinstance(outcome, Failure):
        if outcome.kind is FailureKind.DROPPED:
            return Doubt.SETTLED
        return Doubt.OPEN if outcome.may_have_been_sent else Doubt.NONE
    status = outcome.status
    if operation.accepts(status) or not_acted_on(outcome):
        return Doubt.NONE
    if 300 <= status < 500 and status != 303:
        return Doubt.NONE
    return Doubt.SETTLED if status in _SETTLED else Doubt.OPEN


def retry_after(answer: Answer, now: Callable[[], float]) -> float | None:
    """Return the seconds that Retry-After (a number or an HTTP date) asks for; None if absent or unreadable."""
    text = answer.headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):  # Python 3.9 has a TypeError for what is no time at all
        return None
    return max(0.0, when.replace(tzinfo=when.tzinfo or timezone.utc).timestamp() - now())
