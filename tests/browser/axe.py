"""axe-core, which looks for what keeps people from using a page; from npm, kept in `build/`, for these tests only."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

VERSION = "4.14.1"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_FOLDER = Path(__file__).parents[2] / "build" / f"axe-core-{VERSION}"
_RUN = f"""
axe.run({{ runOnly: {json.dumps(RULES)} }}).then((result) => JSON.stringify(
  result.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 200))])))
"""


@cache
def source() -> str:
    """The script. Skips the test, and says so, where it is not there and npm cannot bring it."""
    script = _FOLDER / "axe.min.js"
    if not script.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("there is no npm to bring axe-core")
        _FOLDER.mkdir(parents=True, exist_ok=True)
        brought = subprocess.run(
            [npm, "pack", "--silent", f"axe-core@{VERSION}"], cwd=_FOLDER, capture_output=True, text=True
        )
        if brought.returncode:
            pytest.skip(f"npm does not bring axe-core: {brought.stderr[:200]}")
        with tarfile.open(_FOLDER / brought.stdout.strip()) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member is not None
            script.write_bytes(member.read())
    return script.read_text(encoding="utf-8")


def violations(page: Page) -> list[Any]:
    """What is wrong with a page: rules, and where. The page's policy forbids scripts, so the debugger runs it."""
    debugger = page.context.new_cdp_session(page)
    debugger.send("Runtime.evaluate", {"expression": source()})
    answer = debugger.send(
        "Runtime.evaluate", {"expression": _RUN, "awaitPromise": True, "returnByValue": True}
    )
    debugger.detach()
    found: list[Any] = json.loads(answer["result"]["value"])
    return found
