"""What the vendor's client keeps in its modules: as at its import for each test, and put back after it.

`ciocore` reads its configuration once in a process, and with it the account; what it fetched of the catalogue it keeps
too (wire reference 0.4 and 1.8 say where from). It also waits at fixed places, which is shortened here: its threads
look whether there is something to do a few times a second instead of every few seconds.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
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
    end = _nothing if waits else _shorten()
    try:
        yield
    finally:
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
        caller = sys._getframe(1).f_globals.get("__name__", "")
        is_theirs = caller == PACKAGE or caller.startswith(f"{PACKAGE}.")
        own(min(float(seconds), SHORT_S) if is_theirs else seconds)

    time.sleep = sleep

    def end() -> None:
        if time.sleep is sleep:  # else somebody has put something over it, and puts it back
            time.sleep = own

    return end


def _nothing() -> None:
    """There is nothing to end."""
