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


def test_every_generated_page_is_mended_where_it_is_old(generate: ModuleType) -> None:
    for name, make in generate.PAGES.items():
        page = make((DOCS / name).read_text(encoding="utf-8"))
        lines = page.splitlines(keepends=True)
        rows = [number for number, line in enumerate(lines) if line.startswith(("|---", "| ---"))]
        mended = [make("".join([*lines[: row + 1], "| old |\n", *lines[row + 1 :]])) == page for row in rows]
        assert any(mended), name


def test_a_page_that_has_lost_its_table_is_an_error(generate: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"no table that begins '\| a \|'"):
        generate.with_table("# A page\n", "| a |\n|---|\n| 1 |")


def test_a_table_is_replaced_and_what_is_around_it_stays(generate: ModuleType) -> None:
    table = "| a |\n|---|\n| 1 |"

    assert (
        generate.with_table("before\n\n| a |\n|---|\n| 0 |\n\nafter\n", table)
        == f"before\n\n{table}\n\nafter\n"
    )
    assert generate.with_table("before\n\n| a |\n|---|\n| 0 |\n", table) == f"before\n\n{table}\n"
