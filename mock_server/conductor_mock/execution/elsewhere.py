"""One run on a worker that shares no disk with the server: its own folder; contents and outputs go by URL.

These functions are called on the worker. A folder below the server's `--executor-folder` is named by the order, since
it stands in commands; it is made there, for its owner alone, and gone when the run has ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import io
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from conductor_mock.execution import by_url, collection, leftovers, processes, runner
from conductor_mock.execution.collection import Made
from conductor_mock.execution.order import Order, Report
from conductor_mock.execution.workspace import Workspace, WorkspaceError, why
from conductor_mock.farm.statuses import Outcome

CLAIM_S = 5
LOOK_S = 0.5
"""Between two looks whether the cluster still wants the run."""
BLOCK = 1 << 18
LOG_BYTES = 1 << 20
"""Of a log, in one answer."""


@dataclass(frozen=True, slots=True)
class Brought:
    """An output to be brought: what it is, and where it goes."""

    made: Made
    url: str
    size: int


def run(order: Order) -> Report:
    """Run a task to its end, and say what its outputs are; they stay until `end`. Never raises, as `runner.run`."""
    if not _claim(order.run):
        return Report(Outcome.LOST, reason="whoever ran it is gone")
    folder = Path(order.folder)
    try:
        _own_folder(folder.parent)
        _tidy(folder.parent)
        workspace = Workspace(folder)
        workspace.create()
        workspace.close()
        workspace.log.touch()
        me = processes.look_at(os.getpid())
        workspace.note_run(keeper=os.getpid(), keeper_started=None if me is None else me.started)
    except (OSError, WorkspaceError) as error:
        return Report(Outcome.FAILED, reason=f"no folder could be made on the worker: {why(error)}")
    with _ended_when_unwanted(workspace):
        report = runner.run(order, lambda source: _fetched(source, workspace))
    if report.outcome == Outcome.FAILED and report.exit_code is None and workspace.is_cancelled():
        return Report(None)  # it waited for a server when it was asked to end
    try:
        return replace(report, contents=tuple(_contents(order, report.made)), worker=_address())
    except OSError as error:
        return Report(Outcome.FAILED, 0, f"its outputs could not be read: {why(error)}")


async def bring(folder: str, names: Sequence[str], outputs: Sequence[Brought]) -> str:
    """Send outputs of a run to the server; empty, or why one could not be."""
    return await asyncio.to_thread(_bring, Path(folder), names, outputs)


async def read_log(folder: str, first: int) -> bytes:
    """What a run has logged from its `first` byte on; nothing where it is not here."""
    return await asyncio.to_thread(_read_log, Workspace(folder), first)


async def cancel(folder: str) -> None:
    """Ask a run to end, if it is here."""
    await asyncio.to_thread(Workspace(folder).cancel)


async def end(folder: str) -> None:
    """End what is left of a run, if it is here, and take its folder away."""
    await asyncio.to_thread(_end, Workspace(folder))


def _claim(run: str) -> bool:
    """Whether this call is the first of its run: a cluster whose worker has died makes it once more elsewhere."""
    distributed: Any = importlib.import_module("distributed")
    try:
        distributed.Queue(run, client=distributed.get_client()).get(timeout=CLAIM_S)
    except (TimeoutError, asyncio.TimeoutError):
        return False
    return True


def _address() -> str:
    distributed: Any = importlib.import_module("distributed")
    return str(distributed.get_worker().address)


@contextmanager
def _ended_when_unwanted(workspace: Workspace) -> Iterator[None]:
    """For the block, a run that the cluster has let go of, as it does when the server is gone, is asked to end."""
    distributed: Any = importlib.import_module("distributed")
    worker, key = distributed.get_worker(), distributed.worker.thread_state.key
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                workspace.cancel()
                return

    thread = threading.Thread(target=look, name="wanted", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _own_folder(path: Path) -> None:
    """Make the folder of all runs, which nobody else enters. Raises WorkspaceError when it is somebody else's."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    for folder in (path.parent, path):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise WorkspaceError(f"{folder} is not a folder of this user alone (--executor-folder)")


def _tidy(path: Path) -> None:
    """End and take away runs whose worker was killed."""
    for folder in path.iterdir():
        facts = Workspace(folder).read_run()
        keeper = facts.get("keeper")
        if not isinstance(keeper, int):
            continue
        found = processes.look_at(keeper)
        if found is None or found.started != facts.get("keeper_started"):
            with suppress(OSError):
                _end(Workspace(folder))


def _fetched(source: str, workspace: Workspace) -> IO[bytes]:
    """The content of an input, `MD5 URL`, in a nameless file. Raises OSError where it cannot be had or is another."""
    md5, _, url = source.partition(" ")
    return by_url.fetch(url, md5, workspace.folder.parent, workspace.is_cancelled)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    workspace = Workspace(folder)
    workspace.open()
    try:
        yield workspace.root
    finally:
        workspace.close()


def _contents(order: Order, made: Sequence[Made]) -> Iterator[tuple[bytes, int]]:
    """The md5 and bytes of each output."""
    if not made:
        return
    with _opened(Path(order.folder)) as root:
        for one in made:
            digest, size = hashlib.md5(usedforsecurity=False), 0
            with os.fdopen(collection.open_made(root, order.output, one), "rb") as stream:
                while block := stream.read(BLOCK):
                    digest.update(block)
                    size += len(block)
            yield digest.digest(), size


def _bring(folder: Path, names: Sequence[str], outputs: Sequence[Brought]) -> str:
    is_over = Workspace(folder).is_cancelled
    try:
        with _opened(folder) as root:
            for one in outputs:
                with os.fdopen(collection.open_made(root, names, one.made), "rb") as stream:
                    by_url.send(one.url, stream, one.size, one.made.path, is_over)
    except OSError as error:
        return why(error)
    return ""


def _read_log(workspace: Workspace, first: int) -> bytes:
    try:
        with workspace.open_log() as stream:
            stream.seek(first)
            return stream.read(LOG_BYTES)
    except (OSError, io.UnsupportedOperation):
        return b""


def _end(workspace: Workspace) -> None:
    if workspace.folder.is_dir():
        leftovers.end_one(workspace)
        workspace.remove()
