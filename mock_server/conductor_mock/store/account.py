"""One account, open: its state and the way to change it, for as long as its lock is held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import sqlalchemy as sa

from conductor_mock.farm.commands import CatalogReplaced, Command, JobCreated
from conductor_mock.farm.fold import follow
from conductor_mock.farm.records import Record
from conductor_mock.farm.state import Job, State
from conductor_mock.store.database import NewRows
from conductor_mock.store.heads import MovedLogError
from conductor_mock.store.log import Log


class Account:
    """One account while its lock is held: its state, up to date, and the way to change it."""

    def __init__(self, log: Log, state: State) -> None:
        self._log = log
        self.state = state
        self.in_doubt = False
        """True from before a command is applied until it is committed: memory is not to be trusted then."""

    @property
    def account_id(self) -> str:
        return self.state.account_id

    def append(self, command: Command, *rows: NewRows) -> None:
        """Apply `command` at the present time and commit it, `rows` with it; when either fails, neither has happened.

        What cannot be applied must not reach the log, where it would stop every later replay. Nobody sees the state
        before the commit, since the lock is held; after a failure it is thrown away and read again.
        """
        record = Record(self.state.seq + 1, self.state.now_us, command)
        self.in_doubt = True
        follow(self.state, record)
        with self._unless_moved():
            self._log.append(self.state.account_id, record, *rows)
        self.in_doubt = False

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
