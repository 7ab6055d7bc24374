"""From an account to a bundle, and from a bundle to an account that was empty.

A replay promises equal states, ids and outputs. Ids are functions of the account, so it takes place in the account of
the recorded `client_id`, whose private key stays the one it has here. The clock stands still at the last time recorded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import IO

import sqlalchemy as sa

from conductor_contracts.contract import Contract
from conductor_mock.bundles import archive
from conductor_mock.bundles.archive import Archive
from conductor_mock.bundles.errors import BundleError
from conductor_mock.bundles.manifest import Manifest
from conductor_mock.bundles.records import read_line, write_line
from conductor_mock.farm import snapshot
from conductor_mock.farm.clock import Anchor
from conductor_mock.farm.commands import AccountOpened, ClockSet, OptionsChanged, OutputsListed
from conductor_mock.farm.fold import SIMULATION_VERSION, advance, replay
from conductor_mock.farm.recorded import BrokenLogError
from conductor_mock.farm.records import Record
from conductor_mock.farm.refusals import StateForbidsError
from conductor_mock.farm.state import Mail, State
from conductor_mock.service import Service
from conductor_mock.store.account_contents import Inventory
from conductor_mock.store.keys import key_sha256
from conductor_mock.store.objects import DamagedContentError
from conductor_mock.store.quotas import NewBytes
from conductor_mock.version import version
from conductor_mock.wire.md5 import from_base64


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay made: the account as it is now."""

    state: State
    inventory: Inventory


def save(service: Service, account_id: str, target: IO[bytes], *, with_files: bool) -> None:
    """Write the account as a bundle. Raises StateForbidsError for a history that a replay would not repeat."""
    with service.accounts.open(account_id) as account:
        records, state = account.records(), account.state
        now_us, client_id, state_sha256 = state.now_us, state.client_id, fingerprint(state)
        inventory = service.contents.inventory(account_id)
    _refuse_older(records)
    lines = [write_line(record) for record in records]
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line)
    manifest = Manifest(
        server=version(),
        simulation_version=SIMULATION_VERSION,
        client_id=client_id,
        account_id=account_id,
        now_us=now_us,
        commands=len(lines),
        commands_sha256=digest.hexdigest(),
        state_sha256=state_sha256,
        with_files=with_files,
        inventory=inventory,
    )
    try:
        archive.write(target, manifest, lines, service.objects.open)
    except DamagedContentError as error:
        raise StateForbidsError(str(error)) from None
    except FileNotFoundError:
        raise StateForbidsError("the account was reset while it was being saved") from None


def load(service: Service, source: IO[bytes], *, client_id: str | None = None) -> Replayed:
    """Make of an empty account what a bundle holds. `client_id` is whose account the caller thinks it is.

    Raises BundleError, StateForbidsError (the account is not empty). In each case the account is as it was.
    """
    with archive.opened(source) as bundle:
        manifest = bundle.manifest
        if client_id is not None and client_id != manifest.client_id:
            raise BundleError(
                f"it is of the account {manifest.client_id[:80]!r} and cannot be replayed into {client_id[:80]!r}: "
                "ids are functions of the account"
            )
        records = _records(bundle, service.contract)
        outbox = _check_state(manifest, records).outbox
        size = sum(manifest.contents().values())
        with service.contents.stored_bytes.reserve(manifest.account_id, [NewBytes(size)]):
            for md5, size in manifest.contents().items():
                with bundle.content(md5) as content:
                    service.objects.put(content, md5=from_base64(md5), size=size)
            state = _replaced(service, manifest, records, outbox)
    service.catalogs.forget(manifest.account_id)
    return Replayed(state, manifest.kept)


def _replaced(
    service: Service, manifest: Manifest, records: Sequence[Record], outbox: Sequence[Mail]
) -> State:
    """The state of the account, which has the history of a bundle now; its contents lie in the store already."""
    contents = list(manifest.contents())

    def records_here(present: State | None) -> Sequence[Record]:
        if present is not None:
            _refuse_full(present, service.contents.inventory(manifest.account_id))
        return _frozen(
            records,
            key_sha256(service.keys.private_key) if present is None else present.key_sha256,
            Anchor(service.wall(), manifest.now_us, 0),
        )

    def also(connection: sa.Connection) -> None:
        service.contents.add_inventory(connection, manifest.account_id, manifest.kept)
        service.mail_statuses.replay(connection, manifest.account_id, outbox)

    try:
        return service.accounts.replace(manifest.account_id, records_here, contents=contents, also=also)
    except BaseException:
        service.contents.collect(contents)  # those that nothing else refers to
        raise


def fingerprint(state: State) -> str:
    """The sha256 of a state as its snapshot, without the key: equal states have equal ones, in every version."""
    document = {**snapshot.essence(state), "key_sha256": ""}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode("ascii")).hexdigest()


def _records(bundle: Archive, contract: Contract) -> list[Record]:
    """The commands of a bundle, each checked by itself, and that what they list is in the bundle."""
    manifest = bundle.manifest
    records = [read_line(line, number, contract) for number, line in enumerate(bundle.lines(), start=1)]
    if len(records) != manifest.commands:
        raise BundleError(f"it has {len(records)} commands, the manifest says {manifest.commands}")
    first = records[0].command if records else None
    if not isinstance(first, AccountOpened) or first.client_id != manifest.client_id:
        raise BundleError("its first command does not open the account that the manifest names")
    if first.account_id != manifest.account_id:
        raise BundleError("its first command opens another account than the manifest names")
    outputs = {content.md5: content.size for content in manifest.inventory.outputs}
    for record in records:
        if isinstance(record.command, OutputsListed):
            for file in record.command.files:
                if outputs.get(file.md5) != file.size:
                    raise BundleError(
                        f"command {record.seq}: the output {file.md5[:40]} is not in the bundle"
                    )
    return records


def _check_state(manifest: Manifest, records: Sequence[Record]) -> State:
    """The promise of a bundle, kept before anything is changed: its commands come to the state that was saved."""
    try:
        state = replay(records)
        assert state is not None  # noqa: S101 - there is a first command
        advance(state, manifest.now_us)
        sha256 = fingerprint(state)
    except BrokenLogError as error:
        raise BundleError(f"its commands do not make a history: {error}") from None
    if sha256 != manifest.state_sha256:
        raise BundleError(
            f"its commands come to another state (sha256 {sha256}) than was saved ({manifest.state_sha256[:80]})"
        )
    return state


def _frozen(records: Sequence[Record], key: str, anchor: Anchor) -> list[Record]:
    """The history for the account here: opened with its own key, and frozen at the last time."""
    opened = records[0].command
    assert isinstance(opened, AccountOpened)  # noqa: S101 - `_records` looked
    first = replace(records[0], command=replace(opened, key_sha256=key))
    last = Record(len(records) + 1, anchor.sim_us, ClockSet(anchor))
    return [first, *records[1:], last]


def _refuse_full(state: State, inventory: Inventory) -> None:
    counts = {
        "jobs": len(state.jobs),
        "uploaded files": len(inventory.uploads),
        "outputs": len(inventory.outputs),
        "rules": len(state.rules),
        "catalogue of its own": int(state.catalog_seq is not None),
    }
    shown = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    if shown:
        raise StateForbidsError(
            f"the account {state.client_id!r} is not empty: it has {shown}; reset it, or replay on another server"
        )


def _refuse_older(records: Sequence[Record]) -> None:
    """A history that began before an upgrade goes on from a snapshot; from its commands alone it would differ."""
    for record in records:
        command = record.command
        options = command.options if isinstance(command, (AccountOpened, OptionsChanged)) else None
        if options is not None and options.simulation_version != SIMULATION_VERSION:
            raise StateForbidsError(
                f"the account began with simulation version {options.simulation_version}, this is "
                f"{SIMULATION_VERSION}: a replay of its commands would not repeat its history"
            )
