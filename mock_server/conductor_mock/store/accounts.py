"""Accounts, open: the state in memory of each, under its lock, brought up to now.

An account is read or written only inside `Accounts.open`, which takes its lock, replays what is new in its log, takes
the time and lets the farm catch up. So no command is ever dated before a time that was already shown.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from conductor_mock.farm.clock import ONE, Anchor
from conductor_mock.farm.commands import (
    AccountOpened,
    ClockSet,
    OptionsChanged,
)
from conductor_mock.farm.fold import advance, follow, replay
from conductor_mock.farm.ids import account_id as account_id_of
from conductor_mock.farm.records import Record
from conductor_mock.farm.refusals import StateForbidsError
from conductor_mock.farm.state import State
from conductor_mock.store import collector
from conductor_mock.store.account import Account
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.log import Log, bodies_of
from conductor_mock.store.server_options import ServerOptions

log = logging.getLogger(__name__)

SNAPSHOT_EVERY = 10_000
"""Commands between two snapshots."""

SNAPSHOT_EVENTS = 200_000
"""Events of the farm between two snapshots, about two seconds of replay; or as many as the account has tasks, if those
are more, so that taking snapshots never costs more than the events themselves."""

CATCH_UP = 10_000
"""Events of one slice of a farm's catching up, between which the account's lock is free."""

GIVE_WAY_S = 0.001


def give_way() -> None:
    """Let other threads have their turn."""
    time.sleep(GIVE_WAY_S)


def give_way_sparingly() -> None:
    """As `give_way`, for a process of our own: nor shall they wait for the collector, which all threads do."""
    collector.spare_what_is_there()
    time.sleep(GIVE_WAY_S)


WallClock = Callable[[], int]


def wall_us() -> int:
    """Wall time in microseconds since the epoch."""
    return time.time_ns() // 1000


class UnknownAccountError(LookupError):
    """No account of this id: it was never opened here."""


class WrongKeyError(PermissionError):
    """The `client_id` belongs to an account that was opened with another private key."""


@dataclass(slots=True)
class _Slot:
    """The place of one account in this process: its lock, and its state once it was read."""

    lock: threading.RLock
    state: State | None = None
    fresh: bool = False
    """The state was just read: the options of this server are still to be taken up."""
    snapshot_seq: int = 0
    snapshot_due: int = field(default_factory=lambda: SNAPSHOT_EVENTS)
    """How much has happened (`State.happened`) when the next snapshot is due."""


class Accounts:
    """Every account of one server."""

    def __init__(
        self,
        log: Log,
        contents: AccountContents,
        server_options: ServerOptions,
        *,
        wall: WallClock = wall_us,
        own_key: tuple[str, str] = ("", ""),
        give_way: Callable[[], None] = give_way,
    ) -> None:
        """`own_key` is the server's own `client_id` and private key.

        `give_way` is called between two slices of long work, while no lock is held, so that others come in.
        """
        self._log = log
        self._contents = contents
        self._server_options = server_options
        self._wall = wall
        self._own_client, private_key = own_key
        self._own_key_sha256 = _hash(private_key)
        self.give_way = give_way
        self._guard = threading.Lock()
        self._slots: dict[str, _Slot] = {}
        self._known = set(log.accounts())
        self._growth = threading.Condition()
        self._changes: Counter[str] = Counter()

    def sign_in(self, client_id: str, private_key: str) -> str:
        """The account id of an API key; its account is made on first use. Raises WrongKeyError.

        The first private key of a `client_id` is remembered, as a hash; another one later is refused. The server's own
        key is always right for its account: whoever had to make a new one must not be locked out.
        """
        key_sha256 = _hash(private_key)
        account_id = account_id_of(client_id)
        with self._hold(account_id) as slot:
            if account_id not in self._known:
                self._create(slot, client_id, account_id, key_sha256)
        with self._present(account_id) as (_, state):
            own = client_id == self._own_client and hmac.compare_digest(self._own_key_sha256, key_sha256)
            if not own and not hmac.compare_digest(state.key_sha256, key_sha256):
                raise WrongKeyError(client_id)
        return account_id

    def unused(self, client_id: str, private_key: str) -> State:
        """The state that an account would begin with now, kept nowhere: for whoever looks at one before it is used."""
        return follow(None, self._first(client_id, account_id_of(client_id), _hash(private_key)))

    def was_opened_with(self, account_id: str, private_key: str) -> bool:
        """Whether this is the first private key of an account: no other one opens it, beside the server's own."""
        with self.open(account_id) as account:
            return hmac.compare_digest(account.state.key_sha256, _hash(private_key))

    def knows(self, account_id: str) -> bool:
        """Whether the account was opened on this server."""
        with self._guard:
            return account_id in self._known

    def ids(self) -> list[str]:
        """The ids of all accounts, in order."""
        with self._guard:
            return sorted(self._known)

    def now_us(self, account_id: str) -> int:
        """The account's simulated time. Raises UnknownAccountError."""
        with self.open(account_id) as account:
            return account.state.now_us

    @contextmanager
    def open(self, account_id: str) -> Iterator[Account]:
        """The account under its lock, at the present time. Raises UnknownAccountError."""
        with self._present(account_id) as (slot, state):
            account = Account(self._log, state)
            before = state.seq
            try:
                yield account
            finally:
                if account.in_doubt:
                    slot.state = None  # the next one reads the log again
                if account.state.seq != before:
                    self.nudge(account_id)
            self._maybe_snapshot(slot, account.state)

    def changes(self, account_id: str) -> int:
        """How often the account was changed by a command so far; read it before the state, then `wait` for more."""
        with self._growth:
            return self._changes[account_id]

    def wait(self, account_id: str, changes: int, timeout_s: float | None) -> bool:
        """Wait until an account has changed more often than `changes` times; whether it did in time.

        Call it without the account's lock: that is held by whoever changes the account.
        """
        with self._growth:
            return self._growth.wait_for(lambda: self._changes[account_id] != changes, timeout_s)

    def nudge(self, account_id: str) -> None:
        """Count as a change, so that whoever waits looks at the account."""
        with self._growth:
            self._changes[account_id] += 1
            self._growth.notify_all()

    def reset(self, account_id: str) -> None:
        """The account as new: no jobs, no files, its log begun again. Raises UnknownAccountError."""
        with self._present(account_id) as (slot, state):
            first = self._first(state.client_id, account_id, state.key_sha256)
            slot.state = None  # until the log is known to have begun again
            bodies = self._log.restart(account_id, first)
            slot.state, slot.snapshot_seq, slot.snapshot_due = follow(None, first), 0, SNAPSHOT_EVENTS
            self._contents.forget(account_id)
            self._contents.collect(bodies)
            self.nudge(account_id)

    def replace(
        self,
        account_id: str,
        history: Callable[[State | None], Sequence[Record]],
        *,
        contents: Collection[str],
        also: Callable[[sa.Connection], None],
    ) -> State:
        """Give an account the `history` that is made of its present state (None: it was never used).

        `contents` and `also` are as in `Log.replace`. Answers the new state. Raises StateForbidsError for the account
        whose tasks run for real: nobody's commands get there but by its key.
        """
        if self._server_options.execute_of(account_id):
            raise StateForbidsError(
                "the tasks of this account run for real, and those of a history would too: name another account, or "
                "start the server without --execute"
            )
        with self._hold(account_id) as slot:
            if account_id not in self._known:
                return self._put(slot, account_id, history(None), contents, also)
        with self._present(account_id) as (slot, state):
            return self._put(slot, account_id, history(state), contents, also)

    def _put(
        self,
        slot: _Slot,
        account_id: str,
        records: Sequence[Record],
        contents: Collection[str],
        also: Callable[[sa.Connection], None],
    ) -> State:
        new = replay(records)
        assert new is not None  # noqa: S101 - a history begins with account.opened
        rows = self._log.rows_of(account_id, records)
        slot.state = None  # until the log is known to hold the history
        try:
            bodies = self._log.replace(account_id, rows, contents=contents, also=also)
        except BaseException:
            self._contents.collect(bodies_of(rows))
            raise
        slot.state, slot.snapshot_seq, slot.snapshot_due = new, 0, _next_due(new)
        # A server that ran its tasks for real may have recorded it; none of them is run here.
        slot.fresh = new.options.execute > 0
        with self._guard:
            self._known.add(account_id)
        self._contents.collect(bodies)
        return new

    def close(self) -> None:
        """A clean stop: each account that was used gets a snapshot."""
        with self._guard:
            slots = list(self._slots.values())
        for slot in slots:
            with slot.lock:
                if slot.state is not None:
                    self._snapshot(slot, slot.state)
                slot.state = None

    @contextmanager
    def _hold(self, account_id: str) -> Iterator[_Slot]:
        with self._guard:
            slot = self._slots.setdefault(account_id, _Slot(threading.RLock()))
        with slot.lock:
            yield slot

    @contextmanager
    def _present(self, account_id: str) -> Iterator[tuple[_Slot, State]]:
        """The account's slot under its lock, and its state at the present time. Raises UnknownAccountError.

        A farm that was not looked at for long catches up in slices, and its lock is free between them. The time to
        reach is taken once: else one that runs faster than it can be simulated would never be reached.
        """
        wall_now: int | None = None
        while True:
            with self._hold(account_id) as slot:
                if account_id not in self._known:
                    raise UnknownAccountError(account_id)
                state = slot.state = slot.state or self._load(slot, account_id)
                wall_now = self._wall() if wall_now is None else wall_now
                if advance(state, max(state.now_us, state.clock.at(wall_now)), CATCH_UP):
                    self._take_up_options(slot, state)
                    yield slot, state
                    return
                self._maybe_snapshot(slot, state)
            self.give_way()

    def _load(self, slot: _Slot, account_id: str) -> State:
        snapshot = self._log.load_snapshot(account_id)
        slot.snapshot_seq = snapshot.seq if snapshot else 0
        slot.snapshot_due = _next_due(snapshot) if snapshot else SNAPSHOT_EVENTS
        slot.fresh = True
        state = replay(self._log.read(account_id, after=slot.snapshot_seq), snapshot)
        if state is None:
            raise UnknownAccountError(account_id)
        return state

    def _take_up_options(self, slot: _Slot, state: State) -> None:
        """Append what differs between the options of this server and those of the log (design, rule 1)."""
        if not slot.fresh:
            return
        slot.state = None  # until what differs is committed
        account = Account(self._log, state)
        options = self._server_options.options_after(state.options, account.account_id)
        if options != state.options:
            account.append(OptionsChanged(options))
        speed = self._server_options.speed_millionths
        if speed is not None and speed != state.clock.speed_millionths:
            account.append(
                ClockSet(
                    replace(state.clock, wall_us=self._wall(), sim_us=state.now_us, speed_millionths=speed)
                )
            )
        slot.state, slot.fresh = state, False

    def _create(self, slot: _Slot, client_id: str, account_id: str, key_sha256: str) -> None:
        if not self._log.has(
            account_id
        ):  # it has when an earlier commit was reported as failed, and was none
            first = self._first(client_id, account_id, key_sha256)
            self._log.append(account_id, first)
            slot.state = follow(None, first)
        with self._guard:
            self._known.add(account_id)

    def _first(self, client_id: str, account_id: str, key_sha256: str) -> Record:
        """The command that opens an account now."""
        now = self._wall()
        speed = self._server_options.speed_millionths
        clock = Anchor(now, now, ONE if speed is None else speed)
        options = self._server_options.first_options(account_id)
        command = AccountOpened(client_id, account_id, key_sha256, options, clock)
        return Record(1, now, command)

    def _maybe_snapshot(self, slot: _Slot, state: State) -> None:
        if state.seq - slot.snapshot_seq < SNAPSHOT_EVERY and state.happened < slot.snapshot_due:
            return
        try:
            self._snapshot(slot, state)
        except (OSError, sa.exc.SQLAlchemyError):  # the commands are safe; the next one tries again
            slot.snapshot_due = _next_due(state)
            log.exception("no snapshot of account %s could be taken", state.account_id)

    def _snapshot(self, slot: _Slot, state: State) -> None:
        replaced = self._log.save_snapshot(state)
        slot.snapshot_seq, slot.snapshot_due = state.seq, _next_due(state)
        self._contents.collect(replaced)


def _next_due(state: State) -> int:
    """When the next snapshot is due, counted as `State.happened` is."""
    return state.happened + max(SNAPSHOT_EVENTS, sum(len(job.tasks) for job in state.jobs.values()))


def _hash(private_key: str) -> str:
    return hashlib.sha256(private_key.strip().encode()).hexdigest()
