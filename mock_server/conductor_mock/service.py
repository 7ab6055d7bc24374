"""Everything one server is made of, as a value: opened from settings, handed to the app, closed once."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import filelock

from conductor_contracts.contract import Contract
from conductor_contracts.contract import load as load_contract
from conductor_mock.auth.signing import Signer
from conductor_mock.auth.tokens import Tokens
from conductor_mock.catalog import Catalog
from conductor_mock.catalog.files import NAMES as SHIPPED
from conductor_mock.catalog.files import default as default_catalog
from conductor_mock.catalog.files import load as load_catalog
from conductor_mock.catalog.files import named as named_catalog
from conductor_mock.catalog.served import ServedCatalog
from conductor_mock.execution import setup as execution
from conductor_mock.execution.driver import Driver, Stores
from conductor_mock.execution.pool import Pool
from conductor_mock.farm.clock import speed_millionths
from conductor_mock.farm.ids import account_id as account_id_of
from conductor_mock.farm.state import Execution
from conductor_mock.faults.rules import Faults
from conductor_mock.mailing.mailer import Mailer
from conductor_mock.mailing.smtp import SmtpServer
from conductor_mock.settings import Settings, default_data_dir
from conductor_mock.store.account import Account
from conductor_mock.store.account_contents import AccountContents
from conductor_mock.store.accounts import Accounts
from conductor_mock.store.database import Database, lock_file, of_file
from conductor_mock.store.journal import Journal
from conductor_mock.store.keys import Keys, load_or_create
from conductor_mock.store.log import Log
from conductor_mock.store.mail_statuses import MailStatuses
from conductor_mock.store.objects import ObjectStore
from conductor_mock.store.parts import Parts
from conductor_mock.store.server_options import ServerOptions
from conductor_mock.store.turns import GiveWay, give_way
from conductor_mock.store.wall import WallClock, wall_us
from conductor_mock.wire.md5 import from_base64


@dataclass(slots=True)
class Service:
    """The parts of one server. `wall` is the only source of wall time (microseconds)."""

    settings: Settings
    contract: Contract
    catalog: Catalog
    served: ServedCatalog
    keys: Keys
    tokens: Tokens
    signer: Signer
    objects: ObjectStore
    contents: AccountContents
    parts: Parts
    log: Log
    accounts: Accounts
    journal: Journal
    faults: Faults
    mail_statuses: MailStatuses
    mailer: Mailer | None
    wall: WallClock
    driver: Driver | None
    directory: Path
    _database: Database
    _directory_lock: filelock.BaseFileLock
    _throw_away: Path | None
    _closed: bool = field(default=False)
    _own_catalogs: dict[str, tuple[int, ServedCatalog]] = field(default_factory=dict)

    def catalog_of(self, account: Account) -> ServedCatalog:
        """The catalogue of an open account, with the answers that it gives: its own if it was given one."""
        seq = account.state.catalog_seq
        if seq is None:
            return self.served
        known = self._own_catalogs.get(account.account_id)
        if known is None or known[0] != seq:
            served = ServedCatalog.of(Catalog.from_document(account.catalog_document() or {}))
            known = self._own_catalogs[account.account_id] = (seq, served)
        return known[1]

    def served_for(self, account_id: str) -> ServedCatalog:
        """`catalog_of` an account that is not open."""
        with self.accounts.open(account_id) as account:
            return self.catalog_of(account)

    def forget(self, account_id: str) -> None:
        """The account has another history now: nothing of the old one may be answered from memory."""
        self._own_catalogs.pop(account_id, None)

    def start(self) -> None:
        """Begin what goes on beside the requests."""
        if self.mailer is not None:
            self.mailer.start()

    def log_lines(self, execution: Execution) -> list[str]:
        """The lines that a run for real has logged so far; only whole ones while it goes on."""
        if execution.log:
            try:
                return _lines(self.objects.read(from_base64(execution.log)), is_whole=True)
            except FileNotFoundError:  # the account was reset in the meantime
                return []
        if execution.log is None and execution.run and self.driver is not None:
            return _lines(self.driver.logged(execution.run), is_whole=False)
        return []

    def close(self) -> None:
        """A clean stop: snapshots are taken, the database and the directory are given back. Safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self.driver is not None:
            self.driver.close()
        if self.mailer is not None:
            self.mailer.close()
        if self._throw_away is None:
            self.accounts.close()
        self.journal.close()
        self._database.close()
        self._directory_lock.release()
        if self._throw_away is not None:
            shutil.rmtree(self._throw_away, ignore_errors=True)


def open_service(settings: Settings, *, wall: WallClock = wall_us, give_way: GiveWay = give_way) -> Service:
    """Open the data of a server and make its parts.

    Raises DatabaseError when the data is in use, newer than this version or cannot be opened; KeysError for damaged
    keys; ClockError for an impossible speed; FaultError for a file of faults that cannot be meant; SmtpUrlError;
    ExecutionError when tasks cannot be run for real.
    """
    smtp = None if settings.smtp is None else SmtpServer.parse(settings.smtp)
    speed = None if settings.speed is None else speed_millionths(settings.speed)
    throw_away = Path(tempfile.mkdtemp(prefix="conductor-mock-")) if settings.ephemeral else None
    directory = throw_away or settings.data_dir or default_data_dir()
    directory_lock = lock_file(directory / "lock", f"the data directory {directory}")
    try:
        database = Database(
            settings.database_url or of_file(directory / "conductor.db"), durable=throw_away is None
        )
        pool = None
        try:
            pool = execution.prepare(settings, directory)
            return _assemble(
                settings, directory, database, directory_lock, throw_away, speed, smtp, wall, give_way, pool
            )
        except BaseException:
            if pool is not None:
                pool.close()
            database.close()
            raise
    except BaseException:
        directory_lock.release()
        if throw_away is not None:
            shutil.rmtree(throw_away, ignore_errors=True)
        raise


def _catalog(wanted: Path | str | None) -> Catalog:
    """The shipped catalogue, one of the shipped ones by its name, or a user's file."""
    if wanted is None:
        return default_catalog()
    return named_catalog(str(wanted)) if str(wanted) in SHIPPED else load_catalog(wanted)


def _assemble(
    settings: Settings,
    directory: Path,
    database: Database,
    directory_lock: filelock.BaseFileLock,
    throw_away: Path | None,
    speed: int | None,
    smtp: SmtpServer | None,
    wall: WallClock,
    give_way: GiveWay,
    pool: Pool | None,
) -> Service:
    catalog = _catalog(settings.catalog)
    keys = load_or_create(directory)
    objects = ObjectStore(directory)
    contents = AccountContents(database, objects)
    parts = Parts(database, directory)
    log = Log(database, objects)
    log.check()
    contract = load_contract()
    faults = Faults(contract.operations)
    if settings.faults is not None:
        faults.add_file(account_id_of(keys.client_id), settings.faults)
    server_options = ServerOptions(
        catalog.sha256,
        seed=settings.seed,
        fleet=settings.fleet,
        provider=settings.provider,
        part_size=settings.part_size,
        speed_millionths=speed,
        execute=0 if pool is None else pool.slots,
        execute_account=account_id_of(keys.client_id),
    )
    accounts = Accounts(log, contents, server_options, keys, wall=wall, give_way=give_way)
    mail_statuses = MailStatuses(database)
    driver = None
    if pool is not None:
        stores = Stores(accounts, contents, objects, wall)
        driver = execution.begin(settings, directory, pool, keys, stores)
    return Service(
        settings=settings,
        contract=contract,
        faults=faults,
        catalog=catalog,
        served=ServedCatalog.of(catalog),
        keys=keys,
        tokens=Tokens(keys.signing_key, settings.token_ttl_s),
        signer=Signer(keys.signing_key),
        objects=objects,
        contents=contents,
        parts=parts,
        log=log,
        accounts=accounts,
        journal=Journal(directory / "journal.db"),
        mail_statuses=mail_statuses,
        mailer=None if smtp is None else Mailer(smtp, accounts, mail_statuses, wall=wall),
        wall=wall,
        driver=driver,
        directory=directory,
        _database=database,
        _directory_lock=directory_lock,
        _throw_away=throw_away,
    )


def _lines(logged: bytes, *, is_whole: bool) -> list[str]:
    lines = logged.decode("utf-8", "replace").split("\n")
    last = lines.pop()  # what follows the last line end: nothing, or a line that is not whole yet
    if is_whole and last:
        lines.append(last)
    return [line.removesuffix("\r") for line in lines]
