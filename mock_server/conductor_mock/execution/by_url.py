"""Contents and outputs by signed URL, from a worker: a server that is restarted meanwhile is waited for.

Who answers behind the URL may be any of several servers, and a balancer between. That nobody does for a moment, or that
whoever does is busy, is no fault of the task. No message tells a URL, which opens what it names.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import urlsplit

import requests

T = TypeVar("T")

PATIENCE_S = 60.0
"""How long a server that does not answer, or is not ready, is asked again."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
TIMEOUT_S = 60
"""How long it may say nothing in the middle of an answer."""
TRIES = 3
"""Of a content whose bytes are others than were asked for."""
BLOCK = 1 << 18

_LATER = frozenset({408, 429, 500, 502, 503, 504})


class _LaterError(OSError):
    """Not now; the text says why."""


def fetch(url: str, md5: str, folder: Path, is_over: Callable[[], bool]) -> IO[bytes]:
    """A content in a nameless file of a folder, from its beginning. Raises OSError where it cannot be had.

    `is_over` tells that nobody wants it any more: then nobody is waited for.
    """
    for left in reversed(range(TRIES)):
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - handed out
        try:
            if _patiently(lambda file=file: _fetched(url, file), url, is_over) == md5:  # type: ignore[misc]
                file.seek(0)
                return file
        except BaseException:
            file.close()
            raise
        file.close()
        if not left:
            break
    raise OSError("what the server sent has another md5")


def send(url: str, stream: IO[bytes], size: int, name: str, is_over: Callable[[], bool]) -> None:
    """Send an output of this size, which messages call `name`. Raises OSError where it is not taken."""

    def put() -> None:
        stream.seek(0)
        body: IO[bytes] | bytes = stream if size else b""
        answer = requests.put(url, data=body, timeout=TIMEOUT_S, headers={"Content-Length": str(size)})
        _look_at(answer, repr(name[:200]))

    _patiently(put, url, is_over)


def _fetched(url: str, file: IO[bytes]) -> str:
    """The md5 of what was written to the file."""
    file.seek(0)
    file.truncate()
    digest = hashlib.md5(usedforsecurity=False)
    with requests.get(url, stream=True, timeout=TIMEOUT_S, headers={"Accept-Encoding": "identity"}) as answer:
        _look_at(answer, "its URL")
        for block in answer.iter_content(BLOCK):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _look_at(answer: requests.Response, what: str) -> None:
    if answer.status_code in _LATER:
        raise _LaterError(f"the server answers {answer.status_code} to {what}")
    if answer.status_code != 200:
        raise OSError(f"the server answers {answer.status_code} to {what}")


def _patiently(act: Callable[[], T], url: str, is_over: Callable[[], bool]) -> T:
    """What `act` returns, tried again while nobody answers. Raises OSError."""
    until_s = time.monotonic() + PATIENCE_S
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return act()
        except _LaterError as error:
            why = str(error)
        except requests.RequestException as error:
            why = f"nobody answers at {urlsplit(url).netloc}, where --executor-url leads ({type(error).__name__})"
        if is_over():
            raise OSError(why)
        if time.monotonic() + pause_s > until_s:
            raise OSError(f"{why}; it was asked for {PATIENCE_S:g} s")
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
