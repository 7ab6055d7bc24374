"""Waiting until jobs have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from conductor.lib.api_client import ApiClient, client_or_own
from conductor.lib.exceptions import NotEndedError, RefusedError, TryAgainError
from conductor.lib.jobs import Job, list_jobs
from conductor.lib.polling import Pacer, Polling
from conductor.lib.wire.operations import JOBS_LIST
from conductor.lib.wire.records import job_ids


def wait_for_jobs(
    jids: Iterable[int | str],
    *,
    timeout: float | None = None,
    polling: Polling | None = None,
    on_change: Callable[[list[Job]], None] | None = None,
    client: ApiClient | None = None,
    wait: Callable[[float], object] | None = None,
    clock: Callable[[], float] | None = None,
) -> list[Job]:
    """Ask until every job has ended, and return them in the order given (see ``Job.has_ended``, ``Job.succeeded``).

    ``timeout`` is in seconds, without end by default. ``on_change`` gets the jobs with the first answer and with every
    one that differs from the last. A job on hold is waited for: whoever held it may let it go on. ``wait`` and
    ``clock`` (seconds) are the client's by default.

    Raises RefusedError if there is no such job, NotEndedError when the time is over, TryAgainError when the service was
    away for as long as ``polling`` allows.
    """
    ids = job_ids(jids)
    seen: list[Job] = []
    with client_or_own(client) as api:
        clock = clock or api.transport.clock
        pacer = Pacer(polling or Polling(), wait or api.transport.pause, clock)
        deadline = None if timeout is None else clock() + timeout
        while True:
            try:
                jobs = _all(ids, api)
            except TryAgainError as error:
                pacer.failed(error)
            else:
                pacer.answered(news=jobs != seen)
                if jobs != seen and on_change is not None:
                    on_change(jobs)
                seen = jobs
                if all(job.has_ended for job in jobs):
                    return jobs
            left = None if deadline is None else deadline - clock()
            if left is not None and left <= 0:
                raise NotEndedError.after(timeout or 0, [job.jid for job in seen if not job.has_ended] or ids)
            pacer.pause(left)


def _all(ids: list[str], client: ApiClient) -> list[Job]:
    by_id = {job.jid: job for job in list_jobs(jids=ids, client=client)}
    missing = [jid for jid in ids if jid not in by_id]
    if missing:
        named = ", ".join(missing)
        raise RefusedError(f"{JOBS_LIST.id}: there is no job {named}", operation=JOBS_LIST.id)
    return [by_id[jid] for jid in ids]
