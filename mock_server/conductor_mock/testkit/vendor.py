"""What the vendor's client keeps in its modules: as at its import for each test, and put back after it.

`ciocore` reads its configuration once in a process, and with it the account; what it fetched of the catalogue it keeps
too (wire reference 0.4 and 1.8 say where from). It also waits at fixed places, which is shortened here: its threads
look whether there is something to do a few times a second instead of every few seconds. They end by `exit()`, which
Python takes for an end and pytest for a failure that it warns of: here it is an end.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, ModuleType
from typing import Any, SupportsIndex

PACKAGE = "ciocore"
SHORT_S = 0.01
"""What its waits last."""


def _user_dir(system: str) -> str:
    below = ("AppData", "Local", "Conductor") if system == "Windows" else (".conductor",)
    return os.path.expanduser(os.path.join("~", *below))  # noqa: PTH111, PTH118 - as it does


STATE: Mapping[str, Mapping[str, Callable[[], Any]]] = {
    "config": {
        "__config__": lambda: None,
        "USER_DIRS": lambda: {system: _user_dir(system) for system in ("Linux", "Darwin", "Windows")},
        "DEFAULT_USER_DIR": lambda: _user_dir("Windows" if sys.platform == "win32" else "Linux"),
    },
    "data": {"__data__": dict, "__products__": lambda: None, "__platforms__": lambda: None},
    "worker": {"WORKING": lambda: True},
    "common": {"SIGINT_EXIT": lambda: False},
}
"""By module what each of its names holds after the import. Versions that lack one are not given it."""


@contextmanager
def kept(*, waits: bool) -> Iterator[None]:
    """Put back in the end what the client keeps; in between its waits are short, unless it `waits`.

    To be entered before variables and home are changed, so that what was imported in the block is as those say.
    """
    before = {module: {name: getattr(module, name) for name, _ in names} for module, names in _loaded()}
    ends = [_let_threads_exit(), _nothing if waits else _shorten()]
    try:
        yield
    finally:
        for end in ends:
            end()
        for module, names in _loaded():
            for name, fresh in names:
                setattr(module, name, before[module][name] if module in before else fresh())


def refresh() -> None:
    """Let the client read configuration and catalogue anew."""
    for module, names in _loaded():
        for name, fresh in names:
            setattr(module, name, fresh())


def _loaded() -> list[tuple[ModuleType, list[tuple[str, Callable[[], Any]]]]]:
    """The modules that are imported, and of each the names that it has."""
    modules = ((sys.modules.get(f"{PACKAGE}.{name}"), names) for name, names in STATE.items())
    return [
        (module, [(name, fresh) for name, fresh in names.items() if hasattr(module, name)])
        for module, names in modules
        if module is not None
    ]


def _shorten() -> Callable[[], None]:
    """Let `time.sleep` be short for the client's modules, also those that are imported later; what ends it."""
    own = time.sleep

    def sleep(seconds: float | SupportsIndex) -> None:
        is_short = _is_theirs(sys._getframe(1))
        own(min(float(seconds), SHORT_S) if is_short else seconds)

    time.sleep = sleep

    def end() -> None:
        if time.sleep is sleep:  # else somebody has put something over it, and puts it back
            time.sleep = own

    return end


def _let_threads_exit() -> Callable[[], None]:
    """Let a thread of the client's end by SystemExit, as Python does whatever is told of threads; what ends it."""
    own = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        frames = (frame for frame, _ in traceback.walk_tb(args.exc_traceback))
        if args.exc_type is not SystemExit or not any(map(_is_theirs, frames)):
            own(args)

    threading.excepthook = hook

    def end() -> None:
        if threading.excepthook is hook:
            threading.excepthook = own

    return end


def _is_theirs(frame: FrameType) -> bool:
    """Whether it is code of the client's that runs in a frame."""
    module = frame.f_globals.get("__name__", "")
    return bool(module == PACKAGE or module.startswith(f"{PACKAGE}."))


def _nothing() -> None:
    """There is nothing to end."""
