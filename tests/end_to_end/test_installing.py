"""Both distributions installed without any index: from their wheels, from a clone, over what was there before."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.distributions import Built, Environment
from support.programs import python, run
from support.served import ServedProcess, served
from support.submitting import SUBMISSION

pytestmark = pytest.mark.slow

CLONE = ("./client", ".")
"""What the documented call installs: `pip install ./client .` in the clone."""

WHOLE = ("conductor-mock", "hatchling")


@pytest.fixture(scope="module")
def both(dist: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with both wheels."""
    environment = Environment.borrowing(tmp_path_factory.mktemp("both") / "venv", *WHOLE)
    environment.install(str(dist.client.path), str(dist.fake.path))
    return environment


@pytest.fixture(scope="module")
def alone(dist: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the client's wheel and what it needs, without the command line's packages."""
    environment = Environment.borrowing(tmp_path_factory.mktemp("alone") / "venv", "conductor-mock-client")
    environment.install(str(dist.client.path))
    return environment


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServedProcess]:
    """A fake that runs elsewhere: in this process's environment."""
    with served(tmp_path / "server") as running:
        yield running


def test_both_wheels_install_without_an_index_and_run(both: Environment) -> None:
    assert both.commands() == {"conductor", "conductor-farm", "conductor-mock", "conductor-contracts"}
    where = "import conductor, conductor_mock, conductor_contracts as c; print(conductor, conductor_mock, c)"
    found = both.run("python", "-c", where)
    assert found.stdout.count(str(both.folder)) == 3, found.stdout + found.stderr
    finished = both.run("conductor-mock", "demo")
    assert finished.returncode == 0, finished.stderr
    assert "job 00001, 2 tasks, 7 files uploaded" in finished.stdout


@pytest.mark.parametrize("name", ["conductor", "conductor-farm"])
def test_the_command_says_the_name_that_it_was_called_by(both: Environment, name: str) -> None:
    asked = both.run(name, "--help")
    assert (asked.returncode, asked.stdout.partition(" [")[0]) == (0, f"Usage: {name}")
    variable = f"_{name.upper().replace('-', '_')}_COMPLETE=bash_complete"
    assert variable in both.run(name, "completion", "bash").stdout


def test_the_client_alone_submits_a_job(alone: Environment, server: ServedProcess, tmp_path: Path) -> None:
    scene = tmp_path / "scene.ma"
    scene.write_text("a scene")
    done = alone.run("python", "-c", SUBMISSION, str(scene), **server.ready["env"])
    assert done.returncode == 0, done.stderr
    code, jid, modules = json.loads(done.stdout)
    assert (code, jid) == (201, "00001")
    assert not {"click", "rich", "yaml", "PIL", "flask", "sqlalchemy"} & set(modules)
    if sys.platform == "linux":  # where the client can do without, for the start that each of them costs
        assert not {"filelock", "platformdirs"} & set(modules)


@pytest.mark.parametrize(
    "words",
    [("conductor", "--help"), ("conductor-farm", "jobs"), ("python", "-m", "conductor", "--version")],
)
def test_the_command_line_without_its_packages_says_what_to_install(
    alone: Environment, words: tuple[str, ...]
) -> None:
    done = alone.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "conductor: the command line needs packages that are not installed (click): "
        "pip install 'conductor-mock-client[cli]'\n"
    )


def test_a_config_file_without_yaml_says_what_to_install(alone: Environment, tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("url: http://127.0.0.1:1\n")
    code = (
        "import conductor\ntry: conductor.Config.load()\nexcept conductor.ConfigError as error: print(error)"
    )
    done = alone.run("python", "-c", code, CONDUCTOR_CONFIG=str(file))
    assert done.stdout == f"{file} cannot be read without PyYAML: pip install 'conductor-mock-client[cli]'\n"


def test_the_client_alone_is_under_ten_megabytes(alone: Environment) -> None:
    assert 1_000_000 < alone.size() < 10_000_000


BEFORE = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "conductor-mock"
version = "0.1.0"

[project.scripts]
conductor = "conductor.cli:main"
conductor-mock = "conductor_mock:main"

[tool.hatch.build.targets.wheel]
packages = ["conductor", "conductor_mock"]
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel as 0.1.0 was: one distribution that holds the client too."""
    folder = tmp_path_factory.mktemp("before")
    (folder / "pyproject.toml").write_text(BEFORE)
    for package, module in (("conductor", "cli"), ("conductor", "__main__"), ("conductor_mock", "cli")):
        (folder / package).mkdir(exist_ok=True)
        for name in ("__init__", module):
            (folder / package / f"{name}.py").write_text("def main(): print('before')\n")
    finished = run(python("-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(folder)))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture
def old(before: Path, tmp_path: Path) -> Environment:
    """An environment that holds the one distribution of before."""
    environment = Environment.borrowing(tmp_path / "venv", *WHOLE)
    environment.install(str(before))
    assert environment.run("conductor").stdout == "before\n"
    return environment


def test_the_one_distribution_of_before_is_uninstalled_first(dist: Built, old: Environment) -> None:
    removed = old.pip("uninstall", "--yes", "conductor-mock")
    assert removed.returncode == 0, removed.stderr
    old.install(str(dist.client.path), str(dist.fake.path))
    assert "Usage: conductor " in old.run("conductor", "--help").stdout
    assert old.run("conductor-mock", "--version").returncode == 0


def test_where_that_was_forgotten_the_same_call_a_second_time_mends_it(dist: Built, old: Environment) -> None:
    old.install(str(dist.client.path), str(dist.fake.path))
    broken = old.run("python", "-m", "conductor", "--help")
    old.install(*CLONE)
    mended = old.run("conductor", "--help")
    assert (broken.returncode, mended.returncode) == (1, 0), (
        "pip no longer removes what the client has put there"
    )
