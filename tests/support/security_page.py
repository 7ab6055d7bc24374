"""The tables of docs/security.md, as the tests of what they say read them."""

from __future__ import annotations

from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")


def rows() -> list[dict[str, str]]:
    """Return the rows of the table of limits, each by the headings of its cells."""
    text = PAGE.partition('<a id="limits"></a>')[2].partition("\n## ")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line[:1] == "|"]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    heads, _, *others = cells
    return [dict(zip(heads, row)) for row in others]


def limits(whose: str) -> dict[str, str]:
    """Return the limits of one side (``client``, ``server``) by what they are of, as the page says them."""
    return {row["of what"]: row["limit"] for row in rows() if row["side"] == whose}
