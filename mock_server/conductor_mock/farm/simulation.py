"""The farm at work: a discrete-event simulation that is brought up to date when somebody looks.

Between two commands only this module changes state, and only by what the state and the seed say, so that letting time
pass in one step or in many gives the same history. An event is `(t_us, kind, job, task, attempt)`; events of one moment
are handled in this order, then free slots are given out.

    SYNCED   the files of a job are on the render storage: its tasks may start
    BEGUN    an instance has booted: its task runs
    ENDED    an attempt ends, as was drawn when its instance was taken

The model (inferred; no client shows the real scheduler): every attempt has an instance of its own, which boots for
`BOOT_US` and is paid for from then on. A slot goes to the job of the highest priority, then to the oldest, within the
account's fleet limit and the job's `max_instances`.

Where tasks run for real (`Options.execute`) an attempt begins at once and has no end of its own: a command tells it
(`execution.py`). Only a preemption is planned, and happens at its simulated time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from conductor_mock.farm import billing, outcomes, queues, tasks
from conductor_mock.farm.clock import SECOND
from conductor_mock.farm.state import Attempt, Execution, Job, Mail, State
from conductor_mock.farm.statuses import Outcome, Phase, TaskStatus

Event = tuple[int, int, int, int, int]

_PENDING, _RUNNING = TaskStatus.PENDING, TaskStatus.RUNNING
_READY, _SUCCESS = Phase.READY, Outcome.SUCCESS  # a million tasks ask for them

SYNCED, BEGUN, ENDED = range(3)

BOOT_US = 60 * SECOND
SYNC_US = 5 * SECOND
SYNC_BYTES_PER_S = 200_000_000
MAX_MAILS = 1000
"""Mails kept; older ones go first."""


def run(state: State, to_us: int, most: int | None = None) -> bool:
    """Let everything happen that happens up to `to_us`, and set the time to it; whether that was done.

    It stops earlier once `most` things have happened: at the end of a moment, since nobody may see half of one.
    """
    limit = None if most is None else state.happened + most
    while state.events and state.events[0][0] <= to_us:
        if limit is not None and state.happened >= limit:
            return False
        state.now_us = state.events[0][0]
        while state.events and state.events[0][0] == state.now_us:
            state.happened += 1
            _handle(state, heapq.heappop(state.events))
        give_slots(state)
    state.now_us = to_us
    return True


def run_until(state: State, done: Callable[[State], bool], most: int) -> bool:
    """Let things happen until `done`, or until nothing is left to happen; whether that came within `most` of them.

    The time stands at the last thing that happened. What is not to happen any more is dropped, and takes as long.
    """
    limit = state.happened + most
    while state.happened < limit:
        if done(state) or not state.events:
            return True
        if _is_to_happen(state, state.events[0]):
            run(state, state.events[0][0])
        else:
            heapq.heappop(state.events)
            state.happened += 1
    return done(state) or not state.events


def begin_sync(state: State, job: Job) -> None:
    """The files of a job are in place: they are copied to the render storage."""
    tasks.set_phase(job, Phase.SYNCING, "copying files to the render storage", state.now_us)
    job.syncs += 1
    job.synced_us = state.now_us + SYNC_US + job.upload_size * SECOND // SYNC_BYTES_PER_S
    heapq.heappush(state.events, (job.synced_us, SYNCED, job.number, job.syncs, 0))


def make_ready(state: State, job: Job) -> None:
    """The tasks of a job may start."""
    tasks.set_phase(job, Phase.READY, "", state.now_us)
    job.syncs += 1  # a sync under way counts no more
    job.synced_us = None
    job.waiting = [index for index, task in enumerate(job.tasks) if task.status == _PENDING]
    enqueue(state, job)
    if not job.tasks:
        note_end(state, job)


def enqueue(state: State, job: Job) -> None:
    """Let a job be looked at when slots are given out; once is enough.

    None of its tasks waits (`Job.waiting`) before it is ready, and one that was ready stays so.
    """
    if job.waiting and job.queued != job.priority:
        job.queued = job.priority
        heapq.heappush(state.queue, (-job.priority, job.number))


def want(state: State, job: Job, index: int) -> None:
    """A task waits for an instance; one whose job is not ready does so later."""
    if job.phase == _READY:
        heapq.heappush(job.waiting, index)
        enqueue(state, job)


def give_slots(state: State) -> None:
    """Give free slots to waiting tasks: higher priority first, then the older job, then the lower task."""
    if not state.queue:
        return
    limit = most_instances(state)
    while state.queue and (not limit or state.active < limit):
        priority, number = heapq.heappop(state.queue)
        job = state.jobs[number]
        if priority != -job.priority:
            continue  # an entry from before its priority changed
        job.queued = None
        index = _next_waiting(job)
        if index is None or (job.max_instances and job.active >= job.max_instances):
            continue  # `enqueue` is called when an instance of the job is given back
        _assign(state, job, index)
        enqueue(state, job)


def most_instances(state: State) -> int:
    """How many instances the account may have at once, 0 is no limit: processes at once limit real ones too."""
    return min((limit for limit in (state.options.fleet, state.options.execute) if limit), default=0)


def take_instance(state: State, job: Job, index: int, attempt: Attempt) -> None:
    """A task has an instance, of the job's present machine, for its next attempt."""
    attempt.machine = len(job.former_machines)
    task = job.tasks[index]
    task.attempts = (*task.attempts, attempt)
    state.active += 1
    job.active += 1
    billing.note_taken(job, attempt)


def interrupt(state: State, job: Job, index: int, outcome: Outcome) -> None:
    """The attempt under way ends from outside, and its instance is given back."""
    _give_back(state, job, index, outcome, None)


def start_again(state: State, job: Job, index: int, outcome: Outcome) -> None:
    """The attempt under way ends as `outcome` through no fault of its own: the task waits for another instance."""
    _give_back(state, job, index, outcome, None)
    tasks.move(job, job.tasks[index], TaskStatus.PENDING)
    want(state, job, index)


def finish(state: State, job: Job, index: int, outcome: Outcome, exit_code: int | None) -> None:
    """The present attempt of a task ends as `outcome`; it is retried if the job's policy still allows that."""
    task = job.tasks[index]
    _give_back(state, job, index, outcome, exit_code)
    if outcome in job.retries and tasks.tries(task, outcome) <= job.retries[outcome]:
        tasks.move(job, task, TaskStatus.PENDING)
        want(state, job, index)
        return
    tasks.settle(job, task, outcome)
    queues.note_outputs(state, job, index)
    if outcome == _SUCCESS and task.scout:
        _scout_succeeded(state, job)
    note_end(state, job)


def note_end(state: State, job: Job) -> None:
    """If nothing of the job is left to happen, note when that came to be, and tell those who asked for it."""
    if not tasks.job_has_ended(job):
        job.ended_us = None
    elif job.ended_us is None:
        job.ended_us = state.now_us
        if job.notify:
            state.outbox.append(Mail(state.now_us, job.number, tasks.job_status(job), job.notify))
            del state.outbox[:-MAX_MAILS]


def release_held(state: State, job: Job) -> None:
    """The tasks that were held may start."""
    for index, task in enumerate(job.tasks):
        if task.status == TaskStatus.HOLDING:
            tasks.mark(job, task, TaskStatus.PENDING, state.now_us)
            heapq.heappush(job.waiting, index)
    enqueue(state, job)


def rebuild(state: State) -> None:
    """Make the indexes and the events of a state that was read from a snapshot."""
    for job in state.jobs.values():
        if job.phase == _READY:
            job.waiting = [
                index
                for index, task in enumerate(job.tasks)
                if task.status == _PENDING and not tasks.is_active(task)
            ]
        for index, task in enumerate(job.tasks):
            if tasks.is_active(task):
                state.active += 1
                job.active += 1
                _plan(state, job, index, task.attempts[-1])
                if task.attempts[-1].execution is not None:
                    state.executing[job.number, index] = len(task.attempts)
        if job.synced_us is not None:
            heapq.heappush(state.events, (job.synced_us, SYNCED, job.number, job.syncs, 0))
        enqueue(state, job)
    state.executing = dict(sorted(state.executing.items(), key=lambda entry: _began_us(state, *entry[0])))


def _began_us(state: State, number: int, index: int) -> int:
    return state.jobs[number].tasks[index].attempts[-1].assigned_us


def _is_to_happen(state: State, event: Event) -> bool:
    """Whether nobody has killed what an event is about, forced it to end or begun it anew."""
    _, kind, number, index, attempt_number = event
    job = state.jobs[number]
    if kind == SYNCED:
        return job.phase == Phase.SYNCING and job.syncs == index
    task = job.tasks[index]
    return len(task.attempts) == attempt_number and tasks.is_active(task)


def _handle(state: State, event: Event) -> None:
    if not _is_to_happen(state, event):
        return
    _, kind, number, index, _ = event
    job = state.jobs[number]
    if kind == SYNCED:
        make_ready(state, job)
        return
    task = job.tasks[index]
    attempt = task.attempts[-1]
    if kind == BEGUN:
        tasks.move(job, task, _RUNNING)
        _plan(state, job, index, attempt)
    else:
        finish(state, job, index, attempt.planned, attempt.exit_code)


def _give_back(state: State, job: Job, index: int, outcome: Outcome, exit_code: int | None) -> None:
    attempt = job.tasks[index].attempts[-1]
    state.executing.pop((job.number, index), None)
    attempt.ended_us, attempt.outcome, attempt.exit_code = state.now_us, outcome, exit_code
    attempt.started_us = min(attempt.started_us, state.now_us)
    job.ran_us += attempt.ended_us - attempt.started_us
    billing.note_given_back(job, attempt, attempt.ended_us)
    state.active -= 1
    job.active -= 1
    enqueue(state, job)


def _next_waiting(job: Job) -> int | None:
    """The lowest task that waits; entries of tasks that were held, killed or started since are dropped."""
    while job.waiting:
        task = job.tasks[job.waiting[0]]
        if task.status == _PENDING and not tasks.is_active(task):
            return job.waiting[0]
        heapq.heappop(job.waiting)
    return None


def _assign(state: State, job: Job, index: int) -> None:
    heapq.heappop(job.waiting)
    task = job.tasks[index]
    number = len(task.attempts) + 1
    plan = outcomes.plan(state, job, index, number)
    if state.options.execute:
        _execute(state, job, index, plan)
        return
    begins = state.now_us + BOOT_US
    attempt = Attempt(
        assigned_us=state.now_us,
        started_us=begins,
        ends_us=begins + plan.duration_us,
        planned=plan.outcome,
        exit_code=plan.exit_code,
    )
    state.happened += 1
    take_instance(state, job, index, attempt)
    _plan(state, job, index, attempt)


def _execute(state: State, job: Job, index: int, plan: outcomes.Plan) -> None:
    """Give a task an instance on which it runs for real: of the plan only a preemption counts."""
    preempted = plan.outcome == Outcome.PREEMPTED
    attempt = Attempt(
        assigned_us=state.now_us,
        started_us=state.now_us,
        ends_us=state.now_us + plan.duration_us if preempted else None,
        planned=plan.outcome if preempted else Outcome.UNKNOWN,
        execution=Execution(),
    )
    take_instance(state, job, index, attempt)
    tasks.move(job, job.tasks[index], _RUNNING)
    state.executing[job.number, index] = len(job.tasks[index].attempts)
    _plan(state, job, index, attempt)


def _plan(state: State, job: Job, index: int, attempt: Attempt) -> None:
    """The next event of an attempt: it begins (and then has an end), or it has begun and ends, if that is known."""
    boots = attempt.started_us > state.now_us
    when, kind = (attempt.started_us, BEGUN) if boots else (attempt.ends_us, ENDED)
    if when is not None:
        heapq.heappush(state.events, (when, kind, job.number, index, len(job.tasks[index].attempts)))


def _scout_succeeded(state: State, job: Job) -> None:
    """One scout less to wait for. The rest is released once: who holds it again later means it."""
    if not job.scouts_left:
        return
    job.scouts_left -= 1
    if job.scouts_left == 0 and state.options.release_scouts:
        release_held(state, job)
