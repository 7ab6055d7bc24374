"""The one who does what the farm decides: starts runs, ends them, reports what became of them (design, rule 5).

A thread sleeps until the farm's next event or until the account has changed, and compares the attempts that the farm
says run with the runs that there are. Each run has a thread of its own while it lasts, which logs that it starts,
waits for its executor, stores what it left and reports. Attempts that were started by an earlier server and never
reported are lost: they are never run in that server's name again.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import sqlalchemy as sa

from conductor_mock.execution import collection, leftovers, recipe, runner
from conductor_mock.execution.collection import Made
from conductor_mock.execution.environment import EnvironmentProblemError
from conductor_mock.execution.insisting import Insisting, may_pass
from conductor_mock.execution.order import Limits, Order, Report
from conductor_mock.execution.pool import Pool
from conductor_mock.execution.wanted import runs_folder
from conductor_mock.execution.workspace import Workspace, WorkspaceError, why
from conductor_mock.farm import execution as farm
from conductor_mock.farm.clock import ONE, SECOND
from conductor_mock.farm.payload import upload_files
from conductor_mock.farm.state import State
from conductor_mock.farm.statuses import Outcome
from conductor_mock.farm.values import OutputFile
from conductor_mock.store.account import Account
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.accounts import Accounts
from conductor_mock.store.content_store import ContentStore, blocks_of
from conductor_mock.store.objects import ObjectStore
from conductor_mock.store.trouble import UnavailableError
from conductor_mock.store.wall import WallClock
from conductor_mock.wire.md5 import from_base64, to_base64

if TYPE_CHECKING:
    from conductor_mock.execution.remote import Remote

log = logging.getLogger(__name__)

SHORTEST_SLEEP_S = 0.01
NO_LONGER_OURS = "its server drives this account no longer"
RECIPES = 8
"""Jobs whose payload is kept read: a payload may be large, and every task of its job needs it."""


@dataclass(frozen=True, slots=True)
class Storage:
    """What a driver reads and writes besides its account."""

    accounts: Accounts
    contents: AccountContents
    objects: ContentStore
    wall: WallClock


class Driver:
    """Runs the tasks of one account for real. Close it."""

    def __init__(
        self,
        account_id: str,
        storage: Storage,
        directory: Path,
        pool: Pool,
        limits: Limits,
        remote: Remote | None = None,
        *,
        may_start: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take over from an earlier server on `directory`, then begin. Raises OSError, RuntimeError.

        `remote` are workers that share no disk with this server. `may_start` is asked before an attempt is logged and
        again before it is spawned, and at each look while there are runs: one that is to drive no longer may not know
        it yet, as after its process was stopped for a while.
        """
        self._remote = remote
        self._may_start = may_start
        self._account_id = account_id
        self._storage = storage
        self._folder = runs_folder(directory)
        self._pool = pool
        self._limits = limits
        self._lock = threading.Lock()
        self._queued: set[farm.Active] = set()
        self._runs: dict[str, Workspace] = {}
        self._recipes: dict[int, recipe.Recipe] = {}
        self._closing = threading.Event()
        self._insisting = Insisting(self._closing)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        old = self._report_lost()
        self._sweeper = threading.Thread(target=self._sweep, args=(old,), name="leftovers", daemon=True)
        self._threads: Executor = ThreadPoolExecutor(pool.slots, thread_name_prefix="attempt")
        self._thread = threading.Thread(target=self._drive, name="driver", daemon=True)
        self._sweeper.start()
        try:
            self._thread.start()
        except BaseException:  # there can be no more threads: nobody would end the one that there is
            self._closing.set()
            self._sweeper.join()
            raise

    def close(self) -> None:
        """End every run; those tasks start again when the account is next driven. Safe to call twice.

        They are ended first: a look that is under way may wait long for the account, and begins no more of them.
        """
        with self._lock:
            if self._closing.is_set():
                return
            self._closing.set()
        self._cancel_all()
        self._storage.accounts.changes.note(self._account_id)
        self._thread.join()
        self._sweeper.join()
        self._cancel_all()  # those that had no folder yet
        self._threads.shutdown(cancel_futures=True)

    def _drive(self) -> None:
        accounts = self._storage.accounts
        while not self._closing.is_set():
            try:
                count = accounts.changes.count(self._account_id)
                if self._closing.is_set():  # looked at after the count, which goes up behind it
                    return
                timeout_s = self._reconcile()
            except Exception as error:  # it must go on, whatever the disk, the database or a log says
                if not may_pass(error):
                    log.exception("the account's runs could not be looked at; trying again")
                self._insisting.refused(error)
            else:
                self._insisting.accepted()
                accounts.changes.wait(self._account_id, count, timeout_s)

    def _reconcile(self) -> float | None:
        """Start and end what the farm says; how long nothing else can happen by time alone (None: never)."""
        is_ours = not self._runs or self._may_start()
        with self._storage.accounts.open(self._account_id) as account, self._lock:
            current = list(farm.active(account.state))
            timeout_s = _until_next_event(account.state, self._storage.wall())
            names = {active.run for active in current}
            over = [workspace for run, workspace in self._runs.items() if run not in names or not is_ours]
            new = [active for active in current if not active.run and active not in self._queued]
        with self._lock:  # behind the block: where its end is refused all of this is looked at again
            self._queued.update(new)
        for workspace in over:
            self._cancel(workspace)
        for active in new:
            self._threads.submit(self._attempt, active)
        return timeout_s

    def _attempt(self, active: farm.Active) -> None:
        """One attempt, in a thread of its own."""
        run = secrets.token_hex(8)
        workspace = Workspace(self._folder / run)
        named = farm.Active(active.job, active.task, active.attempt, run)
        begun = True
        try:
            try:
                started = self._start(active, workspace)
            except (OSError, sa.exc.SQLAlchemyError) as error:
                # Whether it was logged is not known. If it was the run is lost; if not there is nothing to end.
                begun = False
                self._insisting.refused(error)
                self._end(named, Outcome.LOST, reason="it could not be begun")
                return
            with self._lock:
                self._queued.discard(active)
            if started is None:
                return
            order, report = self._run(started, workspace)
            if self._remote is not None:
                self._keep_log(self._remote, workspace)
            if report.outcome == Outcome.LOST:  # what it started outlives whoever ran it
                leftovers.end_one(workspace)
            self._insisting.on(lambda: self._report(started, workspace, report, order))
        except Exception:  # a defect must not leave the task running for ever, nor stop the others
            log.exception("run %s of job %d came to no end of its own", run, active.job)
            self._end(named, Outcome.FAILED, reason="a defect of conductor-mock")
        finally:
            with self._lock:
                self._queued.discard(active)
                self._runs.pop(run, None)
                workspace.close()
            if not begun:
                self._storage.accounts.changes.note(self._account_id)  # the driver looks, and tries again
            self._remove(workspace)
            if self._remote is not None:
                self._remote.end(run)

    def _cancel_all(self) -> None:
        with self._lock:
            running = list(self._runs.values())
        for workspace in running:
            self._cancel(workspace)

    def _cancel(self, workspace: Workspace) -> None:
        workspace.cancel()
        if self._remote is not None:
            self._remote.cancel(workspace.folder.name)

    def _keep_log(self, remote: Remote, workspace: Workspace) -> None:
        """Bring the log of a run here, as much of it as there is."""
        with workspace.log.open("ab") as file:
            while block := remote.read_log(workspace.folder.name, file.tell()):
                file.write(block)
                file.flush()

    def _start(self, active: farm.Active, workspace: Workspace) -> farm.Active | None:
        """Log that an attempt starts, before anything is spawned; None when it is not wanted any more."""
        run = workspace.folder.name
        workspace.create()
        workspace.log.touch()
        workspace.note_run(job=active.job, task=active.task, attempt=active.attempt)
        with self._storage.accounts.open(self._account_id) as account, self._lock:
            command = None if self._closing.is_set() else farm.start(account.state, active, run)
            if command is None or not self._may_start():
                return None
            account.append(command)
            self._runs[run] = workspace  # under the account's lock, as it is looked for
        return farm.Active(active.job, active.task, active.attempt, run)

    def _run(self, active: farm.Active, workspace: Workspace) -> tuple[Order | None, Report]:
        try:
            order = self._insisting.on(lambda: self._order(active, workspace))
        except (WorkspaceError, EnvironmentProblemError) as error:
            return None, Report(Outcome.FAILED, reason=str(error))
        if order is None or not self._insisting.on(lambda: self._is_wanted(active)):
            return order, Report(None)
        if not self._may_start():  # asked last: nothing that may take long comes between this and the spawn
            return order, Report(Outcome.STOPPED, reason=NO_LONGER_OURS)
        return order, self._run_order(order)

    def _is_wanted(self, active: farm.Active) -> bool:
        """Whether the log has this run as the one under way: making its order may have taken long."""
        with self._storage.accounts.open(self._account_id) as account:
            return farm.is_current(account.state, active)

    def _run_order(self, order: Order) -> Report:
        try:
            if self._remote is not None:
                return self._remote.run(order)
            opening = (self._open_source,) if self._pool.in_process else ()
            return self._pool.executor.submit(runner.run, order, *opening).result()
        except Exception as error:  # noqa: BLE001 - whatever an executor raises, its run is gone
            return Report(Outcome.LOST, reason=f"its executor gave it up ({type(error).__name__})")

    def _order(self, active: farm.Active, workspace: Workspace) -> Order | None:
        with self._storage.accounts.open(self._account_id) as account:
            if not farm.is_current(account.state, active):
                return None
            command = account.state.jobs[active.job].tasks[active.task].command
            made = self._recipe(account, active.job)
        place = workspace if self._remote is None else self._remote.workspace(active.run)
        return made.order(
            place, command, run=active.run, source=self._source, server=os.environ, limits=self._limits
        )

    def _recipe(self, account: Account, number: int) -> recipe.Recipe:
        """The job's recipe, by its command in the log, which a reset makes another one."""
        job = account.state.jobs[number]
        made = self._recipes.get(job.seq)
        if made is None or made.created != (account.state.opened_us, job.created_us):
            made = recipe.make(
                upload_files(account.payload(job)),
                job.output_path,
                job.environment,
                created=(account.state.opened_us, job.created_us),
                sandbox=self._pool.sandbox,
            )
            while len(self._recipes) >= RECIPES:
                self._recipes.pop(next(iter(self._recipes)))
            self._recipes[job.seq] = made
        return made

    def _source(self, path: str, md5: str | None) -> str | None:
        """Where the content of a job's file is to be had: its path, its digest for this process, or both its digest and
        its URL for workers without this disk.
        """
        if md5 is None:  # a daemon brought it, and said which it was
            md5 = self._storage.contents.held_md5(self._account_id, path)
        if md5 is None or not self._storage.contents.held(self._account_id, [md5]):
            return None
        digest = from_base64(md5)
        if self._pool.in_process:
            return digest.hex()
        if self._remote is not None:
            return f"{digest.hex()} {self._remote.links.to_fetch(digest)}"
        objects = self._storage.objects
        if not isinstance(objects, ObjectStore):
            return None
        try:
            return str(objects.checked(digest))
        except FileNotFoundError:  # it was damaged, and is set aside
            return None

    def _open_source(self, source: str) -> IO[bytes]:
        return self._storage.objects.open_checked(bytes.fromhex(source))

    def _report(self, active: farm.Active, workspace: Workspace, report: Report, order: Order | None) -> None:
        """Store what a run left, then say how it ended; what nobody wants any more is dropped."""
        outcome, reason = report.outcome, report.reason
        if outcome is None and self._closing.is_set():
            outcome, reason = Outcome.STOPPED, "the server was stopped"
        elif outcome is None and not self._may_start():
            outcome, reason = Outcome.STOPPED, NO_LONGER_OURS
        elif outcome is None:
            outcome, reason = Outcome.LOST, "somebody ended it from outside"
        with self._storage.accounts.open(self._account_id) as account:
            is_current = farm.is_current(account.state, active)
            now_us = account.state.now_us
            output_path = account.state.jobs[active.job].output_path if is_current else ""
        if not is_current:
            self._end_log(active, self._store_log(workspace, now_us))
            return
        outputs: tuple[OutputFile, ...] = ()
        if outcome == Outcome.SUCCESS and report.made:
            try:
                if self._remote is not None and order is not None:
                    self._remote.bring(order, report)
                    outputs = _outputs_of(report)
                else:
                    outputs = self._store(workspace, output_path, report.made, now_us)
            except UnavailableError:  # what keeps contents is away: it is tried again
                raise
            except OSError as error:
                outcome, reason = Outcome.FAILED, f"its outputs could not be stored: {why(error)}"
                if self._closing.is_set():  # which has ended the bringing of them
                    outcome, reason = Outcome.STOPPED, "the server was stopped"
        self._end(
            active,
            outcome,
            exit_code=report.exit_code,
            reason=reason,
            log=self._store_log(workspace, now_us),
            outputs=outputs,
        )

    def _store(
        self, workspace: Workspace, output_path: str, made: tuple[Made, ...], now_us: int
    ) -> tuple[OutputFile, ...]:
        names = recipe.output_names(output_path)
        stored = []
        for one in made:
            with os.fdopen(collection.open_made(workspace.root, names, one), "rb") as stream:
                content = self._storage.contents.add_output(self._account_id, blocks_of(stream), t_us=now_us)
            stored.append(OutputFile(one.path, content.md5, content.size))
        return tuple(stored)

    def _store_log(self, workspace: Workspace, now_us: int) -> str | None:
        """Keep what a run has logged; None where there is no room for it. Raises UnavailableError, SQLAlchemyError."""
        try:
            with workspace.open_log() as stream:
                return self._storage.contents.add_output(self._account_id, blocks_of(stream), t_us=now_us).md5
        except UnavailableError:
            raise
        except OSError as error:
            log.warning("the log of run %s could not be kept: %s", workspace.folder.name, why(error))
            return None

    def _end(
        self,
        active: farm.Active,
        outcome: Outcome,
        *,
        exit_code: int | None = None,
        reason: str = "",
        log: str | None = None,
        outputs: tuple[OutputFile, ...] = (),
    ) -> None:
        """Log the end of a run, trying again while the disk or the database refuses it."""

        def append() -> None:
            with self._storage.accounts.open(self._account_id) as account:
                command = farm.end(
                    account.state,
                    active,
                    outcome,
                    exit_code=exit_code,
                    reason=reason,
                    log=log,
                    outputs=outputs,
                )
                if command is not None:
                    account.append(command)

        self._insisting.on(append)

    def _end_log(self, active: farm.Active, log: str | None) -> None:
        """Keep the log of a run that the farm had ended."""

        def append() -> None:
            with self._storage.accounts.open(self._account_id) as account:
                command = farm.note_log(account.state, active, log)
                if command is not None:
                    account.append(command)

        self._insisting.on(append)

    def _report_lost(self) -> list[Workspace]:
        """End the runs of an earlier server in the log, with what they had logged; the folders that are of no use."""
        with self._storage.accounts.open(self._account_id) as account:
            lost = [active for active in farm.active(account.state) if active.run]
            now_us = account.state.now_us
        for active in lost:
            workspace = Workspace(self._folder / active.run)
            logged = self._store_log(workspace, now_us) if workspace.folder.is_dir() else None
            self._end(active, Outcome.LOST, reason="the server that ran it ended", log=logged)
        old = [Workspace(folder) for folder in self._folder.iterdir()]
        for workspace in old:
            noted = _noted(workspace)
            if noted is not None and workspace.read_log() is not None:
                self._end_log(noted, self._store_log(workspace, now_us))
        return old

    def _sweep(self, old: list[Workspace]) -> None:
        """Remove what earlier runs left, which may take long; what is left of it at the end is for the next server."""
        for workspace in old:
            if self._closing.is_set():
                return
            self._remove(workspace)
            if self._remote is not None:
                self._remote.end(workspace.folder.name)

    def _remove(self, workspace: Workspace) -> None:
        try:
            workspace.remove()
        except OSError as error:
            log.warning("the folder of a run could not be removed: %s", error)


def _outputs_of(report: Report) -> tuple[OutputFile, ...]:
    """What was made elsewhere, and brought."""
    return tuple(
        OutputFile(made.path, to_base64(md5), size)
        for made, (md5, size) in zip(report.made, report.contents, strict=True)
    )


def _noted(workspace: Workspace) -> farm.Active | None:
    """The attempt that a folder was made for, as far as it says so."""
    facts = workspace.read_run()
    job, task, attempt = (facts.get(name, -1) for name in ("job", "task", "attempt"))
    if not all(isinstance(number, int) for number in (job, task, attempt)) or task < 0 or attempt < 1:
        return None
    return farm.Active(job, task, attempt, workspace.folder.name)


def _until_next_event(state: State, wall_us: int) -> float | None:
    """Wall seconds until simulated time alone changes something."""
    speed = state.clock.speed_millionths
    if not state.events or not speed:
        return None
    sim_us = state.events[0][0] - state.clock.at(wall_us)
    return max(SHORTEST_SLEEP_S, min(sim_us * ONE / speed / SECOND, threading.TIMEOUT_MAX / 2))
