"""Taking secrets, names, addresses and paths out of what was captured; one text has one replacement everywhere."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

_WORDS = "token|secret|passw(?:or)?d|credential|api[-_]?key|signature|private"
"""What is in the name of something secret: a field, a parameter, a variable, an option of a command."""
_SECRET = re.compile(rf".*(?:{_WORDS}).*|client_id|authorization|cookie", re.IGNORECASE | re.DOTALL)
_OPEN = frozenset({"token_type"})
"""Names that sound so, and what they hold is none."""
_PERSON = re.compile(
    r"owner|user|user_?name|submitted_?by|account_?name|email|emails|first_?name|last_?name", re.IGNORECASE
)
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_SIGNED = re.compile(
    r"([?&][\w-]*(?:signature|credential|token|secret|key|password|sig)[\w-]*=)([^&\s\"'<>]+)", re.IGNORECASE
)
"""Parameters of a URL that let anybody in who has it, of clouds too."""
_NAMED = (
    re.compile(rf"((?:{_WORDS})[\w.-]{{0,80}}=[\"']?)([^&\s\"'<>\\]+)", re.IGNORECASE),
    re.compile(
        rf"((?<![\w-])--?[\w.-]{{0,80}}(?:{_WORDS})[\w.-]{{0,80}} +[\"']?)([^\s\"',;-][^\s\"',;]*)",
        re.IGNORECASE,
    ),
    re.compile(r"(bearer\s+)([^\s\"',;}]{8,})", re.IGNORECASE),
    re.compile(r"(://[^\s/@:\"']*:)([^\s/@\"']+)(?=@)"),
)
"""What stands before a secret in a text, and the secret: assignments, options, headers, URLs with a password."""
_PEM = re.compile(r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)", re.DOTALL)
_PATH = re.compile(r"(?<![\w:/.])(?:[A-Za-z]:)?(?:[/\\][^/\\\s\"'<>|?*:;,=&]+){2,}")
_KEPT = frozenset({"default", "objects", "parts", "jobs", "api", "v1", "v2", "downloads", "uploads"})
_REPLACED = re.compile(r"(?:eyJhbGciOiJub25lIn0\.e30\.)?(?:secret|person)-\d+")
"""What stands for something already."""
_NO_CLAIMS = "eyJhbGciOiJub25lIn0.e30."
"""Before the replacement of a token: the head of one that nobody signed, and no claims."""
_WORTH = 4
"""A text that is shorter than that is no secret: replacing it everywhere would spoil others."""


class Redactor:
    """Replaces consistently: one text has one replacement, whichever field or exchange it stands in.

    First everything is shown to `learn`, which remembers what is secret or private by the name of its field; then
    `clean` replaces it wherever it stands, also percent-encoded or as base64, and what looks like an address, a token,
    a key or a path.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._parts: dict[str, str] = {}

    def learn(self, value: Any, field: str = "") -> None:
        """Remember what is secret or private in a value (JSON), whose field has this name."""
        if isinstance(value, dict):
            for name, below in value.items():
                self.learn(below, str(name))
        elif isinstance(value, list):
            for below in value:
                self.learn(below, field)
        elif isinstance(value, str) and len(value) >= _WORTH:
            if _is_secret(field):
                self._remember(_bare(value), "secret")
            elif _PERSON.fullmatch(field) and not _EMAIL.fullmatch(value):
                self._remember(value, "person")
            elif (inner := _inner(value)) is not None:
                self.learn(inner)

    def clean(self, value: Any, field: str = "") -> Any:
        """A copy of a value (JSON) in which nothing secret or private is left; a number that is secret is 0."""
        if isinstance(value, dict):
            return {self._text(str(name)): self.clean(below, str(name)) for name, below in value.items()}
        if isinstance(value, list):
            return [self.clean(below, field) for below in value]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return type(value)(0) if _is_secret(field) else value
        if not isinstance(value, str):
            return value
        if _is_secret(field) and value:
            return self._remember(_bare(value), "secret") if len(value) >= _WORTH else "secret"
        inner = _inner(value)
        return self._text(value) if inner is None else json.dumps(self.clean(inner))

    def _remember(self, text: str, kind: str) -> str:
        if _REPLACED.fullmatch(text):
            return text
        if text not in self._known:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            written = f"{kind}-{self._counts[kind]}"
            # A token stays one that clients can read: with no claims.
            self._known[text] = f"{_NO_CLAIMS}{written}" if _JWT.fullmatch(text) else written
        return self._known[text]

    def _text(self, text: str) -> str:
        text = _PEM.sub(lambda found: self._remember(found[0], "secret"), text)
        text = _SIGNED.sub(lambda found: found[1] + self._remember(found[2], "secret"), text)
        for pattern in _NAMED:
            text = pattern.sub(lambda found: found[1] + self._remember(found[2], "secret"), text)
        text = _JWT.sub(lambda found: self._remember(found[0], "secret"), text)
        text = _EMAIL.sub(lambda found: self._remember(found[0], "person") + "@example.com", text)
        # The longest first: one may be a part of another.
        for known in sorted(self._known, key=len, reverse=True):
            for written in _ways(known):
                if written in text:
                    text = text.replace(written, self._known[known])
        return _PATH.sub(lambda found: self._path(found[0]), text)

    def _path(self, path: str) -> str:
        return re.sub(r"[^/\\]+", lambda part: self._part(part[0]), path)

    def _part(self, part: str) -> str:
        """A part of a path: the same one everywhere, with what says what kind of file it is."""
        if (
            part in _KEPT
            or part.isdecimal()
            or part.startswith(("secret-", "person-"))
            or re.fullmatch(r"[A-Za-z]:", part)
        ):
            return part
        stem, dot, end = part.rpartition(".")
        ending = f".{end}" if dot and re.fullmatch(r"[A-Za-z0-9]{1,4}", end) else ""
        key = stem if ending else part
        return self._parts.setdefault(key, f"part{len(self._parts) + 1}") + ending


def _is_secret(field: str) -> bool:
    return field.lower() not in _OPEN and _SECRET.fullmatch(field) is not None


def _bare(value: str) -> str:
    return value.removeprefix("Bearer ").strip()


def _inner(text: str) -> Any:
    """The object or list that a text is as JSON; None for any other text."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _ways(text: str) -> list[str]:
    """The ways in which a text may be written."""
    ways = [text, quote(text, safe=""), quote_plus(text), json.dumps(text)[1:-1]]
    if len(text) >= 8:
        ways.append(base64.b64encode(text.encode()).decode())
    return list(dict.fromkeys(ways))
