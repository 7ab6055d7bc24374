"""What is made from code and contract, pages, tables and copies: `make docs` writes it, a test finds what is old."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from conductor.lib.submission import arguments
from conductor_contracts import parsed
from conductor_contracts.contract import load, load_control
from conductor_contracts.control_reference import control_table
from conductor_contracts.fidelity import fidelity_page, grades_table
from conductor_mock.faults import reference as faults
from conductor_mock.outputs import conventions

DOCS = Path(__file__).parent
CONTRACTS = Path("../contracts/conductor_contracts")


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

COPIES = tuple(CONTRACTS / name for name in ("control.yaml", "openapi.yaml"))
"""What is kept as JSON, too (`conductor_contracts.parsed`)."""


def stale() -> dict[Path, str]:
    """The pages and copies that are not what they ought to be, each with its right text."""
    right = {DOCS / name: make(_text(DOCS / name)) for name, make in PAGES.items()}
    for name in COPIES:
        right[DOCS / name.with_name(parsed.copy_of(name.name))] = parsed.written(_text(DOCS / name))
    return {path: text for path, text in right.items() if not path.exists() or text != _text(path)}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> None:
    """Write what is old."""
    for path, text in stale().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.resolve().relative_to(DOCS.parent).as_posix()}")  # noqa: T201


if __name__ == "__main__":
    main()
