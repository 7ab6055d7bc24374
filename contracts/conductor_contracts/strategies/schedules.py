"""Schedules of things that go wrong with requests, for the client that has to live with them.

What is wrong with a payload is in ``faults``; here it is the way to the service that fails, in every way that the retry
table (``retries.yaml``) has a name for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from conductor_contracts.retries import load_faults
from conductor_contracts.strategies.values import check_size


def fault_schedules(
    *, operations: Sequence[str], max_size: int = 5
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of rules, each a body of ``POST /_mock/faults``: a fault for some requests of one of the operations.

    ``operations`` are ids of the contract; one that stands there twice is drawn twice as often.
    """
    check_size("0", 0, "max_size", max_size)
    if isinstance(operations, str) or not operations:
        raise InvalidArgument(f"operations must be a list of ids of operations, got {operations!r}")
    rules = st.builds(
        lambda operation, fault, times, skip: {
            "match": {"operation": operation},
            "fault": fault,
            "times": times,
            "skip": skip,
        },
        st.sampled_from(list(operations)),
        st.sampled_from(list(load_faults().values())),
        st.integers(1, 6),
        st.integers(0, 3),
    )
    return st.lists(rules, max_size=max_size)
