"""A server of several workers: its address is bound once, its data opened by each of them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from conductor_mock.serving.server import Server
from conductor_mock.serving.signals import EndingSignals
from conductor_mock.settings import Settings, default_data_dir
from conductor_mock.store.ownership import lock_file, share_file
from conductor_mock.workers.link import Link
from conductor_mock.workers.parent import Workers

TOGETHER_S = 1.0
"""Signals within it are one: a terminal and a service manager signal all processes, and so does the parent."""

OpenServer = Callable[[Settings], AbstractContextManager[Server]]
"""Makes a server of settings, which serves for the length of the block."""


@dataclass(frozen=True, slots=True)
class Together:
    """What is told of a server of several workers, as `serving.server.Announced`."""

    url: str
    directory: Path
    _environment: Mapping[str, str]

    def environment(self) -> dict[str, str]:
        """The variables that point a client here."""
        return dict(self._environment)


@contextmanager
def directory_of(settings: Settings) -> Iterator[Settings]:
    """The settings with a data directory that all workers use; a throw-away one goes in the end. Raises NoHomeError."""
    with ExitStack() as stack:
        if settings.ephemeral:
            directory = Path(tempfile.mkdtemp(prefix="conductor-mock-"))
            stack.callback(shutil.rmtree, directory, ignore_errors=True)
        else:
            directory = (settings.data_dir or default_data_dir()).absolute()
        yield replace(settings, shared=True, data_dir=directory)


def work(link: Link, settings: Settings, open_server: OpenServer, *, drain_s: float = 0) -> None:
    """What a worker does: serve until a signal ends it, or its parent is gone. Raises what `open_server` raises.

    For `drain_s` before its end it answers and is not ready, unless another signal comes later than the first.
    """
    with EndingSignals() as signals:
        link.when_alone(signals.wake)
        with open_server(settings) as server:
            link.tell(
                {
                    "url": server.url,
                    "directory": str(server.directory),
                    "environment": server.environment(),
                }
            )
            signals.next()
            if drain_s:
                server.drain()
                _wait(signals, drain_s)


def _wait(signals: EndingSignals, most_s: float, seconds: Callable[[], float] = time.monotonic) -> None:
    """For so long, or until a signal comes that does not belong to the first one."""
    began_s = now_s = seconds()
    while (left_s := began_s + most_s - now_s) > 0:
        signals.next(left_s)
        now_s = seconds()
        if now_s - began_s >= TOGETHER_S:
            return


@contextmanager
def together(workers: Workers, settings: Settings, *, is_shared: bool) -> Iterator[Together | None]:
    """The workers, started; None where a signal came before they were. At the end they are ended.

    The directory is ours, too, so that nobody has it alone while a worker is started again; and where it is not shared
    with other servers (`is_shared`) no others come to it. Raises DatabaseError, WorkersError.
    """
    with ExitStack() as stack:
        assert settings.data_dir is not None  # noqa: S101 - `directory_of` has filled it in
        if not is_shared:
            group = lock_file(settings.data_dir / "group", f"the data directory {settings.data_dir}")
            stack.callback(group.release)
        stack.callback(workers.close)
        told = workers.start()
        if told is None:
            yield None
            return
        held = share_file(settings.data_dir / "lock", f"the data directory {settings.data_dir}")
        stack.callback(held.release)
        held.share()  # even if every worker has died meanwhile: those that are started again come in
        yield Together(told["url"], Path(told["directory"]), told["environment"])
