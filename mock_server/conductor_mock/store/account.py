"""One account, open: its state and the way to change it, for as long as its lock is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa

from conductor_mock.farm.commands import CatalogReplaced, Command, JobCreated
from conductor_mock.farm.fold import follow
from conductor_mock.farm.records import Record
from conductor_mock.farm.state import Job, State
from conductor_mock.store.database import NewRows, Row
from conductor_mock.store.heads import MovedLogError
from conductor_mock.store.log import Log
from conductor_mock.store.pending import Pending
from conductor_mock.store.slots import Slot


@dataclass(frozen=True, slots=True)
class Joined:
    """The slot of an account whose holder may leave commands pending, and what has them committed at once."""

    slot: Slot
    settle: Callable[[], None]


class Account:
    """One account while its lock is held: its state, up to date, and the way to change it."""

    def __init__(self, log: Log, state: State, joined: Joined | None = None) -> None:
        """`joined` where what is appended may be committed with what others append (`Slots.hold`)."""
        self._log = log
        self._joined = joined
        self.state = state
        self.in_doubt = False
        """True from before a command is applied until it is committed: memory is not to be trusted then."""

    @property
    def account_id(self) -> str:
        return self.state.account_id

    def append(self, command: Command, *rows: NewRows) -> None:
        """Apply `command` at the present time and commit it, `rows` with it; when either fails, neither has happened.

        What cannot be applied must not reach the log, where it would stop every later replay. Nobody sees the state
        before the commit, since the lock is held; after a failure it is thrown away and read again. Where the account
        was opened `together` and others wait for it, the commit is that of all of them, when the block has ended.
        """
        record = Record(self.state.seq + 1, self.state.now_us, command)
        self.in_doubt = True
        if self._joined is not None and self._is_brought(self._joined, record, rows):
            self.in_doubt = False
            return
        follow(self.state, record)
        with self._unless_moved():
            self._log.append(self.state.account_id, record, *rows)
        self.in_doubt = False

    def _is_brought(self, joined: Joined, record: Record, rows: Sequence[NewRows]) -> bool:
        """Whether a record was applied and is pending; else nothing is pending any more."""
        slot = joined.slot
        if slot.pending is None and not slot.waiting:
            return False
        row = self._log.small_row(self.account_id, record)
        if row is None:
            self.commit_pending()
            return False
        follow(self.state, record)
        if slot.pending is None:
            slot.pending = Pending(self._commit_together)
        slot.pending.add((row, rows))
        return True

    def _commit_together(self, appended: list[tuple[Row, Sequence[NewRows]]]) -> None:
        with self._unless_moved():
            self._log.append_rows(
                self.account_id, [row for row, _ in appended], [new for _, rows in appended for new in rows]
            )

    def commit_pending(self) -> None:
        """Have on disk now what others have brought who opened the account together with this one, so that they go on.

        Raises what its commit raised: then the state that is open here is none any more.
        """
        if self._joined is None or self._joined.slot.pending is None:
            return
        pending, was_in_doubt = self._joined.slot.pending, self.in_doubt
        self.in_doubt = True
        self._joined.settle()
        pending.wait()
        self.in_doubt = was_in_doubt

    def append_all(self, commands: Sequence[Command]) -> None:
        """`append` of several commands in one commit: all of them have happened, or none."""
        if not commands:
            return
        self.in_doubt = True
        records = []
        for command in commands:
            records.append(Record(self.state.seq + 1, self.state.now_us, command))
            follow(self.state, records[-1])
        with self._unless_moved():
            self._log.append_all(self.state.account_id, records)
        self.in_doubt = False

    @contextmanager
    def _unless_moved(self) -> Iterator[None]:
        """Raises MovedLogError where somebody else has appended, which only a lock that was lost allows."""
        try:
            yield
        except sa.exc.IntegrityError as error:
            raise MovedLogError(self.account_id) from error

    @property
    def opened_us(self) -> int:
        return self.state.opened_us

    @property
    def catalog_seq(self) -> int | None:
        return self.state.catalog_seq

    def records(self) -> list[Record]:
        """The whole log of the account."""
        return list(self._log.read(self.account_id))

    def catalog_document(self) -> dict[str, object] | None:
        """The catalogue that the control API gave this account, if it did."""
        if self.state.catalog_seq is None:
            return None
        command = self._log.read_one(self.account_id, self.state.catalog_seq).command
        assert isinstance(command, CatalogReplaced)  # noqa: S101 - the fold noted this very command
        return command.document

    def payload(self, job: Job) -> dict[str, object]:
        """The payload of a job as it was received, read from the log."""
        command = self._log.read_one(self.account_id, job.seq).command
        assert isinstance(command, JobCreated)  # noqa: S101 - the fold made the job of this very command
        return command.payload
