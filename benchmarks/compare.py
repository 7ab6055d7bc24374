"""This client beside the vendor's (ciocore 9.2.0, run as it comes from PyPI): what the same submission costs each.

    python benchmarks/compare.py [--quick] [--rounds 3] [--only NAME]

The floor beside them is the same submission by a bare loop over http.client (`bare_loop.py`): one connection, one thing
after another, nothing checked, nothing tried again. Of the large file it is one md5 pass and one bare PUT.

Both submit the same files, one after the other, to the same served fake, each as an account of its own; every
submission is a process of its own, so its start counts, and each client uses as many threads as it does by default.
Figures are medians of the rounds, which alternate between the two. Prints Markdown for docs/figures.md.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from peers import Client, median, parsed, print_head, print_row, vendor, wall_of
from processes import MIB, Cost, costs_of, make_files, served

BLOCK = MIB
FLOOR = "floor"
LARGE = 32 * MIB
SUBMIT = """
import sys
from {package} import conductor_submit
arguments = {{
    "job_title": "benchmark", "project": "default", "instance_type": "n1-standard-4", "local_upload": True,
    "tasks_data": [{{"command": "true", "frames": "1"}}], "output_path": "/tmp/output", "upload_paths": [sys.argv[1]],
}}
response, code = conductor_submit.Submit(arguments).main()
assert code == 201, (code, response)
"""


@dataclass(frozen=True)
class Case:
    """What is submitted; ``again``: whether the second submission of the same files is what counts."""

    title: str
    count: int
    size: int
    again: bool = False


CASES = (
    Case("1 x 10 KB", 1, 10_000),
    Case("1,000 x 10 KB", 1000, 10_000),
    Case("the same 1,000 again", 1000, 10_000, again=True),
    Case("10,000 x 10 KB", 10_000, 10_000),
    Case("1 x 1 GB", 1, 1024 * MIB),
)
QUICK = (
    Case("1 x 10 KB", 1, 10_000),
    Case("100 x 10 KB", 100, 10_000),
    Case("the same 100 again", 100, 10_000, again=True),
    Case("1 x 64 MB", 1, 64 * MIB),
)


def submit(client: Client, files: Path, home: Path, environment: dict[str, str]) -> Cost:
    """Submit what lies below `files` with a client whose user's home is `home`."""
    code = SUBMIT.format(package=client.package)
    return costs_of([str(client.python), "-c", code, str(files)], environment, home)


def account(environment: dict[str, str], name: str) -> dict[str, str]:
    """The same environment for an account of another name."""
    key = {**json.loads(environment["CONDUCTOR_API_KEY"]), "client_id": name}
    return {**environment, "CONDUCTOR_API_KEY": json.dumps(key)}


def bare_loop(files: Path, home: Path, environment: dict[str, str]) -> Cost:
    """The same by the least that does it."""
    script = Path(__file__).with_name("bare_loop.py")
    return costs_of([sys.executable, "-I", str(script), str(files)], environment, home)


def measure(case: Case, clients: list[Client], rounds: int, folder: Path) -> dict[str, list[Cost]]:
    """The costs of a case for each client, by name, and FLOOR; each round is of a fresh fake and fresh homes."""
    costs: dict[str, list[Cost]] = {FLOOR: [], **{client.name: [] for client in clients}}
    files = make_files(folder / "files", case.count, case.size)
    for number in range(rounds):
        place = folder / str(number)
        place.mkdir()
        with served(place) as server:
            for client in clients if number % 2 else reversed(clients):
                own = account(server.environment, client.name)
                home = place / f"home-{client.package}"
                cost = submit(client, files, home, own)
                costs[client.name].append(submit(client, files, home, own) if case.again else cost)
            if case.size < LARGE:
                own, home = account(server.environment, FLOOR), place / "home-floor"
                cost = bare_loop(files, home, own)
                costs[FLOOR].append(bare_loop(files, home, own) if case.again else cost)
        shutil.rmtree(place)
    shutil.rmtree(files)
    return costs


def floor(path: Path, folder: Path) -> float:
    """Seconds that a file takes at least, one thing after another: its md5, then a bare PUT to a server that takes an
    md5 and writes a file."""
    listener = socket.create_server(("127.0.0.1", 0))
    code = (
        "import hashlib, os, socket, sys\n"
        "connection = socket.socket(fileno=int(sys.argv[1])).accept()[0]\n"
        "stream, digest, left = connection.makefile('rb'), hashlib.md5(), 0\n"
        "while (line := stream.readline()) != b'\\r\\n':\n"
        "    if line.lower().startswith(b'content-length:'): left = int(line.split(b':')[1])\n"
        f"buffer = memoryview(bytearray({BLOCK}))\n"
        "with open(sys.argv[2], 'wb', buffering=0) as file:\n"
        "    while left:\n"
        "        count = stream.readinto(buffer[:min(left, len(buffer))])\n"
        "        digest.update(buffer[:count]); file.write(buffer[:count]); left -= count\n"
        "    os.fsync(file.fileno())\n"
        "connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n')\n"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", code, str(listener.fileno()), str(folder / "floor")],
        pass_fds=[listener.fileno()],
    )
    began = time.perf_counter()
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb", buffering=0) as file:
        buffer = memoryview(bytearray(BLOCK))
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], blocksize=BLOCK)
    with path.open("rb", buffering=0) as file:
        connection.request("PUT", "/", body=file, headers={"Content-Length": str(path.stat().st_size)})
        connection.getresponse().read()
    seconds = time.perf_counter() - began
    connection.close()
    server.wait()
    listener.close()
    (folder / "floor").unlink()
    return seconds


def import_seconds(python: Path, statement: str, rounds: int) -> float:
    """The least that a statement takes in a fresh interpreter, without the interpreter's own start."""

    def best(code: str) -> float:
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            subprocess.run([str(python), "-c", code], check=True)
            times.append(time.perf_counter() - began)
        return min(times)

    return best(statement) - best("pass")


def main() -> None:
    options = parsed(__doc__)
    rounds = 1 if options.quick else options.rounds
    ours, theirs = Client("this client", Path(sys.executable), "conductor.lib"), vendor()
    print_head("submission", theirs, rounds, floor=True)
    walls: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="conductor-compare-") as name:
        for number, case in enumerate(QUICK if options.quick else CASES):
            if options.only in case.title:
                folder = Path(name) / str(number)
                folder.mkdir()
                costs = measure(case, [ours, theirs], rounds, folder)
                walls[case.title] = median(costs[ours.name], wall_of)
                print_row(case.title, costs[ours.name], costs[theirs.name], costs[FLOOR])
        large = (QUICK if options.quick else CASES)[-1]
        if large.title in walls:
            files = make_files(Path(name) / "large", 1, large.size)
            (path,) = files.iterdir()
            least = statistics.median(floor(path, Path(name)) for _ in range(rounds))
            share = least / walls[large.title]
            print(
                f"\n{large.title}: the serial floor is {least:.2f} s, this client reaches {share:.0%} of it."
            )
    requests_s = import_seconds(Path(sys.executable), "import requests", 10)
    ours_s = import_seconds(Path(sys.executable), "from conductor.lib import conductor_submit", 10)
    print(
        f"\nImport of conductor.lib.conductor_submit: {ours_s * 1000:.0f} ms, "
        f"{ours_s / requests_s:.2f} times that of requests ({requests_s * 1000:.0f} ms)."
    )


if __name__ == "__main__":
    main()
