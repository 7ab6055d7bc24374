"""Kill -9 of the client at any step of an upload, and then the same again: complete, and little is sent twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import killed_uploads
from support.control import Control
from support.disk import facts, write_tree
from support.served import ServedProcess, served

pytestmark = pytest.mark.skipif(os.name == "nt", reason="forks and SIGKILL are POSIX")

PART_BYTES = 64 * 1024
THREADS = 2
SMALL = {f"textures/{number:02}.tx": os.urandom(1000 + number) for number in range(20)}
LARGE = {"cache/sim.vdb": os.urandom(5 * PART_BYTES - 100)}
WAITS_S = 540


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProcess]:
    """A fake that takes everything beyond 64 KiB in parts."""
    folder = tmp_path_factory.mktemp("served")
    with served(folder, "--part-size", str(PART_BYTES)) as running:
        yield running


def kill_at(server: ServedProcess, folder: Path, points: list[int]) -> list[dict[str, Any]]:
    """Upload, killed at each of these steps and then again; the outcomes."""
    project = folder / "project"
    if not project.exists():
        write_tree(project, SMALL | LARGE)
    homes = folder / "homes"
    homes.mkdir(exist_ok=True)
    plan = {
        "environment": server.ready["env"],
        "folder": str(project),
        "homes": str(homes),
        "threads": THREADS,
        "points": points,
    }
    finished = subprocess.run(
        [sys.executable, killed_uploads.__file__],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=WAITS_S,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    outcomes: list[dict[str, Any]] = json.loads(finished.stdout)
    return outcomes


def asked(server: ServedProcess, what: str, point: int, **query: str) -> list[dict[str, Any]]:
    """A list that the control API gives of the account of a point."""
    answer = Control(server.url).ask("GET", f"/_mock/{what}", account=f"point-{point}", **query)
    return list(answer[what])


def received(server: ServedProcess, point: int) -> int:
    """How many bytes of files and parts the fake took, a piece that came twice counted twice."""
    return sum(
        entry["body"]["size"]
        for operation in ("objects.put", "objects.put_part")
        for entry in asked(server, "requests", point, operation=operation)
        if entry["status"] == 200
    )


def check(server: ServedProcess, folder: Path, outcome: dict[str, Any]) -> int:
    """All files are there, each once; answers how many bytes the fake took a second time."""
    point, again = outcome["point"], outcome["again"]
    project = folder / "project"
    wanted = {str(path): facts(path) for path in project.rglob("*") if path.is_file()}
    files = [(file["path"], (file["md5"], file["size"])) for file in asked(server, "files", point)]
    assert sorted(files) == sorted(wanted.items())
    assert again["files"] == len(wanted)
    size = sum(size for _, size in wanted.values())
    twice = received(server, point) - size
    # Each thread may have sent a piece whose answer it did not live to see.
    assert 0 <= twice <= THREADS * PART_BYTES, outcome
    assert again["sent"] + again["resumed"] <= size
    return twice


def test_an_upload_that_is_killed_at_some_of_its_steps_and_done_again_is_complete(
    server: ServedProcess, tmp_path: Path
) -> None:
    [whole] = kill_at(server, tmp_path, [0])
    steps = whole["first"]["steps"]
    assert steps >= 80
    assert whole["again"]["sent"] == 0
    assert check(server, tmp_path, whole) == 0
    points = [1 + index * (steps - 1) // 12 for index in range(12)]
    outcomes = kill_at(server, tmp_path, points)
    assert [outcome["first"] for outcome in outcomes] == [None] * len(points)
    for outcome in outcomes:
        check(server, tmp_path, outcome)


@pytest.mark.prove
def test_an_upload_that_is_killed_at_any_of_its_steps_and_done_again_is_complete(
    server: ServedProcess, tmp_path: Path
) -> None:
    [whole] = kill_at(server, tmp_path, [0])
    # Two threads take a few steps more or less from run to run: the last ones may not come.
    points = list(range(1, whole["first"]["steps"] - 5))
    assert len(points) >= 80
    outcomes = kill_at(server, tmp_path, points)
    twice = [check(server, tmp_path, outcome) for outcome in outcomes]
    killed = sum(outcome["first"] is None for outcome in outcomes)
    size = sum(len(content) for content in (SMALL | LARGE).values())
    print(
        f"\n{killed} uploads of {size} bytes killed and done again: {sum(twice)} bytes sent twice, "
        f"{max(twice)} at most, none in {twice.count(0)}"
    )
    assert killed == len(points)
