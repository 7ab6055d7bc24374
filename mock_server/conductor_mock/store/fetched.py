"""Contents of a bucket that tasks of this machine need, fetched once and kept as files, up to a bound."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from weakref import WeakValueDictionary

from conductor_mock.store.durable import NewFile, private_folder
from conductor_mock.store.read_write_lock import Shared

_FOLDER = "fetched"


class Fetched:
    """Files under `root/fetched/`, emptied at the start; the longest unused go first when there is too much.

    Servers that share `root` have a folder each in it, and the first of them removes those of before.
    """

    def __init__(self, root: Path, most_bytes: int, *, shared: Shared | None = None) -> None:
        self._folder = root / _FOLDER
        if shared is None or shared.is_first:
            shutil.rmtree(self._folder, ignore_errors=True)
        if shared is not None:
            self._folder /= secrets.token_hex(8)
        self._most = most_bytes
        self._guard = threading.Lock()
        self._sizes: OrderedDict[bytes, int] = OrderedDict()
        """What is there, the longest unused first."""
        self._total = 0
        self._turns: WeakValueDictionary[bytes, threading.Lock] = WeakValueDictionary()

    def open(self, md5: bytes, blocks: Callable[[], Iterator[bytes]], size: int) -> IO[bytes]:
        """The file of a content, made of `blocks` unless it is there; it can be read to its end, whatever goes.

        Raises what `blocks` raises; nothing stays then.
        """
        with self._guard:
            turn = self._turns.setdefault(md5, threading.Lock())
        with turn:  # others who want the same wait for the first
            found = self._find(md5)
            return self._fetch(md5, blocks(), size) if found is None else found

    def _find(self, md5: bytes) -> IO[bytes] | None:
        with self._guard:
            if md5 not in self._sizes:
                return None
            self._sizes.move_to_end(md5)
            try:
                return self._path(md5).open("rb")
            except FileNotFoundError:  # somebody tidied up
                self._total -= self._sizes.pop(md5)
                return None

    def _fetch(self, md5: bytes, blocks: Iterator[bytes], size: int) -> IO[bytes]:
        private_folder(self._folder)
        if size > self._most:
            return self._passing(blocks)
        with NewFile(self._folder, private=True, durable=False) as file:
            for block in blocks:
                file.write(block)
            with self._guard:
                self._make_room(size)
                file.place(self._path(md5))
                self._sizes[md5] = size
                self._total += size
                return self._path(md5).open("rb")

    def _passing(self, blocks: Iterator[bytes]) -> IO[bytes]:
        """A file without a name, for a content that is larger than all that is kept."""
        file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - handed out
        try:
            for block in blocks:
                file.write(block)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def _make_room(self, size: int) -> None:
        while self._total + size > self._most:
            oldest, bytes_ = self._sizes.popitem(last=False)
            self._total -= bytes_
            self._path(oldest).unlink(missing_ok=True)

    def _path(self, md5: bytes) -> Path:
        return self._folder / md5.hex()
