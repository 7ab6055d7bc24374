"""The tokens that API keys and logins buy (wire reference 1.1, 1.4, 1.7).

A token is kept in ``~/.config/conductor/api_key_credentials`` (mode 0600, replaced atomically) and used by
every process of the user until it expires. Without an API key the token of a browser login, in
``~/.config/conductor/credentials``, is used while it lasts.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conductor.lib.exceptions import ConfigError, LoginError
from conductor.lib.files.file_lock import locked
from conductor.lib.files.local_paths import home
from conductor.lib.files.replacing import replace_file
from conductor.lib.login.api_keys import ApiKey, fingerprint

logger = logging.getLogger(__name__)

API_KEY_FILE = "api_key_credentials"
BROWSER_FILE = "credentials"
SCOPE = "owner admin user"  # as it is asked for
STORED_SCOPE = "user admin owner"  # as the vendor's clients write it down


@dataclass(frozen=True)
class Token:
    """A bearer token. ``expiration`` is in epoch seconds; ``owner`` is a fingerprint of the key it was bought with."""

    access_token: str = field(repr=False)
    expiration: int
    owner: str = ""

    def valid_for(self, api_url: str, now: float) -> bool:
        """Say whether the token may be used: it has not expired and was made for this server."""
        return self.expiration >= now and same_domain(claims(self.access_token).get("aud"), api_url)


def claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT, whose signature is not ours to check; empty for what is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        content = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def same_domain(audience: object, api_url: str) -> bool:
    """Compare what follows the last slash of both, as the vendor's client does (wire reference 1.4)."""
    if not isinstance(audience, str) or not audience:
        return False
    return audience.rpartition("/")[2] == api_url.rpartition("/")[2]


def account_of(token: str) -> str:
    """Return the account that a token speaks for, as text; empty if it does not say (wire reference 1.5)."""
    return str(claims(token).get("account") or "")


class TokenStore:
    """A credentials file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Token | None:
        """Return the stored token, None if there is none that can be read."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            token, expiration = content["access_token"], int(content["expiration"])
            owner = content.get("api_key_fingerprint") or ""
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            logger.warning("%s holds no usable token and is ignored (%s)", self.path, type(error).__name__)
            return None
        return Token(token, expiration, owner) if speakable(token) and isinstance(owner, str) else None

    def write(self, token: Token) -> None:
        """Replace the file, readable by its owner only. A folder that cannot be written is logged, no error."""
        content = {**_document(token, STORED_SCOPE), "api_key_fingerprint": token.owner}
        try:
            self._save(content)
        except OSError as error:
            logger.warning("the token cannot be kept for the next run: %s: %s", self.path, error.strerror)

    def write_browser_login(self, token: Token, scope: list[str]) -> None:
        """Replace the file, readable by its owner only. Raises ConfigError for a folder that cannot be written.

        Here a login that is not kept was for nothing. ``scope`` is a list in this file (wire reference 1.3).
        """
        try:
            self._save(_document(token, scope))
        except OSError as error:
            reason = error.strerror
        else:
            return
        raise ConfigError(f"the login cannot be kept: {self.path}: {reason}")

    def _save(self, content: dict[str, Any]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(self.path, json.dumps(content).encode(), private=True)


def _document(token: Token, scope: str | list[str]) -> dict[str, Any]:
    return {
        "access_token": token.access_token,
        "token_type": "Bearer",
        "expiration": token.expiration,
        "scope": scope,
    }


def speakable(token: object) -> bool:
    """Say whether a text can stand in a header."""
    return (
        isinstance(token, str)
        and token.isascii()
        and token.isprintable()
        and token != ""
        and " " not in token
    )


def credentials_folder() -> Path:
    """Return where credentials files lie, as those of the vendor's clients do (wire reference 1.3)."""
    return home() / ".config" / "conductor"


class TokenSource:
    """Gives tokens: from memory, from the file, or from the server by the API key.

    ``fetch`` exchanges a key for ``(access_token, seconds)``. Safe to use from several threads; several
    processes agree through a lock file, so that one token is fetched and not one for each.
    """

    def __init__(
        self,
        key: ApiKey | None,
        *,
        api_url: str,
        fetch: Callable[[ApiKey], tuple[str, int]],
        folder: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._api_url = api_url
        self._fetch = fetch
        folder = folder or credentials_folder()
        self._store = TokenStore(folder / (API_KEY_FILE if key else BROWSER_FILE))
        self._lock_path = folder / f"{API_KEY_FILE}.lock"
        self._now = now
        self._lock = threading.Lock()
        self._current: Token | None = None

    def token(self) -> str:
        """Return a token that has not expired. Raises LoginError if there is no way to one."""
        with self._lock:
            # One that was just bought is used without a domain test, or a server whose tokens name another
            # audience would be asked for a new one before every call.
            if self._current is None or self._current.expiration < self._now():
                self._current = self._obtain(refused="")
            return self._current.access_token

    def renew(self, refused: str) -> str:
        """Return another token than the refused one. Raises LoginError if there is no way to one."""
        with self._lock:
            if self._current is None or self._current.access_token == refused:
                self._current = self._obtain(refused)
            return self._current.access_token

    def _obtain(self, refused: str) -> Token:
        if self._key is None:
            return self._from_browser_login(refused)
        stored = self._stored(self._key, refused)
        if stored:
            return stored
        with locked(self._lock_path):
            # Another process may have fetched one while this one waited.
            return self._stored(self._key, refused) or self._bought(self._key)

    def _stored(self, key: ApiKey, refused: str) -> Token | None:
        token = self._store.read()
        if token is None or token.access_token == refused:
            return None
        # A file of the vendor's client does not say whose token it is: it may be that of another key, which would then
        # act for another account.
        ours = token.owner == fingerprint(key, self._api_url)
        return token if ours and token.valid_for(self._api_url, self._now()) else None

    def _bought(self, key: ApiKey) -> Token:
        text, seconds = self._fetch(key)
        if not speakable(text):
            raise LoginError("auth.token: the access_token of the service does not fit into a header")
        token = Token(text, int(self._now()) + seconds, fingerprint(key, self._api_url))
        self._store.write(token)
        logger.debug("auth.token: a new token, valid for %d s", seconds)
        return token

    def _from_browser_login(self, refused: str) -> Token:
        token = self._store.read()
        if token is None:
            raise LoginError(
                "no API key is configured: set CONDUCTOR_API_KEY to the key (JSON, or base64 of it), "
                "or CONDUCTOR_API_KEY_PATH to a file that holds it; or run 'conductor login'",
                operation="auth.token",
            )
        reason = self._why_not(token, refused)
        if reason:
            raise LoginError(
                f"the browser login ({self._store.path}) {reason}; run 'conductor login' again, or set an API key",
                operation="auth.token",
            )
        return token

    def _why_not(self, token: Token, refused: str) -> str:
        """Say why a token cannot be used; empty if it can."""
        if not same_domain(claims(token.access_token).get("aud"), self._api_url):
            return f"is for another server than {self._api_url}"
        if token.expiration < self._now():
            return "has expired"
        return f"was refused by {self._api_url}" if token.access_token == refused else ""
