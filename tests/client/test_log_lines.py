"""The client's log can be read: a record is a line, nothing steers a terminal, and no secret is in it."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.lib.conductor_submit import set_logging
from conductor.lib.daemons.json_log import JsonFormatter
from conductor.lib.wire.log_lines import SafeFormatter
from conductor.lib.wire.redaction import scrub

SECRET = "S3CRET-of/the+studio=="
KEY = json.dumps({"client_id": "c", "private_key": SECRET})


def to_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "JSON": lambda text: json.dumps({"value": text}),
    "a list": lambda text: json.dumps([1, text]),
    "a URL": lambda text: f"https://host/a?b=1&next={quote(text, safe='')}&c=2",
    "a form": lambda text: f"a=1&value={quote_plus(text)}",
    "base64": to_base64,
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
}
SECRETS = [
    KEY,
    json.dumps(json.loads(KEY), indent=1),
    f"?client_secret={quote(SECRET, safe='')}&client_id=c",
    f"https://host/api/oauth_jwt?client_id=c&client_secret={quote(SECRET, safe='')}",
    f"Authorization: Bearer {SECRET}",
    f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
]


@given(
    st.sampled_from(SECRETS), st.lists(st.sampled_from(sorted(WRAPPINGS)), max_size=3), st.text(max_size=5)
)
def test_a_secret_is_hidden_however_it_is_wrapped(text: str, wrappings: list[str], around: str) -> None:
    for wrapping in wrappings:
        text = WRAPPINGS[wrapping](text)
    shown = scrub(f"{around} {text} {around}")
    for form in (SECRET, quote(SECRET, safe=""), quote_plus(SECRET), to_base64(text)):
        assert form not in shown
    assert "S3CRET" not in shown
    for _ in range(4):
        shown = "".join(decoded(word) for word in shown.split('"'))
        assert "S3CRET" not in shown


def decoded(word: str) -> str:
    """A word as a curious reader would look at it."""
    try:
        return base64.b64decode(word + "===").decode()
    except ValueError:
        return word


@pytest.mark.parametrize(
    "name", ["Cookie", "Set-Cookie", "Proxy-Authorization", "X-Api-Key", "X-Amz-Security-Token"]
)
def test_headers_that_hold_secrets_are_hidden(name: str) -> None:
    assert SECRET not in scrub(f"{name}: {SECRET}")
    assert SECRET not in scrub(f"{{'{name}': '{SECRET}'}}")


@pytest.mark.parametrize("secret", ["opaque/to+ken=", "a b&c", 'quo"te\\d', "é", "x" * 40])
def test_a_named_secret_is_hidden_in_every_spelling(secret: str) -> None:
    for text in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret), to_base64(secret)):
        assert scrub(f"the token {text} is bad", [secret]).count("***") == 1


def line_of(formatter: logging.Formatter, message: str, *arguments: object, fails: str | None = None) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.Logger("conductor.test")
    logger.addHandler(handler)
    logger.warning(message, *arguments, exc_info=None if fails is None else ValueError(fails))
    return stream.getvalue()


@given(st.text())
def test_a_record_is_one_line_and_obeys_nobody(text: str) -> None:
    for formatter in (SafeFormatter("%(levelname)s %(message)s"), JsonFormatter()):
        line = line_of(formatter, "%s was read", text)
        assert line.endswith("\n")
        assert "\n" not in line[:-1].replace("\n  ", "")
        assert not set(line[:-1]) & set("\x1b\r\x07\x08\x7f\x85\x9b\u2028\u202e")


@pytest.mark.parametrize(
    "text", ["a\n2026-11-22 WARNING lost", "\x1b[31mred", "a\rb", "\x9b2J", "\u202etxt.exe"]
)
def test_a_path_or_a_title_cannot_forge_a_record_or_a_colour(text: str) -> None:
    for fails in (None, text):
        lines = line_of(SafeFormatter("%(levelname)s %(message)s"), "%s", text, fails=fails).splitlines()
        assert [line for line in lines if not line.startswith("  ")] == [lines[0]]
        assert text not in "".join(lines)


def test_a_traceback_shows_no_secret() -> None:
    for formatter in (SafeFormatter("%(message)s"), JsonFormatter()):
        assert SECRET not in line_of(formatter, "failed", fails=f"at https://h/?client_secret={SECRET}")


@pytest.fixture(scope="module")
def logged_before() -> None:
    """What the command line of an earlier test, or of a fixture for several, leaves in this process."""
    set_logging(logging.ERROR)


@pytest.mark.usefixtures("logged_before")
def test_no_test_inherits_the_log_of_another() -> None:
    logger = logging.getLogger("conductor")
    assert (logger.level, logger.handlers) == (logging.NOTSET, [])
