"""What a task can see, where bubblewrap makes it a world of its own: the arguments of `bwrap` for one run.

The root is a tmpfs that nobody can write to. In it lie, read-only, the machine's programs and the few settings that
they need; the job's files, at the paths that the job names; and `INSIDE`, with the home, the script and the folder for
temporary files. There is no home of this machine, no data directory, no other process, and no network unless it was
asked for.

Where a job's path lies in one of the machine's folders (`/usr/local/x/a.ma`), that folder is made anew: what is the
job's is the job's, everything else in it is a link to the machine's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conductor_mock.execution.order import Order, Sandbox
from conductor_mock.execution.paths import DRIVES_FOLDER, POSIX_FOLDER
from conductor_mock.execution.workspace import WorkspaceError

INSIDE = "/.conductor-mock"
"""The folder of a run, as its command sees it: no job has files there."""

HOME = f"{INSIDE}/home"
TEMPORARY = f"{INSIDE}/tmp"  # noqa: S108 - its own
SCRIPT = f"{INSIDE}/command.sh"
_MACHINE = f"{INSIDE}/machine"
"""The folders of the machine that were made anew, as they are."""

PROGRAMS = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/gnu/store",
)  # fmt: skip
SETTINGS = (
    "alternatives", "bash.bashrc", "ca-certificates", "debian_version", "fonts", "glvnd", "group", "host.conf",
    "hosts", "ImageMagick-6", "ImageMagick-7", "inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias",
    "localtime", "magic", "mime.types", "nsswitch.conf", "OpenCL", "os-release", "passwd", "pki/tls/certs", "profile",
    "python3", "ssl/certs", "ssl/openssl.cnf", "terminfo", "timezone", "vulkan",
)  # fmt: skip
"""Of /etc: what programs cannot do without, and nobody keeps a secret in."""
NETWORK_SETTINGS = ("gai.conf", "protocols", "resolv.conf", "services")
TAKEN = ("dev", "proc", INSIDE[1:])
"""Folders of the root that are the sandbox's own."""

KERNEL = ("sys", "fs", "irq", "bus", "acpi", "scsi", "pressure", "sysrq-trigger", "mtrr")
"""Of /proc: settings of the kernel, which root may change without any right but being root."""

MOST_NAMES = 2500
"""Of the machine's, in the folders that are made anew for one run: bubblewrap takes so many arguments."""

SHARED_MEMORY = 64 * 1024 * 1024
PROBE_S = 20


@dataclass(slots=True)
class _Node:
    """A folder or file of the job, on the way to one, or the output folder (`is_whole`)."""

    children: dict[str, _Node] = field(default_factory=dict)
    is_file: bool = False
    is_whole: bool = False

    def add(self, names: Sequence[str]) -> _Node:
        node = self
        for name in names:
            node = node.children.setdefault(name, _Node())
        return node

    def find(self, names: Sequence[str]) -> _Node | None:
        node: _Node | None = self
        for name in names:
            node = None if node is None else node.children.get(name)
        return node

    def ends_above(self, names: Sequence[str]) -> bool:
        """Whether a file of the job is where the machine would need a folder, or itself."""
        node: _Node | None = self
        for name in names:
            node = None if node is None else node.children.get(name)
            if node is not None and node.is_file:
                return True
        return False


def program() -> str | None:
    """Where bubblewrap is installed, if it is."""
    return shutil.which("bwrap")


def probe(sandbox: Sandbox) -> str:
    """Why tasks cannot be put into a sandbox here; empty when they can. It tries."""
    bwrap = program()
    if bwrap is None:
        return "bubblewrap (bwrap) is not installed"
    command = [
        bwrap,
        *_isolation(sandbox),
        *_machine(sandbox, _Node(), ""),
        *_own(),
        *_closed(),
        "/bin/sh",
        "-c",
        ":",
    ]
    try:
        tried = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not work ({error})"
    said = tried.stderr.decode("utf-8", "replace").strip().splitlines()
    return (
        "" if tried.returncode == 0 else f"bubblewrap does not work ({said[0] if said else tried.returncode})"
    )


def arguments(order: Order, sandbox: Sandbox) -> tuple[list[str], list[str]]:
    """The command line that runs the script of an order in its sandbox, and the options of bubblewrap for `--args`.

    A task can read the command line, as that of its first process; the options name folders of this machine. Raises
    WorkspaceError.
    """
    bwrap = program()
    if bwrap is None:
        raise WorkspaceError("bubblewrap (bwrap) is not installed where it was to run")
    job = _job(order)
    data = str(Path(order.folder).parent.parent)
    temporary = f"{order.folder}/tmp"  # noqa: S108 - its own
    whole = [] if "tmp" in job.children else _bind(temporary, "/tmp")  # noqa: S108 - its own
    for name in job.children:
        if f"/{name}" not in PROGRAMS:
            whole += _bind(f"{order.folder}/{POSIX_FOLDER}/{name}", f"/{name}")
    private = [
        *_bind(f"{order.folder}/home", HOME),
        *_bind(temporary, TEMPORARY),
        *_bind(f"{order.folder}/{DRIVES_FOLDER}", f"{INSIDE}/{DRIVES_FOLDER}"),
        *("--ro-bind", f"{order.folder}/command.sh", SCRIPT),
    ]
    machine = _machine(sandbox, job, f"{order.folder}/{POSIX_FOLDER}", data)
    options = [*_isolation(sandbox), *whole, *machine, *_own(), *private, *_closed(), "--chdir", HOME]
    return [bwrap, "--", "/bin/sh", SCRIPT], options


def output_spelling(order: Order) -> str:
    """The output folder's path as the command knows it; empty without one."""
    if not order.output:
        return ""
    root = "" if order.output[0] == POSIX_FOLDER else f"{INSIDE}/{DRIVES_FOLDER}"
    return "/".join([root, *order.output[1:]])


def _isolation(sandbox: Sandbox) -> list[str]:
    kinds = ["user", "pid", "ipc", "uts", "cgroup-try", *([] if sandbox.network else ["net"])]
    return [*(f"--unshare-{kind}" for kind in kinds), "--cap-drop", "ALL"]


def _own() -> list[str]:
    """What every sandbox has of its own."""
    shared = ("--perms", "1777", "--size", str(SHARED_MEMORY), "--tmpfs", "/dev/shm")  # noqa: S108 - its own
    kernel = [f"/proc/{name}" for name in KERNEL if os.path.exists(f"/proc/{name}")]  # noqa: PTH110 - a text
    closed = [argument for path in kernel for argument in ("--ro-bind", path, path)]
    return ["--dev", "/dev", *shared, "--proc", "/proc", *closed, "--dir", INSIDE]


def _closed() -> list[str]:
    return ["--remount-ro", "/dev", "--remount-ro", "/"]


def _readable(sandbox: Sandbox, data: str) -> list[str]:
    """The paths of this machine that a task can read, none below another one. What lies in `data` cannot be named."""
    settings = (*SETTINGS, *(NETWORK_SETTINGS if sandbox.network else ()))
    named = (path for path in sandbox.readable if not (data and _is_below(os.path.realpath(path), data)))
    found = [*PROGRAMS, *(f"/etc/{name}" for name in settings), *_python(), *named]
    kept: list[str] = []
    for path in sorted(dict.fromkeys(map(os.path.normpath, found))):
        if os.path.exists(path) and not any(_is_below(path, above) for above in kept):  # noqa: PTH110 - a text
            kept.append(path)
    return kept


def _python() -> Iterator[str]:
    """Where this Python lies, and its environment: what the server's PATH begins with, as often as not."""
    homes = {"/", str(Path.home())}
    for prefix in (sys.prefix, sys.base_prefix):
        for path in (os.path.normpath(prefix), os.path.realpath(prefix)):
            if not any(_is_below(home, path) for home in homes):
                yield path


def _machine(sandbox: Sandbox, job: _Node, files: str, data: str = "") -> list[str]:
    """The machine's paths, read-only; those in which a job's path lies are made anew."""
    made: list[str] = []
    room = MOST_NAMES
    data = data and os.path.realpath(data)  # links lead to it, and it may be named by one
    for path in _readable(sandbox, data):
        names = path.split("/")[1:]
        node = job.find(names)
        if job.ends_above(names) or (node is not None and not os.path.isdir(path)):  # noqa: PTH112 - a text
            continue  # the job's own is there
        if node is None and os.path.islink(path) and len(names) == 1:  # noqa: PTH114 - a text
            made += ["--symlink", os.readlink(path), path]  # noqa: PTH115 - as it is
        elif node is None:
            made += _shown(path, path, data)
        elif node.is_whole:
            made += _bind(f"{files}{path}", path)
        else:
            made += _shown(path, f"{_MACHINE}{path}", data)
            merged = ["--tmpfs", path, *_merged(path, node, files)]
            room -= merged.count("--symlink")
            if room < 0:
                raise WorkspaceError(
                    f"the job's files lie beside too many of this machine in {path}: name another folder"
                )
            made += [*merged, "--remount-ro", path]
    return made


def _merged(path: str, node: _Node, files: str) -> Iterator[str]:
    """A folder of the machine with what is the job's in it."""
    for name in sorted(os.listdir(path)):  # noqa: PTH208 - names
        if name not in node.children:
            yield from ("--symlink", f"{_MACHINE}{path}/{name}", f"{path}/{name}")
    for name, child in node.children.items():
        inner = f"{path}/{name}"
        if child.is_file or child.is_whole or not os.path.isdir(inner):  # noqa: PTH112 - a text
            yield from _bind(f"{files}{inner}", inner)
        else:
            yield from ("--dir", inner)
            yield from _merged(inner, child, files)


def _shown(path: str, inside: str, data: str) -> Iterator[str]:
    """A path of the machine to be read at `inside`; where the data directory lies in it, nothing is: it holds keys."""
    yield from ("--ro-bind", path, inside)
    real = os.path.realpath(path)
    if data and _is_below(data, real):
        hidden = os.path.normpath(f"{inside}/{os.path.relpath(data, real)}")
        yield from ("--tmpfs", hidden, "--remount-ro", hidden)


def _job(order: Order) -> _Node:
    """The POSIX paths of a job. Raises WorkspaceError for one where the sandbox has something of its own."""
    root = _Node()
    for file in order.inputs:
        folder, *names = file.target.split("/")
        if folder == POSIX_FOLDER:
            root.add(names).is_file = True
    if order.output[:1] == (POSIX_FOLDER,):
        root.add(order.output[1:]).is_whole = True
    for name in TAKEN:
        if name in root.children:
            raise WorkspaceError(f"a job cannot have files in /{name} where tasks run in a sandbox")
    return root


def _bind(source: str, target: str) -> list[str]:
    return ["--bind", source, target]


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
