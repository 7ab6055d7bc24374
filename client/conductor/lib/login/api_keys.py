"""API keys: what they are, where they come from, and how they are told apart (wire reference 1.3)."""

from __future__ import annotations

import base64
import binascii
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conductor.lib.config import Config
from conductor.lib.exceptions import ConfigError
from conductor.lib.files.digests import hashed_name
from conductor.lib.files.text_file import NotTextError, read_text

_ACCEPTED = "; accepted: JSON with the texts client_id and private_key, or base64 of that JSON"


@dataclass(frozen=True)
class ApiKey:
    """What a program logs in with."""

    client_id: str
    private_key: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, source: str) -> ApiKey:
        """Read a key: JSON with ``client_id`` and ``private_key``, or base64 of that.

        Raises ConfigError that names the source and never quotes the key.
        """
        content = _key_json(text)
        if content is None:
            raise ConfigError(f"{source} holds no API key{_ACCEPTED}")
        for name in ("client_id", "private_key"):
            if not isinstance(content.get(name), str) or not content[name]:
                wrong = "must be a text that is not empty" if name in content else "is missing"
                raise ConfigError(f"{source} holds no API key: its {name} {wrong}{_ACCEPTED}")
        return cls(content["client_id"], content["private_key"])


def _key_json(text: str) -> dict[str, Any] | None:
    """Return the object in a key's text, None if there is none.

    Line ends inside the text are dropped where it is no JSON with them: shells and files add them.
    """
    text = text.lstrip("\ufeff")  # a variable that was made of a file may begin with its byte order mark
    joined = text.replace("\r", "").replace("\n", "").strip()
    candidates = [text, joined]
    with suppress(binascii.Error, UnicodeDecodeError, ValueError):
        candidates.append(base64.b64decode(joined, validate=True).decode())
    for candidate in candidates:
        with suppress(ValueError, RecursionError):
            content = json.loads(candidate)
            if isinstance(content, dict):
                return content
    return None


def api_key(config: Config) -> ApiKey | None:
    """Return the configured key, None if there is none. Raises ConfigError for one that cannot be read."""
    if config["api_key"]:
        return ApiKey.parse(config["api_key"], f"api_key (from {config.source('api_key')})")
    path = config["api_key_path"]
    if not path:
        return None
    origin = f"{path} (api_key_path from {config.source('api_key_path')})"
    try:
        text = read_text(Path(path))
    except OSError as error:
        raise ConfigError(f"{origin} cannot be read: {error.strerror}") from None
    except NotTextError as error:
        raise ConfigError(f"{origin} {error}") from None
    return ApiKey.parse(text, origin)


def fingerprint(key: ApiKey, api_url: str) -> str:
    """Return a text that tells keys and servers apart without giving either away.

    Of the whole key: one whose private part is another is another key, which the service has yet to accept.
    """
    return hashed_name(f"{api_url}\0{key.client_id}\0{key.private_key}")[:32]
