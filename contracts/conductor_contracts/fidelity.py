"""The fidelity table as a page: limits first, then every operation with the evidence for each of its parts.

Everything on the page stands in ``openapi.yaml``; nothing about the service is said here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from conductor_contracts.contract import Contract
from conductor_contracts.evidence import Evidence
from conductor_contracts.markdown import anchor, bullets, table
from conductor_contracts.operation import Operation
from conductor_contracts.sources import linked

_PAGE = "wire-protocol.md"
"""The wire reference, as the page beside it links it."""

_HEAD = """\
# How faithful the fake is, and on what evidence

<!-- Written by `python -m conductor_contracts fidelity`; change openapi.yaml, not this page. -->

The service has no public specification. What follows is what its clients and its documentation show, and how
well each part is known. Sources name sections of the [wire reference](wire-protocol.md), with its [tags](#tags)."""


def fidelity_page(contract: Contract) -> str:
    """The page as Markdown, ending in a line feed; the same contract always gives the same text."""
    rows = contract.fidelity()
    by_operation: dict[str, list[Evidence]] = {}
    for row in rows:
        by_operation.setdefault(row.operation, []).append(row)
    parts = [
        _HEAD,
        *_limits(contract, by_operation),
        *_witnesses(contract),
        *_overview(contract, by_operation),
        *_refusals(by_operation),
        *(
            part
            for name, operation in contract.operations.items()
            for part in _section(operation, by_operation[name])
        ),
    ]
    return "\n\n".join(parts) + "\n"


def grades_table(contract: Contract) -> str:
    """How many operations, and how many of their parts, each grade has, as a table; refusals are not counted."""
    parts = Counter(row.grade for row in contract.fidelity() if not _is_refusal(row))
    operations = Counter(operation.evidence for operation in contract.operations.values())
    return table(
        ("grade", "meaning", "operations", "their parts"),
        [
            (f"`{grade}`", text, str(operations[grade]), str(parts[grade]))
            for grade, text in contract.grades.items()
        ],
    )


def _limits(contract: Contract, by_operation: dict[str, list[Evidence]]) -> Iterator[str]:
    info = contract.document["info"]
    yield "## Limits"
    yield "### Known to differ from the service"
    by_place = [
        f"{_place(row)}: {row.differs}" for rows in by_operation.values() for row in rows if row.differs
    ]
    yield bullets([*info["x-differs"], *by_place])
    yield "### Not covered"
    yield bullets(linked(line, _PAGE) for line in info["x-not-covered"])
    yield "### Inferred"
    yield (
        "Guesses that no program proves, beside most of the refusals (see there); the tables of the operations say why "
        "none does."
    )
    yield bullets(_guesses(by_operation))


def _guesses(by_operation: dict[str, list[Evidence]]) -> Iterator[str]:
    for name, rows in by_operation.items():
        guessed = [_name(row) for row in rows if row.grade == "inferred" and not _is_refusal(row)]
        if guessed:
            yield f"`{name}`: {', '.join(guessed)}"


def _witnesses(contract: Contract) -> Iterator[str]:
    info = contract.document["info"]
    checks = info["x-checks"]
    yield "## Programs"
    yield (
        "Published programs that run unmodified against the fake in `tests/vendor`, and what is checked of each; a "
        "test there holds this table against the checks, which must all hold. Others were run once by hand: "
        "[figures](figures.md)."
    )
    yield table(("check", "what it is"), [(_words(name), text) for name, text in checks.items()])
    yield table(
        ("program", "host", *map(_words, checks)),
        [
            (
                f"`{witness['program']}` {witness['version']}",
                witness["host"],
                *("yes" if name in witness["checks"] else "" for name in checks),
            )
            for witness in info["x-witnesses"]
        ],
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _overview(contract: Contract, by_operation: dict[str, list[Evidence]]) -> Iterator[str]:
    yield "## Grades"
    total = Counter(row.grade for rows in by_operation.values() for row in rows if not _is_refusal(row))
    yield table(
        ("grade", "meaning", "rows"),
        [(grade, text, str(total[grade])) for grade, text in contract.grades.items()],
    )
    yield "## Tags"
    yield "What stands behind a source in brackets; more of each is told [there](wire-protocol.md#tags)."
    yield table(
        ("tag", "grade", "stands for"), [(f"[{tag.name}]", tag.grade, tag.means) for tag in contract.tags]
    )
    yield "## Operations"
    yield "How many rows each operation has in every grade, its refusals not counted."
    lines = []
    for name, operation in contract.operations.items():
        counts = Counter(row.grade for row in by_operation[name] if not _is_refusal(row))
        cells = (f"[{name}](#{anchor(name)})", f"{operation.method} `{operation.path}`", operation.evidence)
        lines.append((*cells, *(str(counts[grade]) for grade in contract.grades)))
    yield table(("operation", "request", "grade", *(f"rows {grade}" for grade in contract.grades)), lines)


def _section(operation: Operation, rows: Sequence[Evidence]) -> Iterator[str]:
    yield f"### {operation.id}"
    yield f"{operation.method} `{operation.path}`. {operation.summary}. Sent by {', '.join(operation.clients)}."
    yield _rows_table(row for row in rows if not _is_refusal(row))
    yield f"Refuses with {', '.join(str(code) for code in operation.statuses if code >= 400)}."


def _refusals(by_operation: dict[str, list[Evidence]]) -> Iterator[str]:
    """What every operation that may refuse so has in common, said once."""
    found = {(row.part, row.name): row for rows in by_operation.values() for row in rows if _is_refusal(row)}
    yield "## Refusals"
    yield "The same wherever an operation refuses so. Their body has one shape, `Error` of `openapi.yaml`."
    yield _rows_table(sorted(found.values(), key=lambda row: (row.name, row.part)))


def _is_refusal(row: Evidence) -> bool:
    return row.part.startswith("response") and row.name[:1] in ("4", "5")


def _rows_table(rows: Iterable[Evidence]) -> str:
    return table(
        ("part", "name", "grade", "source", "differs"),
        [
            (row.part, f"`{row.name}`" if row.name else "", row.grade, linked(row.source, _PAGE), row.differs)
            for row in rows
        ],
    )


def _place(row: Evidence) -> str:
    return f"`{row.operation}`" if row.part == "operation" else f"`{row.operation}`, {_name(row)}"


def _name(row: Evidence) -> str:
    return f"{row.part} `{row.name}`" if row.name else row.part
