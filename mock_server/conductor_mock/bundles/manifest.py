"""What a bundle says of itself: whose account it was, when, and the hash of everything in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from conductor_contracts import json_text
from conductor_contracts.json_text import JsonTextError
from conductor_mock.bundles.errors import BundleError
from conductor_mock.bundles.limits import LARGEST
from conductor_mock.farm import ids
from conductor_mock.farm.clock import LAST_US
from conductor_mock.farm.fold import SIMULATION_VERSION
from conductor_mock.store.account_contents import Content, Inventory
from conductor_mock.wire.md5 import canonical

FORMAT = "conductor-mock bundle"
VERSION = 1
"""Rises with every change of the file's form; a newer one is refused."""


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
        return {content.md5: content.size for content in (*self.kept.uploads, *self.kept.outputs)}

    def to_bytes(self) -> bytes:
        document = {"format": FORMAT, "version": VERSION, **asdict(self)}
        document["belongings"] = document.pop("inventory")  # its name in the file
        return json.dumps(document, indent=1).encode("ascii")


def read(data: bytes) -> Manifest:
    """The manifest of a bundle. Raises BundleError."""
    try:
        document = json_text.read(data)
    except JsonTextError as error:
        raise BundleError(f"the manifest cannot be read: it {error}") from None
    if not isinstance(document, dict):
        raise BundleError("the manifest cannot be read: it is no JSON object")
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
        with_files=document.get("with_files") is True,
        inventory=_inventory(document.get("belongings")),
    )
    if manifest.account_id != ids.account_id(manifest.client_id):
        raise BundleError(
            f"account_id {manifest.account_id[:40]!r} is not that of client_id {manifest.client_id[:40]!r}"
        )
    return manifest


def _check_versions(document: dict[str, Any]) -> None:
    """Refuse what another version wrote and this one would misread."""
    if document.get("format") != FORMAT:
        raise BundleError(f"the manifest's format is {str(document.get('format'))[:40]!r}, not {FORMAT!r}")
    server = str(document.get("server"))[:40]
    if _whole(document, "version") > VERSION:
        raise BundleError(
            f"the bundle has version {document['version']}, saved by conductor-mock {server}; this one reads "
            f"version {VERSION}: upgrade to replay it"
        )
    simulation_version = _whole(document, "simulation_version")
    if simulation_version != SIMULATION_VERSION:
        raise BundleError(
            f"the bundle was saved with simulation version {simulation_version} (conductor-mock {server}), this one "
            f"has {SIMULATION_VERSION}: its commands would come to another state here; replay it with that version"
        )


def _inventory(data: Any) -> Inventory:
    if not isinstance(data, dict):
        raise BundleError(f"belongings must be an object, got {str(data)[:40]!r}")
    return Inventory(
        uploads=tuple(_content(item) for item in _list(data, "uploads")),
        outputs=tuple(_content(item) for item in _list(data, "outputs")),
        declared=tuple(_declared(item) for item in _list(data, "declared")),
    )


def _content(data: Any) -> Content:
    if not isinstance(data, dict):
        raise BundleError(f"a content must be an object, got {str(data)[:40]!r}")
    return Content(_md5(data.get("md5")), _whole(data, "size"), _whole(data, "t_us", LAST_US))


def _declared(data: Any) -> tuple[str, str]:
    """`(base64 md5, path)`."""
    if not isinstance(data, list) or len(data) != 2:
        raise BundleError(f"declared: {str(data)[:40]!r} is no md5 and path")
    md5, path = data
    if not isinstance(path, str) or not path or "\0" in path:
        raise BundleError(f"declared: {str(path)[:40]!r} is no path")
    return _md5(md5), path


def _md5(value: Any) -> str:
    try:
        return canonical(str(value))
    except ValueError as error:
        raise BundleError(f"an md5 is {error}") from None


def _list(data: dict[str, Any], name: str) -> list[Any]:
    value = data.get(name)
    if not isinstance(value, list):
        raise BundleError(f"{name} must be a list, got {str(value)[:40]!r}")
    return value


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise BundleError(f"{name} must be a text, got {str(value)[:40]!r}")
    return value


def _whole(data: dict[str, Any], name: str, most: int = LARGEST) -> int:
    value = data.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise BundleError(f"{name} must be a whole number from 0 to {most}, got {str(value)[:40]!r}")
    return value
