"""Accounts, open: the state in memory of each, under its lock, brought up to now.

An account is read or written only inside `Accounts.open`, which takes its lock, replays what is new in its log, takes
the time and lets the farm catch up. So no command is ever dated before a time that was already shown.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial

import sqlalchemy as sa

from conductor_mock.farm import ids
from conductor_mock.farm.commands import AccountOpened
from conductor_mock.farm.fold import advance, follow, replay
from conductor_mock.farm.records import Record
from conductor_mock.farm.refusals import StateForbidsError
from conductor_mock.farm.state import State
from conductor_mock.settings import IDLE_S, MOST_OPEN, Quotas
from conductor_mock.store import collector
from conductor_mock.store.account import Account, Joined
from conductor_mock.store.account_contents import NO_OTHER, AccountContents
from conductor_mock.store.changes import Changes
from conductor_mock.store.heads import End
from conductor_mock.store.keys import Keys, is_same, key_sha256
from conductor_mock.store.lately import Lately
from conductor_mock.store.locks import Level, Locks
from conductor_mock.store.log import DamagedLogError, Log, bodies_of
from conductor_mock.store.quotas import check_count
from conductor_mock.store.server_options import ServerOptions
from conductor_mock.store.shared_wall import DatabaseWall
from conductor_mock.store.sharing import AccountLocks, OptionsTaken
from conductor_mock.store.slots import Slot, Slots, Time
from conductor_mock.store.snapshots import Snapshots
from conductor_mock.store.trouble import first_line
from conductor_mock.store.turns import GiveWay, give_way
from conductor_mock.store.wall import WallClock, wall_us

log = logging.getLogger(__name__)

_CLOSED_AT_ONCE = 2
"""Each use of an account brings one more into memory at most, so they become fewer."""

CLOSING_S = 1.0
"""How long a stop takes snapshots for. One that was begun is finished."""

CATCH_UP = 10_000
"""Events of one slice of a farm's catching up, between which the account's lock is free."""


class UnknownAccountError(LookupError):
    """No account of this id: it was never opened here."""


class WrongKeyError(PermissionError):
    """The `client_id` belongs to an account that was opened with another private key."""


class Accounts:
    """Every account of one server."""

    def __init__(
        self,
        log: Log,
        contents: AccountContents,
        server_options: ServerOptions,
        keys: Keys,
        *,
        quotas: Quotas = NO_OTHER,
        most_open: int = MOST_OPEN,
        idle_s: float = IDLE_S,
        seconds: Callable[[], float] = time.monotonic,
        wall: WallClock = wall_us,
        give_way: GiveWay = give_way,
        locks: Locks | None = None,
        options_taken: OptionsTaken | None = None,
        lately: Lately | None = None,
    ) -> None:
        """`keys` are the server's own. No more than `most_open` accounts are in memory; one that nobody used for
        `idle_s` of `seconds` leaves it when somebody looks (`close_unused`). `give_way` is called between two slices
        of long work, while no lock is held, in a replay none but that of the account. `locks` keep out the other
        servers on the same data, `options_taken` says what was done for all of them; None where there are none.
        `lately` is told and tells where logs end, if the database of several servers is not a file.
        """
        self._log = log
        self._contents = contents
        self._server_options = server_options
        self._keys = keys
        self._quotas = quotas
        self._most_open = most_open
        self._idle_s = idle_s
        self._wall = wall
        self.give_way = give_way
        self._locks = locks
        renew = wall.renew if isinstance(wall, DatabaseWall) else None
        self._options_taken = options_taken
        self._lately = lately
        self.changes = Changes(None if locks is None else self._end)
        self._slots = Slots(None if locks is None else AccountLocks(locks, self._end, renew), seconds=seconds)
        self._left = 0
        self._snapshots = Snapshots(log, contents, is_shared=locks is not None)
        self._guard = threading.Lock()
        self._known = set(log.accounts_at_start())
        self._names: dict[str, str] = {}

    def knows(self, account_id: str) -> bool:
        """Whether the account was opened on this server, or on another one with the same data."""
        with self._guard:
            if account_id in self._known or self._locks is None:
                return account_id in self._known
        if not self._log.has(account_id):
            return False
        with self._guard:  # an account that was there stays
            self._known.add(account_id)
        return True

    def ids(self) -> list[str]:
        """The ids of all accounts, in order."""
        return sorted(self._all())

    def _all(self) -> set[str]:
        new = () if self._locks is None else self._log.accounts()
        with self._guard:
            self._known.update(new)
            return set(self._known)

    def in_memory(self) -> list[str]:
        """The ids of the accounts whose state is in memory, in order; the others are only on disk."""
        return self._slots.in_memory()

    @property
    def left(self) -> int:
        """How much had happened (`State.happened`) in states that were in memory and no longer are."""
        with self._guard:
            return self._left

    @contextmanager
    def look(self, account_id: str) -> Iterator[State | None]:
        """The state of an account under its lock, at the present time, to read: for whoever looks at all of them.

        That is no use of the account: one that is not in memory stays where it is (None), and one that is leaves it as
        if nobody had looked.
        """
        with self._slots.hold(account_id, is_use=False) as slot:
            state = slot.state
            if state is not None:
                advance(state, max(state.now_us, state.clock.at(self._wall())), CATCH_UP)
            yield state

    def names(self, most: int) -> list[str]:
        """The `client_id`s of the accounts, in order; of some if there are more than `most`. None is opened.

        One whose first command is damaged has no name any more.
        """
        for account_id in self.ids()[:most]:
            if account_id not in self._names:  # it never changes
                with suppress(DamagedLogError, KeyError):
                    command = self._log.read_one(account_id, 1).command
                    assert isinstance(command, AccountOpened)  # noqa: S101 - it is the first of every log
                    self._names[account_id] = command.client_id
        return sorted(self._names.values())[:most]

    @contextmanager
    def open(self, account_id: str, *, together: bool = False) -> Iterator[Account]:
        """The account under its lock, at the present time. Raises UnknownAccountError.

        With `together` what the block appends is committed with what others append who wait for the account, and is
        on disk when the block has ended, not before: for a block that does nothing but decide and append. Where that
        commit fails, all who have seen what was in it raise its error.
        """
        is_changed = False
        try:
            with self._present(account_id, joins=together) as (slot, state):
                joined = Joined(slot, partial(self._slots.settle, account_id, slot)) if together else None
                account = Account(self._log, state, joined)
                before = state.seq
                try:
                    yield account
                finally:
                    if account.in_doubt:
                        slot.state = None  # the next one reads the log again
                    is_changed = account.state.seq != before
                self._snapshots.take_if_due(slot, account.state)
        finally:
            if is_changed:
                self.changes.note(account_id)
        self._close_idle(_CLOSED_AT_ONCE)

    def now_us(self, account_id: str) -> int:
        """The account's simulated time, without its lock unless it was not used before. Raises UnknownAccountError."""
        known = self._slots.time(account_id)
        if known is not None and (self._locks is None or self._slots.is_current(account_id)):
            return known.at(self._wall())
        with self.open(account_id) as account:
            return account.state.now_us

    def written(self, account_id: str) -> str:
        """A text that is another one once any of several servers wrote to the log of an account; empty for a lone one.

        A file is read for it. Any other database may be slow, or away: the text is what was known of it a moment ago.
        Takes no lock of an account.
        """
        if self._locks is None:
            return ""
        if self._lately is not None:
            return self._lately.of(account_id)
        end = self._log.end(account_id)
        return "" if end is None else str(end)

    def meet(self, account_id: str) -> None:
        """Know what `written` is to tell of an account: for whoever begins to ask, and may wait for the database."""
        if self._lately is not None:
            self._lately.meet(account_id)

    def _end(self, account_id: str) -> End | None:
        """Where the log ends now; what is told of it is then as new."""
        if self._lately is None:
            return self._log.end(account_id)
        began_s = self._lately.now_s()
        end = self._log.end(account_id)
        if end is not None:
            self._lately.note(account_id, began_s, str(end))
        return end

    def glance(self, account_id: str) -> Time | None:
        """What is known of an account without its lock and its log; None where it was not used since the start."""
        return self._slots.time(account_id)

    def sign_in(self, client_id: str, private_key: str) -> str:
        """The account id of an API key; its account is made on first use. Raises WrongKeyError, QuotaError.

        The first private key of a `client_id` is remembered, as a hash; another one later is refused. The account of
        the server's own key is not for the first who comes, and that key is always right for it: whoever had to make a
        new one must not be locked out.
        """
        key = key_sha256(private_key)
        account_id = ids.account_id(client_id)
        is_own = client_id == self._keys.client_id
        fits_own = is_own and is_same(key, key_sha256(self._keys.private_key))
        with self._slots.hold(account_id) as slot:
            if not self.knows(account_id):
                if is_own and not fits_own:
                    raise WrongKeyError(client_id)
                with nullcontext() if self._locks is None else self._locks.hold(Level.CONTENTS, "accounts"):
                    if not is_own:
                        self._room_for_one_more()
                    self._create(slot, client_id, account_id, key)
        with self._present(account_id) as (_, state):
            if not fits_own and not is_same(state.key_sha256, key):
                raise WrongKeyError(client_id)
        self._close_idle(_CLOSED_AT_ONCE)
        return account_id

    def unused(self, client_id: str, private_key: str) -> State:
        """The state that an account would begin with now, kept nowhere: for whoever looks at one before it is used."""
        return follow(None, self._server_options.opening(client_id, key_sha256(private_key), self._wall()))

    def was_opened_with(self, account_id: str, private_key: str) -> bool:
        """Whether this is the first private key of an account: no other one opens it, beside the server's own."""
        with self.open(account_id) as account:
            return is_same(account.state.key_sha256, key_sha256(private_key))

    def reset(self, account_id: str) -> None:
        """The account as new: no jobs, no files, its log begun again. Raises UnknownAccountError."""
        with self._present(account_id) as (slot, state):
            first = self._server_options.opening(state.client_id, state.key_sha256, self._wall())
            slot.state = slot.end = slot.time = None  # until the log is known to have begun again
            bodies = self._log.restart(account_id, first)
            slot.state = follow(None, first)
            self._snapshots.begin(slot, slot.state)
            self._contents.forget(account_id)
            self._contents.collect(bodies)
            self.changes.note(account_id)

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
        with self._slots.hold(account_id) as slot:
            if not self.knows(account_id):
                self._room_for_one_more()
                return self._put(slot, account_id, history(None), contents, also)
        with self._present(account_id) as (slot, state):
            return self._put(slot, account_id, history(state), contents, also)

    def close_unused(self, idle_s: float | None = None, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Write down and forget what nobody used for `idle_s` (None: as long as this server waits), until `stop`."""
        for _ in self._slots.in_memory():  # each once, though others come and go
            if stop() or not self._close_idle(1, idle_s):
                return
            self.give_way()

    def _close_idle(self, most: int, idle_s: float | None = None) -> bool:
        """Of the states that were not used for long, or are more than may be, write down and forget up to `most`.

        Their times stay, as does what was taken up of this server's options. Whether there may be more.
        """
        for _ in range(most):
            with self._slots.hold_idle(self._most_open, self._idle_s if idle_s is None else idle_s) as idle:
                if idle is None:
                    return False
                account_id, slot = idle
                if slot.state is None:
                    continue
                try:
                    self._snapshots.take_if_moved(slot, slot.state)
                except (OSError, sa.exc.SQLAlchemyError) as error:  # it stays in memory, which loses nothing
                    log.warning("account %s stays in memory: %s", account_id, first_line(error))
                else:
                    with self._guard:
                        self._left += slot.state.happened
                    slot.state = None
        return True

    def drop_states(self) -> None:
        """Forget the states in memory, as a crash does: nothing is written, the next use reads snapshot and log."""
        for account_id in self._slots.ids():
            with self._slots.hold(account_id) as slot:
                slot.state = slot.behind = slot.time = None
                slot.has_options = False

    def close(self, *, now: Callable[[], float] = time.monotonic) -> None:
        """A clean stop: the accounts that were used get snapshots, those first whose replay is the longest.

        When that has taken `CLOSING_S` (by `now`) the others go without: their logs hold everything, and what a replay
        may take at most is bounded while the account is used.
        """
        saved: dict[str, int] = {}
        for account_id in self._slots.ids():
            with self._slots.hold(account_id) as slot:
                if slot.state is not None:
                    saved[account_id] = self._snapshots.saves(slot, slot.state)
        deadline = now() + CLOSING_S
        for account_id in sorted(saved, key=saved.__getitem__, reverse=True):
            with self._slots.hold(account_id) as slot:
                if slot.state is not None and saved[account_id] and now() < deadline:
                    self._snapshots.take(slot, slot.state)
                slot.state = slot.time = None

    @contextmanager
    def _present(self, account_id: str, *, joins: bool = False) -> Iterator[tuple[Slot, State]]:
        """The account's slot under its lock, and its state at the present time. Raises UnknownAccountError.

        A farm that was not looked at for long catches up in slices, and its lock is free between them. The time to
        reach is taken once: else one that runs faster than it can be simulated would never be reached.
        """
        wall_now: int | None = None
        while True:
            with self._slots.hold(account_id, joins=joins) as slot:
                state = slot.state = slot.state or self._caught_up(slot) or self._load(slot, account_id)
                wall_now = self._wall() if wall_now is None else wall_now
                if advance(state, max(self._shown_us(slot, state), state.clock.at(wall_now)), CATCH_UP):
                    if slot.is_fresh:
                        self._take_up_options(slot, state)
                    yield slot, state
                    return
                self._snapshots.take_if_due(slot, state)
            self.give_way()

    def _shown_us(self, slot: Slot, state: State) -> int:
        """The time that was shown, before which a state may lie that was read again; others may have begun it anew."""
        if slot.time is None or self._locks is not None:
            return state.now_us
        return max(state.now_us, slot.time.reached_us)

    def _caught_up(self, slot: Slot) -> State | None:
        """The state of before with what other servers have written since; None where it is to be read anew.

        That is so where the log was begun again, or where a wall clock has gone back that several servers read.
        """
        state, end = slot.behind, slot.end
        slot.behind = None
        if state is None or end is None:
            return None
        records = self._log.since(state.account_id, end)
        if records is None or (records and records[0].t_us < state.now_us):
            return None
        return replay(records, state, most=CATCH_UP, between=self.give_way)

    def _load(self, slot: Slot, account_id: str) -> State:
        if not self.knows(account_id):
            raise UnknownAccountError(account_id)
        snapshot = self._snapshots.load(slot, account_id)
        with collector.resting():
            state = replay(
                self._log.read(account_id, after=slot.snapshot_seq),
                snapshot,
                most=CATCH_UP,
                between=self.give_way,
            )
        if state is None:
            raise UnknownAccountError(account_id)
        slot.end = None
        slot.is_fresh = not slot.has_options
        return state

    def _take_up_options(self, slot: Slot, state: State) -> None:
        """Append what differs between the options of this server and those of the log (design, rule 1)."""
        taken = self._options_taken
        if taken is not None and taken.has(state.account_id):
            slot.is_fresh, slot.has_options = False, True
            return
        slot.state = None  # until what differs is committed
        account = Account(self._log, state)
        for command in self._server_options.differences(state, self._wall()):
            account.append(command)
        if taken is not None:
            taken.note(state.account_id)
        slot.state, slot.is_fresh, slot.has_options = state, False, True

    def _room_for_one_more(self) -> None:
        """Raise QuotaError where there are as many accounts as there may be."""
        there = len(self._all())
        check_count(
            "the accounts of this server are",
            there,
            self._quotas.accounts,
            "--max-accounts",
            remedy="use an account that is there",
        )

    def _create(self, slot: Slot, client_id: str, account_id: str, key: str) -> None:
        # It has one when an earlier commit was reported as failed, and was none.
        if not self._log.has(account_id):
            first = self._server_options.opening(client_id, key, self._wall())
            self._log.append(account_id, first)
            slot.state, slot.has_options = follow(None, first), True
            self._snapshots.begin(slot, slot.state)
        with self._guard:
            self._known.add(account_id)

    def _put(
        self,
        slot: Slot,
        account_id: str,
        records: Sequence[Record],
        contents: Collection[str],
        also: Callable[[sa.Connection], None],
    ) -> State:
        new = replay(records)
        assert new is not None  # noqa: S101 - a history begins with account.opened
        rows = self._log.rows_of(account_id, records)
        slot.state = slot.end = slot.time = None  # until the log is known to hold the history
        try:
            bodies = self._log.replace(account_id, rows, contents=contents, also=also)
        except BaseException:
            self._contents.collect(bodies_of(rows))
            raise
        slot.state = new
        self._snapshots.begin(slot, new)
        # A server that ran its tasks for real may have recorded it; none of them is run here.
        slot.is_fresh, slot.has_options = new.options.execute > 0, True
        with self._guard:
            self._known.add(account_id)
        self._contents.collect(bodies)
        self.changes.note(account_id)
        return new
