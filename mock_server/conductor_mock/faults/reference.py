"""The options of all kinds by name, and the tables of the documentation that are made of the kinds.

`make docs` writes them into the page, between its marks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field
from typing import Any

from conductor_mock.faults.fault import Fault
from conductor_mock.faults.kinds import KINDS
from conductor_mock.faults.options import default_of, meaning_of, schema_of

_CARRIED_OUT = ("no", "once", "twice")


def options_by_name() -> dict[str, list[tuple[type[Fault], Field[Any]]]]:
    """Each name of an option with the kinds that have it, in the order of the kinds."""
    found: dict[str, list[tuple[type[Fault], Field[Any]]]] = {}
    for kind in KINDS:
        for option in kind.options():
            found.setdefault(option.name, []).append((kind, option))
    return found


def spelling(name: str) -> str:
    """How the command line spells an option."""
    return f"--{name.replace('_', '-')}"


def kinds_table() -> str:
    """The kinds as a table of Markdown."""
    rows = []
    for kind in KINDS:
        options = ", ".join(f"`{option.name}` ({default_of(option)})" for option in kind.options())
        rows.append((f"`{kind.kind}`", options, _CARRIED_OUT[kind.carried_out], kind.effect()))
    return _table(("kind", "options", "carried out", "what the client gets"), rows)


def options_table() -> str:
    """Every option of every kind as a table of Markdown."""
    rows = [
        (
            f"`{name}`",
            f"`{spelling(name)}`",
            f"`{kind.kind}`",
            schema_of(option)["x-expect"],
            meaning_of(option),
        )
        for name, uses in options_by_name().items()
        for kind, option in uses
    ]
    return _table(("option", "command line", "of", "accepted", "meaning"), rows)


TABLES: Mapping[str, Callable[[], str]] = {"fault kinds": kinds_table, "fault options": options_table}


def written(page: str) -> str:
    """A page with each of its tables as it ought to be. Raises ValueError where the marks of one are missing."""
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: made by conductor_mock.faults.reference -->\n", f"<!-- {name}: end -->\n"
        before, found_begin, rest = page.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found_begin or not found_end:
            raise ValueError(f"the page needs a place for the {name}: {begin.strip()} {end.strip()}")
        page = f"{before}{begin}\n{make()}\n{end}{after}"
    return page


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, *rows)).replace(
        "\n", "\n" + "|---" * len(head) + "|\n", 1
    )
