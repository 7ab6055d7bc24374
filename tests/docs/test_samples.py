"""The tutorial and the how-to pages: every sample that says so is run, as its reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conductor_mock.cli import main
from support.programs import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
SAMPLE = re.compile(
    r"^<!-- sample: (?P<kind>[a-z]+)(?: (?P<name>\S+))? -->\n```\w+\n(?P<text>.*?)^```$", re.M | re.S
)
CODE = re.compile(r"^```(\w+)$", re.M)
NOT_RUN = {("ciocore.md", "python"): "tests/testkit/test_vendor.py"}
"""Samples that are not whole, and what is run in their place."""

WITHOUT_SAMPLES = ("README.md", "bucket.md", "install.md", "run-it-elsewhere.md", "studio.md")
"""Pages of commands, which `test_bucket.py`, `test_wheel.py`, `test_packaging.py` and `test_several_servers.py` run."""

PYTEST = (
    *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"),
    *("-p", "_hypothesis_pytestplugin", "-p", "conductor_mock.pytest_plugin"),
)
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Only what is named is loaded: a reader has not what development needs, which takes two seconds of imports."""


def samples(kind: str) -> list[tuple[str, str, str]]:
    """Page, name and text of each sample of a kind."""
    return [
        (page.name, found["name"] or "", found["text"])
        for page in PAGES
        for found in SAMPLE.finditer(page.read_text(encoding="utf-8"))
        if found["kind"] == kind
    ]


def test_every_block_of_code_is_a_sample_or_is_said_to_be_run_elsewhere() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        marked = [found.end() for found in SAMPLE.finditer(text)]
        for block in CODE.finditer(SAMPLE.sub("", text)):
            assert (page.name, block[1]) in NOT_RUN, f"{page.name}: a block of {block[1]} that nothing runs"
        assert page.name in (*WITHOUT_SAMPLES, *(name for name, _ in NOT_RUN)) or marked
    assert all((ROOT / elsewhere).is_file() for elsewhere in NOT_RUN.values())


@pytest.mark.slow
def test_the_samples_of_the_how_to_pages_pass(tmp_path: Path) -> None:
    found = samples("test")
    assert len(found) >= 6
    for number, (page, _, text) in enumerate(found):
        (tmp_path / f"test_{Path(page).stem.replace('-', '_')}_{number}.py").write_text(
            text, encoding="utf-8"
        )
    done = subprocess.run(
        [sys.executable, *PYTEST],
        cwd=tmp_path,
        env={**os.environ, **ALONE},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_what_the_tutorial_writes_passes_its_tests_and_fails_without_its_upload(tmp_path: Path) -> None:
    for _, name, text in samples("file"):
        with (tmp_path / name).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n\n")
    command = [sys.executable, *PYTEST]
    environment = {**os.environ, **ALONE, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout

    submitter = tmp_path / "submitter.py"
    submitter.write_text(submitter.read_text().replace('"upload_paths": [str(scene)]', '"upload_paths": []'))
    done = subprocess.run(
        [*command, "-k", "everything"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "not uploaded:" in done.stdout
    assert "sh010.ma, which task 000 of job 00001 names" in done.stdout


def test_files_for_ci_are_yaml_that_runs_pytest_with_options_that_there_are() -> None:
    from conductor_mock import pytest_plugin

    options = Path(pytest_plugin.__file__).read_text(encoding="utf-8")
    found = samples("yaml")
    assert len(found) == 2
    for _, _, text in found:
        document = yaml.safe_load(text)
        assert document
        commands = re.findall(r"pytest [^\n]*", text)
        assert commands
        for option in re.findall(r"--conductor-mock-[a-z]+", " ".join(commands)):
            assert f'"{option}"' in options


@pytest.mark.slow
def test_calls_from_another_language_are_answered() -> None:
    for _, _, text in samples("shell"):
        command = [sys.executable, "-m", "conductor_mock", "run", "--", "sh", "-e", "-c", text]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_options_that_a_studio_is_told_of_are_there() -> None:
    text = (ROOT / "docs/how-to/studio.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ") or "conductor-mock serve" in line]
    told = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", "\n".join(lines)))
    assert len(told) > 8
    assert told <= {name for option in main.commands["serve"].params for name in option.opts}
