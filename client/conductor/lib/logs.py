"""What a task printed (wire reference 2.10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from conductor.lib.api_client import ApiClient, client_or_own
from conductor.lib.exceptions import RefusedError, TryAgainError
from conductor.lib.polling import Pacer, Polling
from conductor.lib.statuses import TASK_ENDED
from conductor.lib.tasks import get_task
from conductor.lib.wire.limits import LARGEST
from conductor.lib.wire.records import job_id, number, object_of, task_id, text


@dataclass(frozen=True)
class TaskLog:
    """Lines of a task's log, without their line ends, and the task's state when they were asked for.

    ``next_line`` is the number of the line after the last one here. ``timestamp`` is in epoch seconds, 0 if unknown.
    """

    lines: tuple[str, ...]
    next_line: int
    task_status: str
    status_description: str
    instance_name: str
    container_id: str
    timestamp: float

    @property
    def text(self) -> str:
        """The lines, each with a line end."""
        return "".join(f"{line}\n" for line in self.lines)


def get_log(
    jid: int | str, tid: int | str, *, from_line: int = 0, client: ApiClient | None = None
) -> TaskLog:
    """Return the log of a task, from a line on (counted from 0).

    Raises RefusedError if the task has no log yet, which it gets when it first runs (wire reference 7.2).
    """
    begin = max(0, from_line)
    with client_or_own(client) as api:
        sent = api.calls.logs_get(job_id(jid), task_id(tid), begin)
    body = object_of(sent)
    logs = body.get("logs")
    first: Any = logs[0] if isinstance(logs, list) and logs else {}
    lines = first.get("log") if isinstance(first, dict) else None
    if not isinstance(lines, list):
        raise sent.unexpected("logs must be a list of objects with a list log")
    return TaskLog(
        lines=tuple(str(line).rstrip("\r\n") for line in lines),
        next_line=begin + _new(body.get("new_num_lines"), len(lines)),
        task_status=text(body, "task_status"),
        status_description=text(body, "status_description"),
        instance_name=text(first, "instance_name"),
        container_id=text(first, "container_id"),
        timestamp=number(first.get("timestamp")),
    )


def _new(counts: object, fallback: int) -> int:
    """Return how many lines are new by the service's count, which pollers add up, or by ours if it has none."""
    if isinstance(counts, list) and counts and isinstance(counts[0], int) and 0 <= counts[0] <= LARGEST:
        return int(counts[0])
    return fallback


def follow_log(
    jid: int | str,
    tid: int | str,
    *,
    from_line: int = 0,
    polling: Polling | None = None,
    client: ApiClient | None = None,
    wait: Callable[[float], object] | None = None,
    clock: Callable[[], float] | None = None,
) -> Iterator[str]:
    """Yield the lines of a task's log as they come, without line ends, until the task has ended.

    Waits for a task that did not begin yet; ``wait`` and ``clock`` (seconds) are the client's by default. Raises
    RefusedError if there is no such task, TryAgainError when the service was away for as long as ``polling`` allows.
    """
    line = from_line
    settled = True  # so that the log of a task that ended before is complete with its first answer
    with client_or_own(client) as api:
        polling = polling or Polling(longest=10.0)
        pacer = Pacer(polling, wait or api.transport.pause, clock or api.transport.clock)
        while True:
            try:
                log = _log_if_any(jid, tid, line, api)
            except TryAgainError as error:
                pacer.failed(error)
                pacer.pause()
                continue
            pacer.answered(news=bool(log.lines))
            yield from log.lines
            line = log.next_line
            if log.task_status in TASK_ENDED and (settled or not log.lines):
                return
            # Lines that came with the end may not be the last ones: those are asked for once more.
            settled = log.task_status in TASK_ENDED
            pacer.pause()


def _log_if_any(jid: int | str, tid: int | str, line: int, client: ApiClient) -> TaskLog:
    try:
        return get_log(jid, tid, from_line=line, client=client)
    except RefusedError as error:
        if error.status != 404:
            raise
    task = get_task(jid, tid, client=client)
    return TaskLog((), line, task.status, "", "", "", 0.0)
