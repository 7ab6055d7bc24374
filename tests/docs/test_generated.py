"""The pages and tables that are made from code are what the code makes of them now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """`docs/generate.py`, which is a program and not in any package."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_generated_page_is_old(generate: ModuleType) -> None:
    assert not generate.stale(), "run: make docs"


def test_every_generated_table_is_found_in_its_page_and_replaced(generate: ModuleType) -> None:
    for name, make in generate.TABLES.items():
        heading, line, *_ = make().splitlines()
        page = (DOCS / name).read_text(encoding="utf-8")
        old = page.replace(make().strip(), f"{heading}\n{line}\n| an | old | row |")
        assert old != page
        assert generate._with_table(old, make().strip(), name) == page


def test_a_page_that_has_lost_its_table_is_named(generate: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"docs/page\.md has no table that begins '\| a \|'"):
        generate._with_table("# A page\n", "| a |\n|---|\n| 1 |", "page.md")
