"""The image, the compose file, the action and the unit, without an engine: their commands run in a fresh folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml

from conductor_mock.cli import main
from support.clones import clone
from support.distributions import NO_INDEX, Environment
from support.dockerfile import Instruction, named, stages
from support.programs import PATIENCE_S, ROOT, run
from support.served import token

pytestmark = pytest.mark.slow

PLACE = "/opt/conductor-mock"
PORT = "8089"
LENT = ("conductor-mock", "hatchling", "pip")
OFFLINE = {**NO_INDEX, "PIP_NO_BUILD_ISOLATION": "0"}
BUILD, FINAL = stages(ROOT / "Dockerfile")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
UNIT = (ROOT / "packaging" / "conductor-mock.service").read_text(encoding="utf-8")
ACTION = yaml.safe_load((ROOT / "packaging" / "action" / "action.yml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Image:
    """What the Dockerfile builds, in a folder: commands mean its paths, and a port of their own."""

    folder: Path
    port: int

    def path(self, text: str) -> str:
        """A word of the Dockerfile as it is meant here."""
        text = text.replace(PLACE, str(self.folder / "opt")).replace("/data", str(self.folder / "data"))
        return text.replace(PORT, str(self.port))

    def words(self, instruction: Instruction) -> list[str]:
        return [self.path(word) for word in instruction.words]

    @property
    def environment(self) -> dict[str, str]:
        """As ENV and the engine have it: no home, nothing of ours."""
        return {"PATH": f"{self.folder}/opt/bin:{os.environ['PATH']}", "TMPDIR": str(self.folder / "tmp")}


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("context"))


@pytest.fixture(scope="module")
def image(context: Path, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The first stage, done: its COPY and RUN, in their order."""
    image = Image(tmp_path_factory.mktemp("image"), a_free_port())
    (image.folder / "tmp").mkdir()
    source = image.folder / "src"
    for instruction in BUILD:
        if instruction.name == "COPY":
            *names, target = instruction.words
            for name in names:
                whole = source / target / (Path(name).name if target.endswith("/") else "")
                whole.parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (context / name).is_dir() else shutil.copy2
                copy(context / name, whole)
        elif instruction.name == "RUN":
            done = run(
                ["sh", "-euc", image.path(instruction.rest)], {**OFFLINE, **image.environment}, cwd=source
            )
            assert done.returncode == 0, done.stdout + done.stderr
            if " venv " in instruction.rest:  # what it needs comes from an index there
                Environment(image.folder / "opt").lend(*LENT)
    return image


@contextmanager
def started(image: Image, **more: str) -> Iterator[subprocess.Popen[str]]:
    """ENTRYPOINT and CMD, until SIGTERM; the exit code is 0."""
    (entry,), (command,) = named(FINAL, "ENTRYPOINT"), named(FINAL, "CMD")
    process = subprocess.Popen(
        [*image.words(entry), *image.words(command)],
        env={**image.environment, **more}, cwd=image.folder, text=True, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert " at http" in process.stderr.readline()
        yield process
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, said.splitlines()[-1]) == (0, "stopping")
    finally:
        process.kill()
        process.wait()


def healthy(image: Image) -> bool:
    (check,) = named(FINAL, "HEALTHCHECK")
    command = Instruction("CMD", check.rest.partition(" CMD ")[2].strip())
    return run(image.words(command), image.environment).returncode == 0


def test_the_image_serves_is_healthy_and_ends_in_order(image: Image) -> None:
    assert not healthy(image), "nothing runs yet"
    with started(image):
        assert healthy(image)
        url = f"http://127.0.0.1:{image.port}"
        assert requests.get(url, timeout=PATIENCE_S).status_code == 403, "no pages without an admin token"
        told = run(["conductor-mock", "env", "--data-dir", str(image.folder / "data")], image.environment)
        assert f"CONDUCTOR_URL={url}" in told.stdout.replace("'", "")
    assert not healthy(image)


def test_the_image_shows_its_pages_to_whoever_has_the_token_of_the_compose_file(image: Image) -> None:
    (name,) = COMPOSE["services"]["conductor-mock"]["environment"]
    with started(image, **{name: "a word of mine"}):
        url = f"http://127.0.0.1:{image.port}"
        assert healthy(image)
        assert requests.get(url, timeout=PATIENCE_S).status_code == 401
        assert requests.get(url, auth=("", "a word of mine"), timeout=PATIENCE_S).status_code == 200


def test_the_image_runs_as_nobody_in_particular_and_keeps_what_it_needs_alone() -> None:
    (user,) = named(FINAL, "USER")
    assert user.rest.isdecimal(), "an engine can tell that a number is not root"
    assert int(user.rest) > 0
    assert [copy.words[0] for copy in named(FINAL, "COPY")] == ["--from=build"]
    assert all("pip" not in step.rest for step in named(FINAL, "RUN"))


def test_what_the_image_copies_is_in_its_context_and_nothing_else_is() -> None:
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {name for step in named(BUILD, "COPY") for name in step.words[:-1]}
    assert copied == kept
    assert all((ROOT / name).exists() for name in kept)


def test_the_compose_file_opens_the_server_to_this_machine_alone() -> None:
    (service,) = COMPOSE["services"].values()
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert {port.rpartition(":")[2] for port in service["ports"]} == {
        step.rest for step in named(FINAL, "EXPOSE")
    }
    assert {volume.partition(":")[2] for volume in service["volumes"]} == {
        step.rest for step in named(FINAL, "VOLUME")
    }
    assert all(":?" in value for value in service["environment"].values()), "no password that everybody knows"
    assert all("." in alias for alias in service["networks"]["default"]["aliases"])
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert int(service["stop_grace_period"].rstrip("s")) > 30, "a stop may take so long"


def test_the_action_starts_a_server_that_the_next_steps_find(context: Path, tmp_path: Path) -> None:
    environment = Environment.borrowing(tmp_path / "venv", *LENT)
    (step,) = ACTION["runs"]["steps"]
    files = {name: tmp_path / name for name in ("GITHUB_ENV", "GITHUB_OUTPUT")}
    (temporary := tmp_path / "runner").mkdir()
    given = {
        **OFFLINE,
        **{name: str(path) for name, path in files.items()},
        "GITHUB_ACTION_PATH": str(context / "packaging" / "action"),
        "RUNNER_TEMP": str(temporary),
        "OPTIONS": ACTION["inputs"]["options"]["default"],
        "PYTHON": str(environment.folder / "bin" / "python"),
    }
    assert {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]} == set(step["env"].values())
    done = run(["bash", "-euo", "pipefail", "-c", step["run"]], given, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told, outputs = (
        dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines())
        for path in files.values()
    )
    ready = json.loads(Path(outputs["ready-file"]).read_text(encoding="utf-8"))
    try:
        assert told == ready["env"]
        assert set(outputs) == set(ACTION["outputs"])
        assert outputs["url"] == told["CONDUCTOR_URL"]
        with requests.Session() as session:
            assert token(session, outputs["url"], json.loads(told["CONDUCTOR_API_KEY"]))
        clock = requests.get(f"{outputs['url']}/_mock/clock", timeout=PATIENCE_S).json()
        assert clock["speed"] == 60, "as the default options say"
    finally:
        os.kill(ready["pid"], signal.SIGTERM)


def test_the_action_says_why_a_server_does_not_start(context: Path, tmp_path: Path) -> None:
    environment = Environment.borrowing(tmp_path / "venv", *LENT)
    given = {
        **OFFLINE,
        "RUNNER_TEMP": str(tmp_path),
        "OPTIONS": "--ephemeral --speed -1",
        "PYTHON": str(environment.folder / "bin" / "python"),
    }
    done = run([str(context / "packaging" / "action" / "start")], given)
    assert done.returncode == 1
    assert "--speed" in done.stderr


def unit(folder: Path) -> str:
    """The unit with its program and folders here."""
    bin_ = Path(sys.executable).parent
    return UNIT.replace(f"{PLACE}/bin", str(bin_)).replace("%S", str(folder)).replace("%t", str(folder))


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("this system has no systemd-analyze")
    path = tmp_path / "conductor-mock.service"
    path.write_text(unit(tmp_path), encoding="utf-8")
    done = run(["systemd-analyze", "verify", str(path)])
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_of_the_unit_serves_until_sigterm(tmp_path: Path) -> None:
    (line,) = re.findall(r"^ExecStart=(.*)$", unit(tmp_path), re.MULTILINE)
    (tmp_path / "conductor-mock").mkdir()  # as StateDirectory and RuntimeDirectory make it
    process = subprocess.Popen(
        [*line.split(), "--port", "0"], env={"PATH": os.environ["PATH"]}, text=True, stderr=subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        assert " at http" in process.stderr.readline()
        assert "point clients" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE_S)
        assert (process.returncode, said.splitlines()[-1]) == (0, "stopping")
    finally:
        process.kill()
        process.wait()


def test_a_service_has_the_time_that_a_stop_may_take() -> None:
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    assert int(seconds) > 30


HOW_TO = (ROOT / "docs" / "how-to" / "run-it-elsewhere.md").read_text(encoding="utf-8")


def test_the_workflow_of_the_page_is_one_that_the_action_takes() -> None:
    text = HOW_TO.partition("## In a GitHub workflow")[2].partition("\nThe action")[0]
    (step,) = (
        step
        for step in yaml.safe_load(text)["jobs"]["test"]["steps"]
        if "conductor-mock" in step.get("uses", "")
    )
    folder = step["uses"].partition("@")[0].split("/", 2)[2]
    assert (ROOT / folder / "action.yml").is_file()
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert options(step["with"]["options"]) <= OF_SERVE


def test_every_option_that_the_page_and_the_files_give_to_serve_is_one_of_its() -> None:
    files = [HOW_TO, UNIT, ACTION["inputs"]["options"]["default"], (ROOT / "Dockerfile").read_text("utf-8")]
    lines = [line for text in files for line in text.splitlines() if "serve" in line or line in files]
    given = [options(line.partition("serve")[2] or line) for line in lines]
    assert len([words for words in given if words]) >= 5
    assert set().union(*given) <= OF_SERVE


OF_SERVE = {name for option in main.commands["serve"].params for name in option.opts}


def options(text: str) -> set[str]:
    """The long options in a line."""
    return set(re.findall(r"(?<![\w-])--[a-z-]+", text))
