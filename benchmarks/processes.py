"""Servers and clients as processes of their own, and what each cost. For the benchmarks beside this file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

DEAD_PROXY = "http://127.0.0.1:9"
"""Where all but loopback is sent: the vendor's client looks for updates of itself."""

MIB = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """What one process used: wall and CPU seconds, peak resident memory in MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float


class Served:
    """A fake in a process of its own, with what it used since the last look."""

    def __init__(self, process: psutil.Popen, document: dict[str, object]) -> None:
        self.process = process
        self.url = str(document["url"])
        self.environment = dict(document["env"])  # type: ignore[call-overload]

    def start_measuring(self) -> None:
        self._began = self._cpu()
        # 5 resets the high-water mark of resident memory (proc(5))
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def measured(self) -> tuple[float, float]:
        """CPU seconds and peak MiB since `start_measuring`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return self._cpu() - self._began, int(peak.split()[1]) / 1024

    def _cpu(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def served(folder: Path, *options: str, sources: str | None = None) -> Iterator[Served]:
    """A fake that keeps its data below `folder` (unless `--ephemeral` is an option); of the checkout whose folders
    `sources` names, as PYTHONPATH does.
    """
    ready = folder / "ready.json"
    command = [
        sys.executable, "-m", "conductor_mock", "serve", "--port", "0", "--ready-file", str(ready),
        *([] if "--ephemeral" in options else ["--data-dir", str(folder / "data")]), *options,
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        environment = os.environ if sources is None else {**os.environ, "PYTHONPATH": sources}
        process = psutil.Popen(command, stderr=log, env=environment)
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit((folder / "server.log").read_text())
            time.sleep(0.01)
        yield Served(process, json.loads(ready.read_text()))
    finally:
        process.terminate()
        process.wait()


def costs_of(command: Sequence[str], environment: dict[str, str], home: Path) -> Cost:
    """Run a client to its end, its user's home being `home`. Ends the benchmark when it fails."""
    home.mkdir(exist_ok=True)
    surroundings = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home),  # where the vendor's client keeps its md5s
        "CONDUCTOR_USER_DIR": str(home),
        "http_proxy": DEAD_PROXY,
        "https_proxy": DEAD_PROXY,
        "no_proxy": "127.0.0.1",
        **environment,
    }
    if os.cpu_count() == 1:  # the vendor's default, one less than there are cores, is none
        surroundings["CONDUCTOR_THREAD_COUNT"] = "1"
    with (home / "client.log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(list(command), env=surroundings, stdout=log, stderr=log, cwd=home)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{(home / 'client.log').read_text()[-4000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def make_files(folder: Path, count: int, size: int) -> Path:
    """`count` files of `size` random bytes each, last written yesterday and changed two seconds ago.

    A careful client does not remember the md5 of a file that was written just now; the time of change (ctime) counts
    as well, and cannot be set.
    """
    folder.mkdir()
    for number in range(count):
        with (folder / f"file_{number:05d}.bin").open("wb") as file:
            left = size
            while left:
                block = os.urandom(min(left, MIB))
                file.write(block)
                left -= len(block)
    for path in folder.iterdir():
        os.utime(path, (time.time() - 86_400,) * 2)
    time.sleep(2.1)
    return folder
