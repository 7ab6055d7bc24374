"""The tutorial, line by line: what it says to type is typed in a fresh clone, and what it says comes back does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from support.clones import clone
from support.distributions import NO_INDEX, Environment
from support.programs import PATIENCE_S, ROOT, run

pytestmark = pytest.mark.slow

TEXT = (ROOT / "docs" / "tutorial" / "first-job.md").read_text(encoding="utf-8")
FIRST, SECOND = TEXT.split("## A job, in the second terminal")
BLOCK = re.compile(r"^```(?P<kind>sh|text)\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "-- what is typed next --"
LOCAL = "http://127.0.0.1:8089"


def typed(text: str) -> list[tuple[str, list[str]]]:
    """Each block of commands, with the lines that the page says come of it."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.finditer(text):
        if block["kind"] == "sh":
            found.append((block["lines"], []))
        else:
            found[-1][1].extend(block["lines"].splitlines())
    return found


@dataclass(frozen=True)
class Terminal:
    """A shell in the clone whose first terminal serves at `url`."""

    folder: Path
    url: str

    def type(self, blocks: list[str]) -> list[str]:
        """Type blocks of commands into one shell; what came of each. All of them succeed."""
        script = f"\necho '{MARK}'\n".join(["set -e", *blocks])
        done = run(["bash", "-c", script], cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return [part.strip() for part in done.stdout.split(MARK)][1:]

    def seen(self, path: str) -> str:
        """A page as a browser shows it, once its scripts ran; without Chromium as it was sent."""
        browser = shutil.which("chromium")
        if browser is None:
            return requests.get(f"{self.url}{path}", timeout=PATIENCE_S).text
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={self.folder}/build/browser",
        ]
        return run([browser, *options, "--dump-dom", f"{self.url}{path}"]).stdout


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A clone, and what its first terminal says to evaluate. What an index would bring is lent."""
    folder = clone(tmp_path / "clone")
    environment = Environment.borrowing(folder / ".venv", "conductor-mock", "hatchling")
    pip = ["--python", str(folder / ".venv" / "bin" / "python"), "install", "--no-build-isolation", "--quiet"]
    done = run(["python3", "-m", "pip", *pip, "./client", "."], NO_INDEX, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert environment.commands() >= {"conductor", "conductor-mock"}
    for name in (".created", ".installed"):
        (folder / ".venv" / name).touch()
    ((serve, said),) = typed(FIRST)
    process = subprocess.Popen(
        ["bash", "-c", f"exec {serve}"],
        cwd=folder,
        env={**os.environ, "PORT": "0"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        come = [process.stderr.readline().rstrip() for _ in said]
        ready = json.loads((folder / "build" / "ready.json").read_text(encoding="utf-8"))
        assert [line.replace(ready["url"], LOCAL) for line in come] == said
        yield Terminal(folder, ready["url"])
    finally:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C reaches all of a terminal
        process.communicate(timeout=PATIENCE_S)
    assert not (folder / "build" / "ready.json").exists()


def test_the_tutorial_leads_from_a_fresh_clone_to_a_job_in_the_browser(terminal: Terminal) -> None:
    assert "My first job" not in terminal.seen("/")
    blocks = typed(SECOND)
    came = terminal.type([commands for commands, _ in blocks])
    for (commands, said), output in zip(blocks, came, strict=True):
        assert set(said) <= set(output.splitlines()), commands
    assert {f"{LOCAL}/", f"{LOCAL}/jobs/00001", f"{LOCAL}/requests"} == set(
        re.findall(rf"{LOCAL}/[\w/]*", TEXT)
    )
    assert "My first job" in terminal.seen("/")
    page = terminal.seen("/jobs/00001")
    assert "My first job" in page
    assert "downloaded" in page
    assert "jobs.create" in terminal.seen("/requests")
