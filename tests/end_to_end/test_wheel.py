"""What is in the wheel, and that it is enough: a file that is missing there is only missed by those who install it."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from support.programs import ROOT, python, run

BUILD_S = 300
UNREACHABLE = (
    "NewConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Temporary failure in name resolution",
    "Network is unreachable",
    "Connection refused",
)
"""What pip says, among other things, when it cannot talk to its index."""

SOURCES = {
    "conductor": ROOT / "client",
    "conductor_mock": ROOT / "mock_server",
    "conductor_contracts": ROOT / "contracts",
}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built once for all workers. Skips, but never in CI, when the build backend cannot be fetched."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "wheel"
    with FileLock(shared / "wheel.lock"):
        if not any(folder.glob("*.whl")):
            _build(folder)
    (built,) = folder.glob("*.whl")
    return built


def _build(folder: Path) -> None:
    built = subprocess.run(
        python("-m", "pip", "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT)),
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if built.returncode == 0:
        return
    said = built.stdout + built.stderr
    if any(word in said for word in UNREACHABLE) and os.environ.get("CI") != "true":
        pytest.skip(f"the build backend cannot be fetched: {said[-400:]}")
    pytest.fail(said)


@pytest.fixture
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture
def unpacked(wheel: Path, tmp_path: Path) -> Path:
    """The wheel as an installer would lay it out."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def sources(package: str) -> set[str]:
    """Every file of a package in the checkout, as the wheel should name it."""
    root = SOURCES[package]
    return {
        path.relative_to(root).as_posix()
        for path in (root / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_three_packages_the_quick_start_and_nothing_else(names: set[str]) -> None:
    contents = {name for name in names if ".dist-info/" not in name}
    expected = set().union(*map(sources, SOURCES)) | {"conductor_mock/examples/quickstart.py"}
    assert contents == expected


@pytest.mark.parametrize(
    "needed",
    [
        "conductor/py.typed",
        "conductor_mock/py.typed",
        "conductor_contracts/py.typed",
        "conductor_contracts/openapi.yaml",
        "conductor_contracts/interactions/jobs.create.yaml",
        "conductor_contracts/job-states.yaml",
        "conductor_contracts/retries.yaml",
        "conductor_mock/catalog/default.yaml",
        "conductor_mock/catalog/aws.yaml",
        "conductor_mock/catalog/coreweave.yaml",
    ],
)
def test_the_wheel_holds_the_data_that_the_packages_read(names: set[str], needed: str) -> None:
    assert needed in names


def test_the_wheel_holds_no_test_and_no_cache(names: set[str]) -> None:
    parts = {part for name in names for part in name.split("/")}
    assert not {"tests", "conftest.py", "__pycache__", ".hypothesis"} & parts
    assert not [name for name in names if name.rsplit("/", 1)[-1].startswith("test_")]


def test_the_wheel_brings_three_commands_and_its_license(wheel: Path, names: set[str]) -> None:
    (information,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
    with zipfile.ZipFile(wheel) as archive:
        commands = archive.read(f"{information}/entry_points.txt").decode().split()
        license_text = archive.read(f"{information}/licenses/LICENSE")
    assert {"conductor", "conductor-mock", "conductor-contracts"} <= set(commands)
    assert license_text == (ROOT / "LICENSE").read_bytes()


def test_the_demo_runs_from_what_is_in_the_wheel(unpacked: Path) -> None:
    own = {"PYTHONPATH": str(unpacked)}
    where = (
        "import conductor, conductor_mock, conductor_contracts as c; print(conductor.__file__, c.__file__)"
    )
    assert all(name.startswith(str(unpacked)) for name in run(python("-c", where), own).stdout.split())
    finished = run(python("-m", "conductor_mock", "demo"), own)
    assert finished.returncode == 0, finished.stderr
    assert "'jobid': '00001'" in finished.stdout
