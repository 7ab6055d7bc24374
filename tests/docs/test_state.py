"""What a server remembers, as docs/architecture.md says: every part of it has its place in the table."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from conductor_mock.service import Service

PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_part_of_a_server_is_in_the_table_of_what_it_remembers() -> None:
    section = PAGE.partition('<a id="state"></a>')[2].partition("\n## What lies")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| ")]
    named = {name for row in rows[1:] for name in re.findall(r"`(\w+)`", row[2])}
    parts = {field.name for field in fields(Service) if not field.name.startswith("_")}
    assert named == parts
