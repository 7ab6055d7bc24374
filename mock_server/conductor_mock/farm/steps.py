"""A long way through simulated time, in steps between which others get their turn.

Unlike a decision each step moves the state on, as letting time pass does: only so is it known how far a step goes. Its
command records where the clock stands then, and applying that changes nothing more but the speed.
"""

from __future__ import annotations

from conductor_mock.farm import lookup, simulation, tasks
from conductor_mock.farm.clock import LAST_US, Anchor, ClockError, speed_millionths
from conductor_mock.farm.commands import ClockSet
from conductor_mock.farm.state import State

SLICE = 10_000
"""What happens in one step of a long advance, about a tenth of a second's work, so that others get their turn."""


def advance_until(state: State, wall_us: int, jid: str | None) -> tuple[ClockSet, bool]:
    """The command for a step on the way to when a job has ended (`jid` None: until the farm is idle), and whether it is
    the last one. The state is at the command's time already: that is how the time is found. Raises NotThereError.
    """
    job = None if jid is None else lookup.job(state, jid)
    finished = simulation.run_until(state, lambda _: job is not None and tasks.job_has_ended(job), SLICE)
    return ClockSet(Anchor(wall_us, state.now_us, state.clock.speed_millionths)), finished


def left_to_execute(state: State, jid: str | None) -> int:
    """How many tasks run for real, when nothing else is left to wait for until a job has ended or the farm is idle."""
    if jid is not None and tasks.job_has_ended(lookup.job(state, jid)):
        return 0
    return len(state.executing)


def move_clock(
    state: State, wall_us: int, *, left_us: int = 0, speed: float | None = None
) -> tuple[ClockSet, int]:
    """The command for a step of moving simulated time on by `left_us`, and how much is left for the next step.

    The last step also sets the `speed`. The state is at the command's time already, as with `advance_until`. Raises
    ClockError, and then nothing has moved.
    """
    to_us = state.now_us + left_us
    if to_us > LAST_US:
        raise ClockError("simulated time ends with the year 9999")
    new_speed = state.clock.speed_millionths if speed is None else speed_millionths(speed)
    finished = simulation.run(state, to_us, SLICE)
    millionths = new_speed if finished else state.clock.speed_millionths
    return ClockSet(Anchor(wall_us, state.now_us, millionths)), to_us - state.now_us
