"""Its page: the samples run, and every member stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from conductor_mock.testkit import mock_conductor
from support.programs import PATIENCE_S

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "testkit.md"


def test_the_sample_of_the_page_runs(tmp_path: Path) -> None:
    _, _, after = PAGE.read_text(encoding="utf-8").partition("<!-- sample: python -->\n```python\n")
    sample, end, _ = after.partition("\n```\n")
    assert end
    path = tmp_path / "sample.py"
    path.write_text(sample, encoding="utf-8")
    subprocess.run([sys.executable, "-W", "error", str(path)], cwd=tmp_path, check=True, timeout=PATIENCE_S)


def test_the_page_names_every_member_of_a_fake_and_no_other() -> None:
    page = PAGE.read_text(encoding="utf-8")
    with mock_conductor() as fake:
        members = {name for name in dir(fake) if not name.startswith("_")}
    assert {name for name in members if f"`{name}" not in page} == set()
    assert set(re.findall(r"`(assert_\w+)\(", page)) == {
        name for name in members if name.startswith("assert_")
    }
