"""What follows from the rest of a state, and is kept up beside it so that nobody has to look through everything."""

from __future__ import annotations

from conductor_mock.farm import billing, leases, queues, simulation, tasks
from conductor_mock.farm.state import State


def rebuild(state: State) -> None:
    """Make the derived fields of a state that was just read."""
    tasks.rebuild(state)
    leases.rebuild(state)
    queues.rebuild(state)
    simulation.rebuild(state)
    billing.rebuild(state)
