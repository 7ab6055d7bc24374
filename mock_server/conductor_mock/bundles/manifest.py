"""What a bundle says of itself: whose account it was, when, and the hash of everything in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from conductor_mock.bundles.errors import BundleError
from conductor_mock.farm.clock import LAST_US
from conductor_mock.farm.fold import SIMULATION_VERSION
from conductor_mock.farm.ids import account_id as account_id_of
from conductor_mock.md5 import canonical
from conductor_mock.store.account_contents import Content, Inventory

FORMAT = "conductor-mock bundle"
VERSION = 1
"""Rises with every change of the file's form; a newer one is refused."""

_LARGEST = 1 << 62


@dataclass(frozen=True, slots=True)
class Manifest:
    """`now_us` is the account's simulated time when it was saved, `commands` how many it had, `state_sha256` the state
    that they come to (`transfer.fingerprint`). With `with_files` the contents of uploads are in the file, else only
    their hashes."""

    server: str
    simulation_version: int
    client_id: str
    account_id: str
    now_us: int
    commands: int
    commands_sha256: str
    state_sha256: str
    with_files: bool
    inventory: Inventory

    @property
    def kept(self) -> Inventory:
        """What an account has after a replay: uploads only where the bundle holds them."""
        uploads = self.inventory.uploads if self.with_files else ()
        return Inventory(uploads, self.inventory.outputs, self.inventory.declared)

    def contents(self) -> dict[str, int]:
        """Bytes of each content in the file, by base64 md5."""
        return {one.md5: one.size for one in (*self.kept.uploads, *self.kept.outputs)}

    def to_bytes(self) -> bytes:
        document = {"format": FORMAT, "version": VERSION, **asdict(self)}
        document["belongings"] = document.pop("inventory")  # its name in the file
        return json.dumps(document, indent=1).encode("ascii")


def read(data: bytes) -> Manifest:
    """The manifest of a bundle. Raises BundleError."""
    try:
        document = json.loads(data)
        _check_versions(document)
        manifest = Manifest(
            server=_text(document, "server"),
            simulation_version=_whole(document, "simulation_version"),
            client_id=_text(document, "client_id"),
            account_id=_text(document, "account_id"),
            now_us=_whole(document, "now_us", LAST_US),
            commands=_whole(document, "commands"),
            commands_sha256=_text(document, "commands_sha256"),
            state_sha256=_text(document, "state_sha256"),
            with_files=document["with_files"] is True,
            inventory=_inventory(document["belongings"]),
        )
    except BundleError:
        raise
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise BundleError(f"the manifest cannot be read: {type(error).__name__}: {error}") from None
    if manifest.account_id != account_id_of(manifest.client_id):
        raise BundleError(
            f"account_id {manifest.account_id[:40]!r} is not that of client_id {manifest.client_id[:40]!r}"
        )
    return manifest


def _check_versions(document: dict[str, Any]) -> None:
    """Refuse what another version wrote and this one would misread."""
    if document["format"] != FORMAT:
        raise BundleError(f"the manifest's format is {str(document['format'])[:40]!r}, not {FORMAT!r}")
    server = str(document.get("server"))[:40]
    if _whole(document, "version") > VERSION:
        raise BundleError(
            f"the bundle has version {document['version']}, saved by conductor-mock {server}; this one reads "
            f"version {VERSION}: upgrade to replay it"
        )
    found = _whole(document, "simulation_version")
    if found != SIMULATION_VERSION:
        raise BundleError(
            f"the bundle was saved with simulation version {found} (conductor-mock {server}), this one has "
            f"{SIMULATION_VERSION}: its commands would come to another state here; replay it with that version"
        )


def _inventory(data: dict[str, Any]) -> Inventory:
    return Inventory(
        uploads=tuple(_content(one) for one in data["uploads"]),
        outputs=tuple(_content(one) for one in data["outputs"]),
        declared=tuple((canonical(md5), _path(path)) for md5, path in data["declared"]),
    )


def _content(data: dict[str, Any]) -> Content:
    return Content(canonical(_text(data, "md5")), _whole(data, "size"), _whole(data, "t_us", LAST_US))


def _path(value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise BundleError(f"declared: {str(value)[:40]!r} is no path")
    return value


def _text(data: dict[str, Any], name: str) -> str:
    if not isinstance(data[name], str):
        raise BundleError(f"{name} must be a text, got {str(data[name])[:40]!r}")
    return str(data[name])


def _whole(data: dict[str, Any], name: str, most: int = _LARGEST) -> int:
    value = data[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BundleError(f"{name} must be a whole number from 0 to {most}, got {str(value)[:40]!r}")
    return value
