"""The fidelity page: it is what openapi.yaml says, and it tells its limits first."""

from __future__ import annotations

import copy
import re
from itertools import pairwise
from pathlib import Path

import yaml

from conductor_contracts.contract import load, parse
from conductor_contracts.fidelity import fidelity_page

PAGE = Path(__file__).parents[2] / "docs" / "fidelity.md"


def unlinked(page: str) -> str:
    """The page with its sources as the contract has them, without the links that were made of them."""
    return re.sub(r"\[([\d.]+)\]\(wire-protocol\.md#[^)]+\)", r"\1", page)


def test_the_page_in_the_documents_is_up_to_date() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == fidelity_page(load()), "run: python -m conductor_contracts fidelity > docs/fidelity.md"


def test_limits_come_first() -> None:
    headings = [line for line in fidelity_page(load()).splitlines() if line.startswith("#")]
    assert headings[:5] == [
        "# How faithful the fake is, and on what evidence",
        "## Limits",
        "### Known to differ from the service",
        "### Not covered",
        "### Inferred",
    ]


def test_every_operation_has_a_table_and_every_row_stands_in_it() -> None:
    page = unlinked(fidelity_page(load()))
    for row in load().fidelity():
        name = f"`{row.name}`" if row.name else ""
        assert f"| {row.part} | {name} | {row.grade} | {row.source} | {row.differs} |" in page
    for operation in load().operations:
        assert f"\n### {operation}\n" in page


def test_what_differs_is_told_among_the_limits() -> None:
    limits, _, _ = unlinked(fidelity_page(load())).partition("## Grades")
    for row in load().fidelity():
        assert row.differs in limits
    for text in (*load().document["info"]["x-differs"], *load().document["info"]["x-not-covered"]):
        assert f"- {text}\n" in limits


def test_tables_have_as_many_cells_in_every_row() -> None:
    lines = fidelity_page(load()).splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) > 400
    for above, below in pairwise(lines):
        if above.startswith("|") and below.startswith("|"):
            assert above.replace("\\|", "").count("|") == below.replace("\\|", "").count("|")


def test_a_change_of_the_contract_changes_the_page() -> None:
    document = copy.deepcopy(load().document)
    document["paths"]["/jobs_multi"]["put"]["x-differs"] = "nothing | at all"
    page = fidelity_page(parse(yaml.safe_dump(document, sort_keys=False)))
    assert "- `jobs.act`: nothing | at all\n" in page
    assert "nothing \\| at all |" in page


def test_grades_and_tags_are_explained() -> None:
    page = fidelity_page(load())
    assert set(load().grades) == {row.grade for row in load().fidelity()}
    for grade, text in load().grades.items():
        assert f"| {grade} | {text} |" in page
    for tag in load().tags:
        assert f"| [{tag.name}] | {tag.grade} | {tag.means} |" in page
