"""How the requests of this process's sessions get to a fake: `requests.Session.get_adapter` chooses, for every request.

That lies above the place where `responses` and its like step in (`HTTPAdapter.send`). So each has its own requests,
whichever was there first and whichever ends first: a fake those to its origin, a mock of the user's all others. Where
there is no such mock, all others are refused: nothing leaves the process by accident.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

PORTS: Mapping[str, int] = {"http": 80, "https": 443}


class Place(Protocol):
    """Something in this process that answers the requests to one origin."""

    @property
    def url(self) -> str:
        """The origin."""

    def adapter(self, like: HTTPAdapter) -> HTTPAdapter:
        """An adapter that does all that `like` does, but sends to here."""


def add(place: Place) -> Callable[[], None]:
    """Send the requests to `place.url` there from now on; call what is returned to end it, in any order.

    Where several places have one origin, the last of them answers.
    """
    # It is kept beside what is replaced, which there is once in a process, too.
    routes: _Routes = vars(requests.sessions).setdefault("conductor_mock_routes", _Routes())
    routes.add(place)
    return lambda: routes.remove(place)


@contextmanager
def alias(url: str) -> Iterator[None]:
    """Let the requests to `url` go there, for the length of the block: a socket of a fake that is in this process."""
    end = add(_Socket(url))
    try:
        yield
    finally:
        end()


@dataclass(frozen=True)
class _Socket:
    """A place that is reached as any other service is."""

    url: str

    def adapter(self, like: HTTPAdapter) -> HTTPAdapter:
        return like


class _Routes:
    """The places that answer in this process, and the method of the sessions that asks for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: tuple[Place, ...] = ()

    def add(self, place: Place) -> None:
        with self._lock:
            self._places = (*self._places, place)
            if self._replaced() is None:
                self._set(self._asking(requests.Session.get_adapter))

    def remove(self, place: Place) -> None:
        with self._lock:
            self._places = tuple(one for one in self._places if one is not place)
            # Whoever has put something over ours calls it still: without places it only passes on.
            while not self._places and (original := self._replaced()) is not None:
                self._set(original)

    def _asking(self, original: Callable[..., BaseAdapter]) -> Callable[..., BaseAdapter]:
        """What is put in the place of `Session.get_adapter`."""

        def get_adapter(session: requests.Session, url: str) -> BaseAdapter:
            return self._choose(original(session, url), url)

        get_adapter.replaced = original  # type: ignore[attr-defined]  # how `_replaced` knows it
        return get_adapter

    def _replaced(self) -> Callable[..., BaseAdapter] | None:
        """What the method on top replaced, if it is ours."""
        return getattr(requests.Session.get_adapter, "replaced", None)

    def _set(self, method: Callable[..., BaseAdapter]) -> None:
        requests.Session.get_adapter = method  # type: ignore[method-assign]  # what all of this is about

    def _choose(self, own: BaseAdapter, url: str) -> BaseAdapter:
        """The adapter for a URL, where the session has `own` for it."""
        places = self._places
        if not places or not isinstance(own, HTTPAdapter):  # what the user mounted for it opens no socket
            return own
        origin = _origin(url)
        for place in reversed(places):
            if _origin(place.url) == origin:
                return place.adapter(own)
        return _Refusing(places[-1].url) if is_own(HTTPAdapter.send) else own


class _Refusing(BaseAdapter):
    """Sends nothing."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> NoReturn:
        message = (
            f"requests of this process go to the fake in it, {self._url}, and nowhere else while it is there; "
            f"{(request.url or '').partition('?')[0]} was not asked (a mock of the `responses` library beside it can "
            "answer others, or let them pass)"
        )
        raise requests.ConnectionError(message, request=request)

    def close(self) -> None:
        """Nothing is open."""


def own_send() -> Callable[..., requests.Response]:
    """`HTTPAdapter.send` as the requests library has it, whatever stands in its place at present."""
    send: Callable[..., requests.Response] = HTTPAdapter.send
    if is_own(send):
        return send
    spec = importlib.util.find_spec(HTTPAdapter.__module__)
    if spec is None or spec.loader is None:
        raise ImportError(f"the source of {HTTPAdapter.__module__} is not there, and its `send` is replaced")
    again: Any = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says of optional parts, it has said
        spec.loader.exec_module(again)  # a copy that nobody else knows
    return again.HTTPAdapter.send  # type: ignore[no-any-return]


def is_own(send: Any) -> bool:
    """Whether a function is the one in the requests library's file."""
    code = getattr(send, "__code__", None)
    return code is not None and code.co_filename == requests.adapters.__file__


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL that requests has put right."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:  # no number: whoever sends it says so
        port = None
    return parts.scheme.lower(), (parts.hostname or "").rstrip("."), port or PORTS.get(parts.scheme.lower())
