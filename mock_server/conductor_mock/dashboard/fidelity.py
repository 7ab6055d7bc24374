"""How faithful the fake is: every operation and field of the contract with its grade and its source."""

from __future__ import annotations

from collections import Counter

from conductor_mock.context import service
from conductor_mock.dashboard.jobs import Part
from conductor_mock.dashboard.shown import account_name, chosen_values, show, slice_of
from conductor_mock.errors import not_found


def fidelity() -> str:
    """The operations with how much of each has which grade, and the rows that fit `operation`, `grade` and `text`."""
    query = chosen_values("operation", "grade", "text")
    contract = service().contract
    rows = contract.fidelity()
    if query.get("operation") and query["operation"] not in contract.operations:
        raise not_found(f"there is no operation {query['operation'][:80]!r} in the contract")
    text = query.get("text", "").casefold()
    fitting = [
        row
        for row in rows
        if query.get("operation") in (None, row.operation)
        and query.get("grade") in (None, row.grade)
        and (
            not text or text in f"{row.operation} {row.part} {row.name} {row.source} {row.differs}".casefold()
        )
    ]
    by_operation: dict[str, Counter[str]] = {name: Counter() for name in contract.operations}
    for row in rows:
        by_operation[row.operation][row.grade] += 1
    return show(
        "fidelity.html",
        account=account_name(),
        area="/fidelity",
        grades=contract.grades,
        total=Counter(row.grade for row in rows),
        operations=[
            {
                "id": name,
                "request": f"{operation.method} {operation.path}",
                "tasks": sum(by_operation[name].values()),
                "bar": _bar(by_operation[name], list(contract.grades)),
                "words": ", ".join(
                    f"{count} {grade}" for grade in contract.grades if (count := by_operation[name][grade])
                ),
            }
            for name, operation in contract.operations.items()
        ],
        rows=slice_of(fitting) if query else None,
        query=query,
    )


def _bar(counts: Counter[str], grades: list[str]) -> list[Part]:
    bar, start = [], 0
    for grade in grades:
        bar.append(Part(f"grade-{grade}", start, counts[grade]))
        start += counts[grade]
    return bar
