"""The secrets of one data directory: the signing key and the default API key, made once and kept (mode 0600)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from conductor_mock.store.durable import private_file, write_private

DEFAULT_CLIENT_ID = "conductor-mock"
_FILE = "keys.json"


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
    """The file of secrets cannot be read."""


def load_or_create(directory: Path, *, durable: bool = True) -> Keys:
    """The secrets of a data directory, made on first use. Raises KeysError for a damaged file."""
    path = directory / _FILE
    try:
        data = json.loads(path.read_text(encoding="ascii"))
        private_file(path)
        return Keys(base64.b64decode(data["signing_key"]), data["client_id"], data["private_key"])
    except FileNotFoundError:
        keys = Keys.fresh()
        document = {
            "signing_key": base64.b64encode(keys.signing_key).decode("ascii"),
            "client_id": keys.client_id,
            "private_key": keys.private_key,
        }
        write_private(path, json.dumps(document), durable=durable)
        return keys
    except (ValueError, KeyError, TypeError) as error:
        raise KeysError(f"{path} is damaged ({error}); delete it to have new keys made") from error
