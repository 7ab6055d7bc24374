"""Sending one job at most once.

Every submission has a key of its own, sent as Idempotency-Key. What follows when a request was not answered as it
should be, and may have been acted on:

1. Where the service announced that it honours keys, the same bytes are sent again with the same key, as for any
   repeatable request.
2. Else, or when that did not help, the job list is looked at, several times over some seconds. One job that fits in
   everything is the job. Several, or one that fits in part, are for a person to decide: OutcomeUnknownError.
3. No such job: the service may have announced in the list's answer that it honours keys, then 1. If the server was done
   with the request, nothing was made, and TryAgainError says so. If it may still be at it: OutcomeUnknownError.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from conductor.lib.exceptions import (
    Acted,
    BusyError,
    ConductorError,
    OutcomeUnknownError,
    TryAgainError,
    UnreachableError,
)
from conductor.lib.submission.job_search import JobQuery, Sighting, epoch_of, search
from conductor.lib.wire.calls import Calls
from conductor.lib.wire.operations import JOBS_LIST
from conductor.lib.wire.transport import Sent

logger = logging.getLogger(__name__)

Answered = tuple[dict[str, Any], int]

# Seconds to wait before each look at the list: a job may show up there a little after it was made.
LOOKS = (0.0, 1.0, 3.0, 6.0)
# Seconds by which the times of a job and of its submission may differ: clocks are compared to the second.
SLACK = 10.0
_DAY = 86400.0


class Ledger:
    """What is known of the submissions of one client: titles under way, and ids of jobs that answers named."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()
        self._made: set[str] = set()

    @contextmanager
    def submitting(self, title: str) -> Iterator[None]:
        """Note a submission for the length of the block."""
        with self._lock:
            self._under_way[title] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[title] -= 1

    def note(self, jid: str) -> None:
        """Note that a job has its submission."""
        with self._lock:
            self._made.add(jid)

    def made(self) -> frozenset[str]:
        """Return the ids of all jobs that have their submission."""
        with self._lock:
            return frozenset(self._made)

    def is_alone(self, title: str) -> bool:
        """Say whether one submission of that title is under way, and no other."""
        with self._lock:
            return self._under_way[title] == 1


class Submission:
    """One job on its way to the service. ``key`` is its Idempotency-Key, a new one unless given."""

    def __init__(self, calls: Calls, payload: Mapping[str, Any], *, ledger: Ledger, key: str = "") -> None:
        self._calls, self._transport, self._ledger = calls, calls.transport, ledger
        self._payload = payload
        self._title = str(payload.get("job_title") or "")
        self._started = self._transport.now()
        # Made once: the same bytes with the same key are one job, however often they are sent.
        self._body, self._key = json.dumps(payload).encode(), key or str(uuid4())

    def send(self) -> Answered:
        """Return the service's answer and its status. Raises the errors of ``exceptions``."""
        with self._ledger.submitting(self._title):
            try:
                return self._create()
            except OutcomeUnknownError as error:
                lost = error
            outcome = self._resolve(lost)
        if isinstance(outcome, ConductorError):
            raise outcome
        return outcome

    def _create(self) -> Answered:
        """Send the job. Raises OutcomeUnknownError, and what is certain to have made no job."""
        advice = (
            f"look for a job titled {self._title!r}, in the dashboard or in GET {JOBS_LIST.path}, "
            "before submitting again"
        )
        return self._read(self._calls.jobs_create(self._body, key=self._key, advice=advice))

    def _read(self, sent: Sent) -> Answered:
        if sent.answer.status == 204:
            return {}, 204
        answer = sent.json()
        if not isinstance(answer, dict):
            raise sent.unexpected("its body must be an object")
        if not isinstance(answer.get("jobid"), str) or not answer["jobid"]:
            raise sent.unexpected("its jobid must be text")
        self._ledger.note(answer["jobid"])
        logger.info("jobs.create: %s", answer["jobid"])
        return answer, sent.answer.status

    def _resolve(self, lost: OutcomeUnknownError) -> Answered | ConductorError:
        """Find out what became of a request whose outcome is unknown, without making a second job."""
        logger.warning("%s", lost)
        repeated = self._honours_keys() and lost.attempts > 1  # by the transport, which does not read answers
        may_repeat = lost.acted is Acted.YES or not repeated
        for wait in LOOKS:
            if may_repeat and self._honours_keys():
                may_repeat = False
                again = self._repeat()
                if not isinstance(again, ConductorError):
                    return again
                lost = _worse(lost, again)
            if wait:
                self._transport.pause(wait)
            sighting = self._look()
            if isinstance(sighting, ConductorError):
                return _unknown(lost, f"the job list could not be read: {sighting}")
            if sighting.found and self._ledger.is_alone(self._title):
                return self._found(sighting.found)
            if sighting.candidates:
                named = ", ".join(sighting.candidates)
                return _unknown(lost, f"it may be job {named}", sighting.candidates)
        return self._absent(lost)

    def _honours_keys(self) -> bool:
        return self._transport.honours_keys(self._calls.url)

    def _repeat(self) -> Answered | ConductorError:
        """Send the job once more with its key, to a service that honours it; return the error of that."""
        try:
            return self._create()
        except ConductorError as error:
            logger.warning("%s", error)
            return error

    def _look(self) -> Sighting | ConductorError:
        """Look for the job in the list; return the error if that cannot be had."""
        try:
            records, skew = self._list(0.0)
            if abs(skew) > _DAY:  # the days asked for were the wrong ones
                records, skew = self._list(skew)
        except ConductorError as error:
            return error
        return search(
            records,
            JobQuery(
                self._payload,
                earliest=self._started + skew - SLACK,
                latest=self._transport.now() + skew + SLACK,
                ours=self._ledger.made(),
            ),
        )

    def _list(self, skew: float) -> tuple[list[dict[str, Any]], float]:
        """Return the jobs of these days, and by how many seconds the service's clock is ahead of ours."""
        day = datetime.fromtimestamp(self._started + skew - 2 * _DAY, timezone.utc).date()
        sent = self._calls.jobs_list(f"created_gt_{day.isoformat()}")
        body = sent.json()
        records = body.get("data") if isinstance(body, dict) else None
        records = [records] if isinstance(records, dict) else records  # one job alone may come so
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise sent.unexpected("data must be a list of objects")
        date = epoch_of(sent.answer.headers.get("Date"))
        return records, 0.0 if date is None else date - self._transport.now()

    def _found(self, jid: str) -> Answered:
        self._ledger.note(jid)
        logger.warning("jobs.create: the answer was lost, but the job was made: %s", jid)
        return {"body": "job submitted.", "jobid": jid, "status": "success", "uri": f"/jobs/{jid}"}, 201

    def _absent(self, lost: OutcomeUnknownError) -> ConductorError:
        looked = f"the job list was looked at {len(LOOKS)} times in {sum(LOOKS):g} s and has no such job"
        if lost.acted is Acted.YES or lost.under_way:
            return _unknown(lost, f"{looked}, but it may still be made")
        kind: type[TryAgainError] = UnreachableError if lost.status is None else BusyError
        return kind(
            f"{_first_sentence(lost)}; {looked}: no job was made, submit again",
            operation=lost.operation,
            status=lost.status,
            attempts=lost.attempts,
            acted=Acted.NO,
        )


def _unknown(
    lost: OutcomeUnknownError, findings: str, candidates: tuple[str, ...] = ()
) -> OutcomeUnknownError:
    """Return the error again, with what was found out since."""
    return OutcomeUnknownError(
        f"{lost}; {findings}",
        operation=lost.operation,
        status=lost.status,
        attempts=lost.attempts,
        acted=lost.acted,
        under_way=lost.under_way,
        candidates=candidates,
    )


def _worse(lost: OutcomeUnknownError, again: ConductorError) -> OutcomeUnknownError:
    """Return the one of two attempts that leaves more open; one that was certainly not acted on changes nothing."""
    if isinstance(again, OutcomeUnknownError) and (again.under_way or again.acted is Acted.YES):
        return again
    return lost


def _first_sentence(lost: OutcomeUnknownError) -> str:
    """What happened, without what was not known then."""
    return str(lost).partition("; it is unknown")[0]
