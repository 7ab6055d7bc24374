"""The example submitter: its tests pass here, and where only the wheels are installed; the naive one fails one.

They try few examples: how many there are is the example's own affair, and 100 stories take most of the time.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from support.distributions import Built, Environment, built
from support.examples import counted
from support.programs import ROOT, Finished, python, run

pytestmark = pytest.mark.slow

SUBMITTER = ROOT / "examples" / "submitter"
TESTS = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "few_examples")
HERE = tuple(
    word
    for name in ("randomly", "_hypothesis_pytestplugin", "conductor_mock.pytest_plugin")
    for word in ("-p", name)
)
"""What is loaded beside the clone: what else development has takes two seconds of imports."""
FEW = """
from hypothesis import settings

settings.register_profile("few", max_examples={number})
settings.load_profile("few")
"""


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both distributions, built from this tree."""
    return built(tmp_path_factory)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The example where nothing else of the clone is."""
    return shutil.copytree(SUBMITTER, tmp_path / "submitter", ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture
def few(tmp_path: Path) -> dict[str, str]:
    """The environment in which the plugin of `TESTS` is found."""
    folder = tmp_path / "few"
    folder.mkdir()
    number = counted(os.environ.get("HYPOTHESIS_PROFILE", "ci"), 15, full=100)
    (folder / "few_examples.py").write_text(FEW.format(number=number), encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


@pytest.fixture
def here(few: dict[str, str]) -> dict[str, str]:
    """The environment in which no plugin is loaded by itself."""
    return {**few, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def passed(finished: Finished) -> int:
    """How many tests passed, where all did."""
    assert finished.returncode == 0, finished.stdout + finished.stderr
    found = re.search(r"^(\d+) passed in", finished.stdout, re.MULTILINE)
    assert found is not None, finished.stdout
    return int(found[1])


@pytest.mark.hypothesis
def test_its_tests_pass_in_any_order_and_leave_nothing_in_its_folder(
    copy: Path, here: dict[str, str]
) -> None:
    before = {path.relative_to(copy) for path in copy.rglob("*")}
    assert passed(run(python(*TESTS, *HERE), here, cwd=copy)) >= 25
    left = {path.relative_to(copy) for path in copy.rglob("*")} - before
    assert {path.parts[0] for path in left if "__pycache__" not in path.parts} <= {".hypothesis"}


def test_they_pass_where_only_the_wheels_are_installed(
    dist: Built, copy: Path, few: dict[str, str], tmp_path: Path
) -> None:
    environment = Environment.borrowing(tmp_path / "venv", "conductor-mock[testkit]", "hatchling")
    environment.install(str(dist.client.path), str(dist.fake.path))
    finished = environment.run("python", *TESTS, str(copy), **few)
    assert passed(finished) >= 25


def test_the_naive_one_fails_the_test_that_the_other_passes(copy: Path, here: dict[str, str]) -> None:
    file = copy / "tests" / "test_exactly_once.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("from submitter import Shot, submit", "from submitter import Shot"))
    with file.open("a", encoding="utf-8") as source:
        source.write("\n\ndef submit(shot, client):\n    return naive.submit(shot)\n")
    finished = run(python(*TESTS, *HERE, str(file), "-k", "makes_one_job"), here, cwd=copy)
    assert finished.returncode == 1, finished.stdout
    assert "1 submission became 00001, 00002" in finished.stdout
    assert "jobs.create (POST /jobs/): 201, with the fault lost_answer" in finished.stdout
