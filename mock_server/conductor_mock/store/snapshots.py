"""When the state of an account is written down, so that its next start need not replay its whole log."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from conductor_mock.farm.state import State
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.log import DamagedLogError, Log
from conductor_mock.store.slots import Slot

log = logging.getLogger(__name__)

SNAPSHOT_EVERY = 10_000
"""Commands between two snapshots."""

SNAPSHOT_EVENTS = 200_000
"""Events of the farm between two snapshots, about two seconds of replay; or as many as the account has tasks, if those
are more, so that taking snapshots never costs more than the events themselves."""


class Snapshots:
    """The snapshots of one server's accounts. Call it with the lock of the account's slot."""

    def __init__(self, commands: Log, contents: AccountContents, *, is_shared: bool = False) -> None:
        """`is_shared`: other servers take snapshots of the same accounts."""
        self._log = commands
        self._contents = contents
        self._is_shared = is_shared

    def load(self, slot: Slot, account_id: str) -> State | None:
        """The state of the last snapshot, if there is one. Raises DamagedLogError.

        One that is damaged is done without where a replay of the whole log comes to the same state: it was made by this
        version of the simulation alone.
        """
        try:
            state = self._log.load_snapshot(account_id)
        except DamagedLogError as error:
            if not self._log.is_of_this_simulation(account_id):
                raise
            log.warning("%s; the whole log of the account is replayed instead", str(error).partition(";")[0])
            state = None
        slot.snapshot_seq = 0 if state is None else state.seq
        slot.snapshot_happened = 0 if state is None else state.happened
        slot.snapshot_due = SNAPSHOT_EVENTS if state is None else _next_due(state)
        return state

    def begin(self, slot: Slot, state: State) -> None:
        """The account has a history that no snapshot was taken of."""
        slot.snapshot_seq, slot.snapshot_happened, slot.snapshot_due = 0, 0, _next_due(state)

    def take_if_due(self, slot: Slot, state: State) -> None:
        """Take one after enough commands or events, and not of what is pending."""
        if slot.pending is not None:
            return
        if state.seq - slot.snapshot_seq < SNAPSHOT_EVERY and state.happened < slot.snapshot_due:
            return
        try:
            if not self._was_taken_elsewhere(slot, state):
                self.take(slot, state)
        except (OSError, sa.exc.SQLAlchemyError):  # the commands are safe; the next one tries again
            slot.snapshot_due = _next_due(state)
            log.exception("no snapshot of account %s could be taken", state.account_id)

    def _was_taken_elsewhere(self, slot: Slot, state: State) -> bool:
        """Whether another server has taken one since the last that is known of here, which then counts as ours."""
        seq = self._log.snapshot_seq(state.account_id) if self._is_shared else 0
        if seq <= slot.snapshot_seq:
            return False
        slot.snapshot_seq, slot.snapshot_happened = seq, state.happened
        slot.snapshot_due = _next_due(state)
        return True

    def take_if_moved(self, slot: Slot, state: State) -> None:
        """Take one unless the last one is of this very moment of the log, from which a replay is as good."""
        if self.saves(slot, state):
            self.take(slot, state)

    def saves(self, slot: Slot, state: State) -> int:
        """How much replay a snapshot would save, in events of the farm; 0 for one that holds all there is."""
        events_of_a_command = max(1, SNAPSHOT_EVENTS // SNAPSHOT_EVERY)
        commands = state.seq - slot.snapshot_seq
        return max(0, state.happened - slot.snapshot_happened) + events_of_a_command * commands

    def take(self, slot: Slot, state: State) -> None:
        """Write the state down; it is on disk when this returns."""
        replaced = self._log.save_snapshot(state)
        slot.snapshot_seq, slot.snapshot_happened = state.seq, state.happened
        slot.snapshot_due = _next_due(state)
        self._contents.collect(replaced)


def _next_due(state: State) -> int:
    """When the next snapshot is due, counted as `State.happened` is."""
    return state.happened + max(SNAPSHOT_EVENTS, sum(len(job.tasks) for job in state.jobs.values()))
