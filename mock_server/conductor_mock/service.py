"""Everything one server is made of, as a value: opened from settings, handed to the app, closed once."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from conductor_contracts.contract import Contract, load_control
from conductor_contracts.contract import load as load_contract
from conductor_mock.auth.attempts import Attempts, OwnTries
from conductor_mock.auth.signing import Signer
from conductor_mock.auth.tokens import Tokens
from conductor_mock.catalog import Catalog
from conductor_mock.catalog.files import DIGESTS
from conductor_mock.catalog.files import load as load_catalog
from conductor_mock.catalog.files import named as named_catalog
from conductor_mock.catalog.served import Catalogs, ServedCatalog
from conductor_mock.contents_store import bucket_and_parts, contents_store
from conductor_mock.data_directory import (
    check_shared,
    directory_of,
    join_directory,
    open_directory,
    say_clean,
    share,
    sweep_after_a_crash,
)
from conductor_mock.errors import parameters
from conductor_mock.execution.wanted import is_wanted
from conductor_mock.farm import ids
from conductor_mock.farm.clock import speed_millionths
from conductor_mock.farm.state import Execution
from conductor_mock.faults.rules import Faults
from conductor_mock.faults.shared import SharedKeeper, changes_of
from conductor_mock.settings import Settings, SettingsError
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.accounts import Accounts
from conductor_mock.store.belonging import join
from conductor_mock.store.content_store import ContentStore
from conductor_mock.store.database import Database
from conductor_mock.store.database_url import of_file
from conductor_mock.store.fault_rows import FaultRows
from conductor_mock.store.idling import Idling
from conductor_mock.store.journal import Journal
from conductor_mock.store.keys import FILE, Keys, load_or_create, load_or_create_file
from conductor_mock.store.lately import Lately
from conductor_mock.store.log import Log
from conductor_mock.store.mail_statuses import MailStatuses
from conductor_mock.store.parts import Parts
from conductor_mock.store.read_write_lock import Shared
from conductor_mock.store.readiness import Readiness
from conductor_mock.store.roles import EXECUTE, MAIL, SWEEP, Roles
from conductor_mock.store.seats import seats_in
from conductor_mock.store.server_options import OF_ACCOUNTS, ServerOptions
from conductor_mock.store.shared_keys import agree_again, shared_keys
from conductor_mock.store.shared_tries import SharedTries
from conductor_mock.store.shared_wall import FILE as WALL_FILE
from conductor_mock.store.shared_wall import DatabaseWall, SharedWall
from conductor_mock.store.sharing import OptionsTaken, differences
from conductor_mock.store.sweeping import Sweeping
from conductor_mock.store.trouble import first_line
from conductor_mock.store.turns import GiveWay, give_way
from conductor_mock.store.wall import WallClock, wall_us
from conductor_mock.wire.md5 import from_base64

if TYPE_CHECKING:
    from conductor_mock.execution.driving import Driving
    from conductor_mock.execution.pool import Pool
    from conductor_mock.mailing.mailer import Mailer
    from conductor_mock.mailing.smtp import SmtpServer

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Service:
    """The parts of one server. `wall` is the only source of wall time (microseconds)."""

    settings: Settings
    contract: Contract
    catalogs: Catalogs
    keys: Keys
    tokens: Tokens
    signer: Signer
    admin_attempts: Attempts
    objects: ContentStore
    contents: AccountContents
    parts: Parts
    log: Log
    accounts: Accounts
    journal: Journal
    faults: Faults
    mail_statuses: MailStatuses
    mailer: Mailer | None
    sweeping: Sweeping | None
    idling: Idling | None
    lately: Lately | None
    wall: WallClock
    driving: Driving | None
    roles: Roles
    readiness: Readiness
    directory: Path
    _resources: ExitStack
    """What is to be given back, the last one first."""
    _process: int = field(default_factory=os.getpid)
    """The process that opened it."""

    @property
    def catalog(self) -> Catalog:
        """The catalogue of accounts that have none of their own."""
        return self.catalogs.default.catalog

    def served_for(self, account_id: str) -> ServedCatalog:
        """What an account is offered that is not open."""
        with self.accounts.open(account_id) as account:
            return self.catalogs.of(account)

    def start(self) -> None:
        """Begin what goes on beside the requests. Raises OSError, SQLAlchemyError."""
        self.roles.start()
        if self.idling is not None:
            self.idling.start()
        if self.lately is not None:
            self.lately.start()
        self.readiness.begin()

    def log_lines(self, execution: Execution) -> list[str]:
        """The lines that a run for real has logged so far; only whole ones while it goes on."""
        if execution.log:
            try:
                return _lines(self.objects.read(from_base64(execution.log)), is_whole=True)
            except FileNotFoundError:  # the account was reset in the meantime
                return []
        if execution.log is None and execution.run and self.driving is not None:
            return _lines(self.driving.logged(execution.run), is_whole=False)
        return []

    def close(self) -> None:
        """A clean stop: snapshots are taken, the database and the directory are given back. Safe to call twice.

        In a process that was forked off it does nothing: there it is a copy, and what it would give back is in use.
        Whatever fails of it, the rest is done; the error is raised in the end.
        """
        if os.getpid() == self._process:
            self._resources.close()


def open_service(settings: Settings, *, wall: WallClock = wall_us, give_way: GiveWay = give_way) -> Service:
    """Open the data of a server and make its parts.

    Raises DatabaseError when the data is in use, newer than this version or cannot be opened; NoHomeError; KeysError
    for damaged keys; SettingsError for what no account can have; ClockError for an impossible speed; FaultError for a
    file of faults that cannot be meant; SmtpUrlError; ExecutionError when tasks cannot be run for real.
    """
    _check(settings)
    smtp = None if settings.smtp is None else _smtp(settings.smtp)
    speed = None if settings.speed is None else speed_millionths(settings.speed)
    with ExitStack() as resources:
        member = join_directory(settings, resources) if settings.shared else None
        is_first = member is None or member.is_first
        directory = open_directory(settings, resources) if member is None else directory_of(settings)
        url = settings.database_url or of_file(directory / "conductor.db")
        durable = not settings.ephemeral
        given = wall
        if member is not None:
            wall = resources.enter_context(
                closing(SharedWall(directory / WALL_FILE, wall, begins=member.is_first))
            )
        database = resources.enter_context(Database(url, durable=durable, shared=settings.shared))
        locks = database.locks
        if database.backend == "postgresql" and settings.shared:
            if settings.objects is None:
                check_shared(database, directory)
            if given is wall_us:
                wall = DatabaseWall(database)
        pool = _pool(settings, directory)
        if pool is not None:
            resources.callback(pool.close)
        catalog_sha256, make_catalog = _catalog(settings.catalog, strict=settings.strict)
        keys = _keys(settings, directory, database, durable=durable)
        database.on_rejoin = partial(agree_again, database, keys)
        shared = None if locks is None else Shared(locks, is_first)
        objects = contents_store(settings, directory, database, shared)
        contents = AccountContents(database, objects, settings.quotas)
        command_log = Log(database, objects)
        command_log.check()
        contract = load_contract()
        rows = FaultRows(database, database.run) if database.run else None
        lately = None
        if rows is not None and database.backend == "postgresql":
            lately = resources.enter_context(closing(Lately(partial(_lately, command_log, rows))))
        faults = _faults(settings, contract, rows, keys, lately)
        options = _server_options(settings, catalog_sha256, keys, speed=speed, pool=pool)
        if database.run:
            _compare(options, database)
        accounts = Accounts(
            command_log,
            contents,
            options,
            keys,
            quotas=settings.quotas,
            most_open=settings.max_open_accounts,
            idle_s=settings.idle_s,
            wall=wall,
            give_way=give_way,
            locks=locks,
            options_taken=None if locks is None else OptionsTaken(database, options.digest()),
            lately=lately,
        )
        mail_statuses = MailStatuses(database)
        mailer = None if smtp is None else _mailer(smtp, accounts, mail_statuses, wall)
        journal = resources.enter_context(
            closing(
                Journal(
                    directory / "journal.db", most_bytes=settings.max_journal_bytes, is_shared=settings.shared
                )
            )
        )
        roles = Roles(seats_in(database) if database.run else None)
        driving = None
        if pool is not None:
            from conductor_mock.execution import setup as execution
            from conductor_mock.execution.driver import Storage

            storage = Storage(accounts, contents, objects, wall)
            may_start = partial(roles.holds, EXECUTE)
            driving = execution.driving(settings, directory, pool, keys, storage, may_start=may_start)
        if durable:
            if is_first:
                join(database, directory)
            if is_first and database.is_first:
                sweep_after_a_crash(database, directory)
            if member is None:
                resources.callback(say_clean, directory)
            resources.callback(_take_snapshots, accounts)
        bucket, parts = bucket_and_parts(database, objects, directory, durable=durable)
        sweeping = idling = None
        if not settings.ephemeral:
            idling = Idling(accounts, settings.idle_s)
            resources.callback(idling.close)
            sweeping = Sweeping(database, contents, parts, bucket, every_s=settings.sweep_every_s)
            roles.when_elected(SWEEP, sweeping.start, sweeping.close)
        if mailer is not None:
            roles.when_elected(MAIL, mailer.start, mailer.close)
        if driving is not None:
            roles.when_elected(EXECUTE, driving.start, driving.stop)
        resources.callback(roles.close)
        readiness = Readiness()
        readiness.needs("the database", database.ask)
        if bucket is not None:
            readiness.needs("the object store", bucket.check)
        if member is not None:
            share(member, directory)
        return Service(
            settings=settings,
            contract=contract,
            catalogs=Catalogs(make_catalog),
            keys=keys,
            tokens=Tokens(keys.signing_key, settings.token_ttl_s),
            signer=Signer(keys.signing_key),
            admin_attempts=Attempts(SharedTries(database) if database.run else OwnTries()),
            objects=objects,
            contents=contents,
            parts=parts,
            log=command_log,
            accounts=accounts,
            journal=journal,
            faults=faults,
            mail_statuses=mail_statuses,
            mailer=mailer,
            sweeping=sweeping,
            idling=idling,
            lately=lately,
            wall=wall,
            driving=driving,
            roles=roles,
            readiness=readiness,
            directory=directory,
            _resources=resources.pop_all(),
        )


def _check(settings: Settings) -> None:
    """Hold the settings that accounts keep to what the control API takes for the same. Raises SettingsError."""
    given = {name: value for name in OF_ACCOUNTS if (value := getattr(settings, name)) is not None}
    problems = load_control().schemas.check("OptionsChange", given) if given else []
    if problems:
        raise SettingsError(str(parameters(problems)[0]))


def _pool(settings: Settings, directory: Path) -> Pool | None:
    """Where runs will happen, or None when tasks are simulated. Raises ExecutionError."""
    if not is_wanted(settings, directory):
        return None
    from conductor_mock.execution.setup import prepare  # only here: a server that simulates starts without it

    return prepare(settings, directory)


def _smtp(url: str) -> SmtpServer:
    from conductor_mock.mailing.smtp import SmtpServer  # only here: most servers send no mail

    return SmtpServer.parse(url)


def _mailer(smtp: SmtpServer, accounts: Accounts, statuses: MailStatuses, wall: WallClock) -> Mailer:
    from conductor_mock.mailing.mailer import Mailer

    return Mailer(smtp, accounts, statuses, wall=wall)


def _keys(settings: Settings, directory: Path, database: Database, *, durable: bool) -> Keys:
    """The secrets of this server, or of all that share its database. Raises KeysError, OSError, SQLAlchemyError."""
    given = None if settings.keys is None else load_or_create_file(settings.keys)
    if database.run:
        return shared_keys(database, database.run, directory, given)
    if given is None and not database.is_new and not (directory / FILE).exists():
        log.warning(
            "%s has no keys, so new ones are made: tokens and signed URLs of before are void. Where there is a copy of "
            "the old ones, stop and serve it by --keys",
            directory,
        )
    return given or load_or_create(directory, durable=durable)


def _lately(command_log: Log, rows: FaultRows, names: Sequence[str]) -> dict[str, str]:
    """What is known under names of accounts, where their logs end, and of the rules of accounts."""
    known = changes_of(rows, names)
    others = [name for name in names if name not in known]
    return {**known, **(command_log.ends(others) if others else {})}


def _faults(
    settings: Settings, contract: Contract, rows: FaultRows | None, keys: Keys, lately: Lately | None
) -> Faults:
    """The rules of this server, or of all that share its database, which the first of them reads from its file.

    Raises FaultError, SQLAlchemyError.
    """
    faults, is_first = Faults(contract.operations), True
    if rows is not None:
        keeper = SharedKeeper(rows, contract.operations, lately)
        faults, is_first = Faults(contract.operations, keeper), rows.is_first
    if settings.faults is not None and is_first:
        faults.add_file(ids.account_id(keys.client_id), settings.faults)
    return faults


def _compare(options: ServerOptions, database: Database) -> None:
    """Say how the options of this server differ from those of another one on its database, which may be meant.

    Raises SQLAlchemyError.
    """
    different = differences(database, options.shown())
    if different:
        log.warning(
            "another server on %s was started with other options: %s. Accounts have those of the server that came to "
            "them last, so start all with the same",
            database.shown_url,
            "; ".join(different),
        )


def _take_snapshots(accounts: Accounts) -> None:
    """So that the next start replays less. What was acknowledged is on disk without them."""
    try:
        accounts.close()
    except (OSError, SQLAlchemyError) as error:
        log.warning(
            "no snapshots were taken, so the next start replays more; nothing is lost: %s", first_line(error)
        )


def _catalog(name: Path | str | None, *, strict: bool) -> tuple[str, Callable[[], Catalog]]:
    """The digest of the catalogue, and what makes it: the shipped one, one of the shipped ones by its name, or a user's
    file. A shipped one is made when it is first asked for; a file is read now, so that a wrong one is told at once.
    """
    shipped = "gcp" if name is None else str(name)
    if shipped in DIGESTS:
        return DIGESTS[shipped], partial(named_catalog, shipped)
    own = load_catalog(shipped, strict=strict)
    return own.sha256, lambda: own


def _server_options(
    settings: Settings, catalog_sha256: str, keys: Keys, *, speed: int | None, pool: Pool | None
) -> ServerOptions:
    return ServerOptions(
        catalog_sha256,
        seed=settings.seed,
        fleet=settings.fleet,
        provider=settings.provider,
        part_size=settings.part_size,
        release_scouts=settings.release_scouts,
        speed_millionths=speed,
        execute=0 if pool is None else pool.slots,
        execute_account=ids.account_id(settings.execute_account or keys.client_id),
    )


def _lines(logged: bytes, *, is_whole: bool) -> list[str]:
    lines = logged.decode("utf-8", "replace").split("\n")
    last = lines.pop()  # what follows the last line end: nothing, or a line that is not whole yet
    if is_whole and last:
        lines.append(last)
    return [line.removesuffix("\r") for line in lines]
