"""The file of a bundle: a zip archive of exactly these entries, whose names never become names on a disk.

    manifest.json        what the rest is, with hashes
    commands.jsonl       the commands of the account, one a line
    objects/MD5          a content, by its hexadecimal md5, stored as it is

Contents are not compressed and may not be: so an archive never unpacks to much more than it is. The same account always
gives the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import IO

from conductor_mock.bundles import manifest as manifests
from conductor_mock.bundles.errors import BundleError
from conductor_mock.bundles.limits import (
    FREE_BYTES,
    MAX_COMMANDS_BYTES,
    MAX_LINE_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_RATIO,
    MAX_VALUES,
    values_in,
)
from conductor_mock.bundles.manifest import Manifest
from conductor_mock.wire.md5 import from_base64

MANIFEST, COMMANDS, OBJECTS = "manifest.json", "commands.jsonl", "objects/"

_BLOCK = 1 << 18
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError,
    OverflowError,
)  # fmt: skip
"""What reading a hostile archive raises: encrypted entries and unknown compressions are among them."""


def write(
    target: IO[bytes], manifest: Manifest, lines: Sequence[bytes], content: Callable[[bytes], IO[bytes]]
) -> None:
    """Write a bundle; `content` opens a content by its md5 (FileNotFoundError if it is gone)."""
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        archive.writestr(_entry(MANIFEST, zipfile.ZIP_DEFLATED), manifest.to_bytes())
        with archive.open(_entry(COMMANDS, zipfile.ZIP_DEFLATED), "w", force_zip64=True) as commands:
            for line in lines:
                commands.write(line)
        for md5, size in sorted(manifest.contents().items()):
            digest = from_base64(md5)
            entry = _entry(OBJECTS + digest.hex(), zipfile.ZIP_STORED)
            entry.file_size = size
            with content(digest) as source, archive.open(entry, "w") as sink:
                shutil.copyfileobj(source, sink, _BLOCK)


class Archive:
    """An archive that was found whole: every entry is there, none too many, each with its hash."""

    def __init__(self, file: zipfile.ZipFile, manifest: Manifest) -> None:
        self._file = file
        self.manifest = manifest

    def lines(self) -> Iterator[bytes]:
        """The commands, a line each. Raises BundleError."""
        values = 0
        with _Entry(self._file, COMMANDS) as commands:
            while line := commands.readline(MAX_LINE_BYTES + 1):
                if len(line) > MAX_LINE_BYTES:
                    raise BundleError(f"{COMMANDS} has a line of more than {MAX_LINE_BYTES} bytes")
                values += values_in(line)
                if values > MAX_VALUES:
                    raise BundleError(f"{COMMANDS} has more than {MAX_VALUES} values")
                yield line

    def content(self, md5: str) -> _Entry:
        """A content for reading, by its base64 md5; a context manager. Opening and reading it raise BundleError."""
        return _Entry(self._file, OBJECTS + from_base64(md5).hex())


class _Entry:
    """An entry of an archive as it is read: what zipfile raises is said of the archive, and nothing else is."""

    def __init__(self, file: zipfile.ZipFile, name: str) -> None:
        self._name = name
        with _damage(name):
            self._stream = file.open(name)

    def read(self, size: int = -1, /) -> bytes:
        with _damage(self._name):
            return self._stream.read(size)

    def readline(self, limit: int, /) -> bytes:
        with _damage(self._name):
            return self._stream.readline(limit)

    def __enter__(self) -> _Entry:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


@contextmanager
def opened(source: IO[bytes]) -> Iterator[Archive]:
    """The bundle in a file, checked. Raises BundleError."""
    source.seek(0, 2)
    total = source.tell()
    with _damage("the file"):
        file = zipfile.ZipFile(source)
    with file:
        manifest = _check_entries(file, total)
        yield Archive(file, manifest)


def _check_entries(file: zipfile.ZipFile, total: int) -> Manifest:
    """Refuse whatever is not a bundle before anything is done with it."""
    entries = file.infolist()
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise BundleError("an entry is there twice")
    sizes = {entry.filename: entry for entry in entries}
    for name, most in ((MANIFEST, MAX_MANIFEST_BYTES), (COMMANDS, MAX_COMMANDS_BYTES)):
        if name not in sizes:
            raise BundleError(f"it has no {name}")
        if sizes[name].file_size > most:
            raise BundleError(f"{name} unpacks to {sizes[name].file_size} bytes; the limit is {most}")
        if sizes[name].file_size > max(FREE_BYTES, MAX_RATIO * sizes[name].compress_size):
            raise BundleError(
                f"{name} unpacks to {sizes[name].file_size} bytes from {sizes[name].compress_size}; the limit is "
                f"{MAX_RATIO} times as much"
            )
    with _Entry(file, MANIFEST) as entry:
        # In blocks: only these end where the archive says that the entry does, whatever it unpacks to.
        text = b"".join(iter(partial(entry.read, _BLOCK), b""))
    if values_in(text) > MAX_VALUES:
        raise BundleError(f"{MANIFEST} has more than {MAX_VALUES} values")
    manifest = manifests.read(text)
    del text
    contents = {OBJECTS + from_base64(md5).hex(): size for md5, size in manifest.contents().items()}
    for name in names:
        if name not in contents and name not in (MANIFEST, COMMANDS):
            raise BundleError(f"the manifest does not name its entry {name[:80]!r}")
    for name, size in contents.items():
        if name not in sizes:
            raise BundleError(f"{name} is missing")
        if sizes[name].compress_type != zipfile.ZIP_STORED or sizes[name].file_size != size:
            raise BundleError(f"{name} must be stored as it is, with the {size} bytes that the manifest says")
    if sum(contents.values()) > total:
        raise BundleError("its contents overlap: they are larger than the file")
    _check_hash(file, COMMANDS, "sha256", manifest.commands_sha256)
    for name in contents:
        _check_hash(file, name, "md5", name.removeprefix(OBJECTS))
    return manifest


def _check_hash(file: zipfile.ZipFile, name: str, algorithm: str, expected: str) -> None:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with _Entry(file, name) as content:
        while block := content.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise BundleError(f"the {algorithm} of {name} is {digest.hexdigest()}, expected was {expected[:80]}")


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Around what zipfile does with bytes that nobody vouches for."""
    try:
        yield
    except _DAMAGED as error:
        raise BundleError(f"{name} cannot be read: {error}") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # an offset that lies before the file
            raise
        raise BundleError(f"{name} cannot be read: {error.strerror}") from None


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # dated 1980, so that the same account gives the same bytes
    entry.compress_type = compression
    return entry
