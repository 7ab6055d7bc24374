"""The pages and tables that are made from code and contract: `make docs` writes them, a test finds old ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from conductor.lib.submission import arguments
from conductor_contracts.contract import load
from conductor_contracts.fidelity import fidelity_page
from conductor_mock.outputs import commands

DOCS = Path(__file__).parent

PAGES: Mapping[str, Callable[[], str]] = {"fidelity.md": lambda: fidelity_page(load())}
"""Pages that are made as a whole."""

TABLES: Mapping[str, Callable[[], str]] = {
    "reference/outputs.md": commands.reference,
    "reference/submit.md": arguments.reference,
}
"""Pages in which one table is made; its first line says which."""


def current() -> dict[Path, str]:
    """What each of the pages ought to hold. Raises ValueError for one that has lost its table."""
    texts = {DOCS / name: make() for name, make in PAGES.items()}
    for name, make in TABLES.items():
        path = DOCS / name
        texts[path] = _with_table(path.read_text(encoding="utf-8"), make().strip(), name)
    return texts


def stale() -> list[Path]:
    """The pages that are not what they ought to be."""
    return [path for path, text in current().items() if path.read_text(encoding="utf-8") != text]


def _with_table(page: str, table: str, name: str) -> str:
    heading, _, _ = table.partition("\n")
    before, found, after = page.partition(f"\n\n{heading}\n")
    if not found:
        raise ValueError(f"docs/{name} has no table that begins {heading!r}; put that line in")
    _, end, rest = after.partition("\n\n")
    return f"{before}\n\n{table}{end}{rest}" if end else f"{before}\n\n{table}\n"


def main() -> None:
    """Write what is old."""
    for path in stale():
        path.write_text(current()[path], encoding="utf-8")
        print(f"wrote docs/{path.relative_to(DOCS).as_posix()}")  # noqa: T201


if __name__ == "__main__":
    main()
