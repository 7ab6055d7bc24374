"""The secrets of a server: the signing key and the default API key, made once and kept (mode 0600).

They lie in its data directory, or in a file of `--keys` that several servers have; `shared_keys.py` has those of a
database.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from conductor_mock.store.durable import NewFile, fsync_folder, private_file, write_private

DEFAULT_CLIENT_ID = "conductor-mock"
FILE = "keys.json"


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """`signing_key` signs tokens and URLs; `client_id` and `private_key` are the key that the ready file hands out."""

    signing_key: bytes
    client_id: str
    private_key: str

    def api_key(self) -> str:
        """The default API key as the JSON text that clients take (wire reference 1.7)."""
        return json.dumps({"client_id": self.client_id, "private_key": self.private_key})

    @classmethod
    def fresh(cls) -> Keys:
        """New secrets. The private key has the lines of a PEM text, since clients must carry such a text unharmed."""
        body = base64.b64encode(secrets.token_bytes(96)).decode("ascii")
        lines = [body[start : start + 64] for start in range(0, len(body), 64)]
        private_key = "\n".join(
            ["-----BEGIN CONDUCTOR MOCK KEY-----", *lines, "-----END CONDUCTOR MOCK KEY-----", ""]
        )
        return cls(secrets.token_bytes(32), DEFAULT_CLIENT_ID, private_key)


def key_sha256(private_key: str) -> str:
    """The form in which an account remembers its private key; white space around a key says nothing."""
    return hashlib.sha256(private_key.strip().encode()).hexdigest()


def is_same(first: str, second: str) -> bool:
    """Whether two secrets are the same, found in a time that tells nothing about them."""
    return hmac.compare_digest(first.encode(), second.encode())


class KeysError(ValueError):
    """The secrets cannot be used; the text says which, why, and what to do."""


_FIELDS = ("signing_key", "client_id", "private_key")
_CHECKSUM = "checksum"
"""A changed bit would be another identity: clients locked out of their account, or URLs that are void."""


def load_or_create(directory: Path, *, durable: bool = True) -> Keys:
    """The secrets of a data directory, made on first use. Raises KeysError for a damaged file, OSError.

    A file of before checksums were written gets one.
    """
    path = directory / FILE
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        keys = Keys.fresh()
        _write(path, _document(keys), durable=durable)
        return keys
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    keys, is_checked = _read(path, text)
    private_file(path)
    if not is_checked:
        _write(path, _document(keys))
    return keys


def load_or_create_file(path: Path) -> Keys:
    """The secrets in a file of `--keys`, which is made if it is missing: whole, by one of those who start at once.

    A file that is there is the user's, such as a mounted secret: it is read, and nothing of it is changed. Raises
    KeysError for a damaged one and for one that others than its owner and its group can read, OSError.
    """
    try:
        return _read_private(path)
    except FileNotFoundError:
        pass
    with NewFile(path.parent, private=True) as file:
        file.write(text_of(Keys.fresh()).encode("ascii"))
        file.sync()
        try:
            file.place_new(path)
        except FileExistsError:  # another server was quicker
            return _read_private(path)
    fsync_folder(path.parent)
    return _read_private(path)


_OTHERS = stat.S_IRWXO | stat.S_IWGRP
"""What nobody may have of a file of secrets. A group may read it: orchestrators mount secrets so."""


def _read_private(path: Path) -> Keys:
    """Raises KeysError, OSError."""
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise KeysError(f"--keys {path} is no file")
            if os.name != "nt" and about.st_mode & _OTHERS:
                raise KeysError(
                    f"--keys {path} can be read or changed by others (mode {stat.S_IMODE(about.st_mode):04o}), and "
                    f"whoever has it opens every account: make new ones, or chmod 600 {path}"
                )
            text = file.read(_MOST_BYTES).decode("ascii")
    except UnicodeDecodeError as error:
        raise _damaged(path, str(error)) from error
    return _read(path, text)[0]


_MOST_BYTES = 1 << 16
"""Of a file of secrets; ours have some 500."""


def text_of(keys: Keys) -> str:
    """Secrets as they are written down, with their checksum."""
    return json.dumps(_document(keys))


def keys_of(where: str | Path, text: str) -> Keys:
    """What `text_of` wrote. Raises KeysError that names `where`."""
    return _read(where, text)[0]


def write_keys(directory: Path, keys: Keys, *, durable: bool = True) -> None:
    """Have a data directory's keys be these, whole or not at all. Raises OSError."""
    _write(directory / FILE, _document(keys), durable=durable)


def load(directory: Path) -> Keys | None:
    """The secrets of a data directory; None where there are none. Raises KeysError, OSError."""
    path = directory / FILE
    return load_or_create(directory) if os.path.lexists(path) else None


def check_keys(directory: Path) -> None:
    """Look at the secrets of a data directory, if there are some; nothing is changed. Raises KeysError, OSError."""
    path = directory / FILE
    try:
        _read(path, path.read_bytes().decode("ascii"))
    except FileNotFoundError:
        return
    except UnicodeDecodeError as error:
        raise _damaged(path, str(error)) from error


def _read(path: str | Path, text: str) -> tuple[Keys, bool]:
    """The secrets that a text holds, and whether it has a checksum. Raises KeysError."""
    try:
        data = json.loads(text)
        known = {name: data[name] for name in _FIELDS}
        extra = set(data) - {*_FIELDS, _CHECKSUM}
        if extra or not all(isinstance(value, str) for value in known.values()):
            raise _damaged(path, "it holds something else than keys")
        keys = Keys(
            base64.b64decode(known["signing_key"], validate=True), known["client_id"], known["private_key"]
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, KeysError):
            raise
        raise _damaged(path, f"{type(error).__name__}: {error}") from error
    if _CHECKSUM in data and data[_CHECKSUM] != _checksum(known):
        raise _damaged(path, "its checksum does not fit what it holds")
    return keys, _CHECKSUM in data


def _document(keys: Keys) -> dict[str, str]:
    fields = {
        "signing_key": base64.b64encode(keys.signing_key).decode("ascii"),
        "client_id": keys.client_id,
        "private_key": keys.private_key,
    }
    return {**fields, _CHECKSUM: _checksum(fields)}


def _checksum(fields: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps([fields[name] for name in _FIELDS]).encode()).hexdigest()


def _write(path: Path, document: dict[str, str], *, durable: bool = True) -> None:
    write_private(path, json.dumps(document), durable=durable)


def _damaged(path: str | Path, why: str) -> KeysError:
    return KeysError(
        f"{path} is damaged ({why}): put a copy of it back, or delete it to have new keys made; the accounts stay, but "
        "clients then need the new key, and tokens and URLs that were handed out are void"
    )
