"""The tables of docs/security.md, as the tests of what they say read them."""

from __future__ import annotations

from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")


def limits(whose: str) -> dict[str, str]:
    """Return the limits of one side (``client``, ``server``) by what they are of, as the page says them."""
    text = PAGE.partition('<a id="limits"></a>')[2].partition("\n## ")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line[:1] == "|"]
    return {row[1]: row[2] for row in rows if row[0] == whose}
