"""Sending one job at most once.

Every submission has a key of its own, sent as Idempotency-Key: that is its identity. Where the service said, in any
answer, that it honours keys, a request that was not answered as it should be goes again, the same bytes with the same
key, and only an answer to it names the job. A client that has had no answer yet asks for the job list first.

Where keys are not honoured, the list is also what there was before. After a request that may have been acted on it is
looked at again, several times over some seconds:

1. One job that is new in it, fits in everything, and that no other submission of this user can have made (``ledger``)
   is the job.
2. Whatever else may be it is for a person to decide: OutcomeUnknownError.
3. No such job: if the server was done with the request, nothing was made, and TryAgainError says so. If it may still be
   at it: OutcomeUnknownError.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from conductor.lib.cancellation import CancelledError
from conductor.lib.exceptions import (
    Acted,
    BusyError,
    ConductorError,
    OutcomeUnknownError,
    TryAgainError,
    UnreachableError,
)
from conductor.lib.submission.job_search import JobQuery, Sighting, epoch_of, id_of, search
from conductor.lib.submission.ledger import Entry, Ledger
from conductor.lib.wire.call import Sent
from conductor.lib.wire.calls import Calls
from conductor.lib.wire.operations import JOBS_LIST
from conductor.lib.wire.redaction import scrub

logger = logging.getLogger(__name__)

# In which the fake says what it finds odd about a request that it served, as a JSON list of texts.
WARNINGS = "X-Conductor-Mock-Warnings"

Answered = tuple[dict[str, Any], int]

# Seconds to wait before each look at the list: a job may show up there a little after it was made.
LOOKS = (0.0, 1.0, 3.0, 6.0)
# Seconds by which the times of a job and of its submission may differ: clocks are compared to the second.
SLACK = 10.0
_DAY = 86400.0
_CENTURY = 36525 * _DAY  # no clock is wrong by more; such a Date is none


class Submission:
    """One job on its way to the service. ``key`` is its Idempotency-Key, a new one unless given.

    ``folder`` is where the submissions of this user are noted (``ledger``).
    """

    def __init__(self, calls: Calls, payload: Mapping[str, Any], *, folder: Path, key: str = "") -> None:
        self._calls, self._transport = calls, calls.transport
        self._payload = payload
        self._title = str(payload.get("job_title") or "")
        self._ledger = Ledger(folder, calls.url, self._title)
        self._started = self._transport.now()
        # Made once: the same bytes with the same key are one job, however often they are sent.
        self._body, self._key = json.dumps(payload).encode(), key or os.urandom(16).hex()

    def send(self) -> Answered:
        """Return the service's answer and its status. Raises the errors of ``exceptions``."""
        if self._honours_keys():
            return self._submit(None, None)
        with self._ledger.entry() as entry:
            before = self._listed()
            if self._honours_keys():
                entry.none()
                return self._submit(None, None)
            try:
                answer, status = self._submit(entry, before)
            except ConductorError as error:
                # One that was cancelled may have been on its way.
                if error.acted is Acted.NO and not isinstance(error, CancelledError):
                    entry.none()
                raise
            if answer:
                entry.made(answer["jobid"])
            return answer, status

    def _submit(self, entry: Entry | None, before: frozenset[str] | None) -> Answered:
        try:
            return self._create()
        except OutcomeUnknownError as error:
            lost = error
        outcome = self._resolve(lost, entry, before)
        if isinstance(outcome, ConductorError):
            raise outcome
        return outcome

    def _create(self, *, once: bool = False) -> Answered:
        """Send the job. Raises OutcomeUnknownError, and what is certain to have made no job."""
        advice = (
            f"look for a job titled {self._title!r}, in the dashboard or in GET {JOBS_LIST.path}, "
            "before submitting again"
        )
        return self._read(self._calls.jobs_create(self._body, key=self._key, advice=advice, once=once))

    def _read(self, sent: Sent) -> Answered:
        if sent.answer.status == 204:
            return {}, 204
        answer = sent.json()
        if not isinstance(answer, dict):
            raise sent.unexpected("its body must be an object")
        if not isinstance(answer.get("jobid"), str) or not answer["jobid"]:
            raise sent.unexpected("its jobid must be text")
        logger.info("jobs.create: %s", answer["jobid"])
        for warning in _warnings(sent.answer.headers.get(WARNINGS, "")):
            logger.warning("jobs.create: %s: %s", answer["jobid"], scrub(warning))
        return answer, sent.answer.status

    def _resolve(
        self, lost: OutcomeUnknownError, entry: Entry | None, before: frozenset[str] | None
    ) -> Answered | ConductorError:
        """Find out what became of a request whose outcome is unknown, without making a second job."""
        logger.warning("%s", lost)
        seen: Sighting | ConductorError = Sighting()
        for wait in LOOKS:
            if wait:
                self._transport.pause(wait)
            if self._honours_keys():
                again = self._repeat()
                if not isinstance(again, ConductorError):
                    return again
                lost = _worse(lost, again)
            seen = self._look(entry, before)
            if self._honours_keys():  # perhaps it is the list that said so
                continue
            if isinstance(seen, ConductorError):
                break
            if seen.found and entry is not None and not entry.others().unsettled:
                return self._found(seen.found)
            if seen.candidates:
                break
        if isinstance(seen, ConductorError):
            return _unknown(lost, f"the job list could not be read: {seen}")
        if seen.candidates:
            return _unknown(lost, f"it may be job {', '.join(seen.candidates)}", seen.candidates)
        return self._absent(lost)

    def _honours_keys(self) -> bool:
        return self._transport.honours_keys(self._calls.url)

    def _repeat(self) -> Answered | ConductorError:
        """Send the job once more with its key, to a service that honours it; return the error of that."""
        try:
            return self._create(once=True)
        except ConductorError as error:
            logger.warning("%s", error)
            return error

    def _listed(self) -> frozenset[str] | None:
        """Return the ids of the jobs that are there before this one; None if that cannot be had at once.

        Then no job can be told to be this one, should its answer get lost: no reason not to send it.
        """
        try:
            records, _ = self._days(once=True)
        except CancelledError:
            raise
        except ConductorError as error:
            logger.info("what jobs there are is not known: %s", error)
            return None
        return frozenset(map(id_of, records))

    def _look(self, entry: Entry | None, before: frozenset[str] | None) -> Sighting | ConductorError:
        """Look for the job in the list; return the error if that cannot be had."""
        try:
            records, skew = self._days()
        except ConductorError as error:
            return error
        return search(
            records,
            JobQuery(
                self._payload,
                earliest=self._started + skew - SLACK,
                latest=self._transport.now() + skew + SLACK,
                before=before,
                ours=entry.others().made if entry is not None and before is not None else frozenset(),
            ),
        )

    def _days(self, *, once: bool = False) -> tuple[list[dict[str, Any]], float]:
        """Return the jobs of these days, and by how many seconds the service's clock is ahead of ours."""
        records, skew = self._list(0.0, once=once)
        if abs(skew) > _DAY:  # the days asked for were the wrong ones
            records, skew = self._list(skew, once=once)
        return records, skew

    def _list(self, skew: float, *, once: bool) -> tuple[list[dict[str, Any]], float]:
        day = datetime.fromtimestamp(self._started + skew - 2 * _DAY, timezone.utc).date()
        sent = self._calls.jobs_list(f"created_gt_{day.isoformat()}", once=once)
        body = sent.json()
        records = body.get("data") if isinstance(body, dict) else None
        records = [records] if isinstance(records, dict) else records  # one job alone may come so
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise sent.unexpected("data must be a list of objects")
        date = epoch_of(sent.answer.headers.get("Date"))
        skew = 0.0 if date is None else date - self._transport.now()
        return records, skew if abs(skew) < _CENTURY else 0.0

    def _found(self, jid: str) -> Answered:
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


def _warnings(header: str) -> list[str]:
    """Return what the service finds odd about a job that it took; none where the header is not as the fake's is."""
    try:
        listed = json.loads(header)
    except (ValueError, RecursionError):
        return []
    return (
        [" ".join(text.split()) for text in listed if isinstance(text, str)]
        if isinstance(listed, list)
        else []
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
