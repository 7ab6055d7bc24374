"""The pages and tables that are made from code and contract: `make docs` writes them, a test finds old ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from conductor.lib.submission import arguments
from conductor_contracts.contract import load, load_control
from conductor_contracts.control_reference import control_table
from conductor_contracts.fidelity import fidelity_page, grades_table
from conductor_mock.faults import reference as faults
from conductor_mock.outputs import conventions

DOCS = Path(__file__).parent


def with_table(page: str, table: str) -> str:
    """`page` with `table` in place of the one that has its first line. Raises ValueError for a page without one."""
    heading, _, _ = table.partition("\n")
    before, found, after = page.partition(f"\n\n{heading}\n")
    if not found:
        raise ValueError(f"the page has no table that begins {heading!r}; put that line in")
    _, end, rest = after.partition("\n\n")
    return f"{before}\n\n{table.strip()}{end}{rest}" if end else f"{before}\n\n{table.strip()}\n"


PAGES: Mapping[str, Callable[[str], str]] = {
    "../README.md": lambda page: with_table(page, grades_table(load())),
    "fidelity.md": lambda _: fidelity_page(load()),
    "reference/outputs.md": lambda page: with_table(page, conventions.reference()),
    "reference/server.md": lambda page: faults.written(with_table(page, control_table(load_control()))),
    "reference/submit.md": lambda page: with_table(page, arguments.reference()),
}
"""From the text of a page to the text that it ought to have."""


def stale() -> dict[Path, str]:
    """The pages that are not what they ought to be, each with its right text."""
    texts = {DOCS / name: (DOCS / name).read_text(encoding="utf-8") for name in PAGES}
    right = {DOCS / name: make(texts[DOCS / name]) for name, make in PAGES.items()}
    return {path: text for path, text in right.items() if text != texts[path]}


def main() -> None:
    """Write what is old."""
    for path, text in stale().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.resolve().relative_to(DOCS.parent).as_posix()}")  # noqa: T201


if __name__ == "__main__":
    main()
