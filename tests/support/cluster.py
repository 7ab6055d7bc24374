"""A Dask cluster of two workers on this machine, in processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from support.execution import PATIENCE_S

CLUSTER = """\
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@contextmanager
def clustered(folder: Path, begin: Sequence[str] = ()) -> Iterator[str]:
    """Its address, as `--executor` takes it; `begin` is what its command line begins with.

    Workers are forked off a process that has imported Dask: it is imported twice then, and not for each of them.
    """
    folder.mkdir()
    program = folder / "cluster.py"
    program.write_text(CLUSTER)
    with ExitStack() as stack:
        said = stack.enter_context((folder / "said").open("wb"))
        process = stack.enter_context(
            subprocess.Popen(
                [*begin, sys.executable, str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                cwd=folder,
                env={**os.environ, "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "forkserver"},
                text=True,
            )
        )
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("tcp://"), (folder / "said").read_text()
            yield address.replace("tcp://", "dask://")
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE_S)
