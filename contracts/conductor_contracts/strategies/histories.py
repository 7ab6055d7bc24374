"""What may become of things, as walks through the table of job states, and the order in which files may be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from conductor_contracts.job_states import KINDS, Transition, load_job_states
from conductor_contracts.strategies.files import candidate
from conductor_contracts.strategies.values import check_size

BATCH = 20
"""So many files are asked for at once, at most (wire reference 2.5)."""

Plan = list[tuple[str, Any]]


def job_histories(
    *, kind: str = "tasks", min_size: int = 1, max_size: int = 12
) -> st.SearchStrategy[list[Transition]]:
    """What may become of one thing of a kind (tasks, jobs, uploads, downloads), from nothing on.

    Each step is one of ``job-states.yaml`` and begins where the one before ended. Of jobs it is the life until their
    tasks decide (``OF_TASKS``). A history is shorter than ``min_size`` only where nothing more can happen.
    """
    if kind not in KINDS:
        raise InvalidArgument(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    check_size("min_size", min_size, "max_size", max_size)
    return _walks(kind, min_size, max_size)


@st.composite
def _walks(draw: st.DrawFn, kind: str, min_size: int, max_size: int) -> list[Transition]:
    possible = sorted(
        (one for one in load_job_states().possible if one.kind == kind),
        key=lambda one: (str(one.before), str(one.after), one.by),
    )
    length = draw(st.integers(min_size, max_size))
    status: str | None = None
    history: list[Transition] = []
    while len(history) < length:
        ways = [one for one in possible if one.before == status]
        if not ways:
            break
        history.append(draw(st.sampled_from(ways)))
        status = history[-1].after
    return history


@st.composite
def upload_plans(draw: st.DrawFn, contents: Mapping[str, bytes]) -> Plan:
    """Orders in which a client may send files: ``("ask", body of files.get_upload_urls)`` and ``("put", path)``.

    ``contents`` maps absolute paths to bytes. Every path is asked for once, in batches of at most 20, and put after
    that; one content under several paths is put once, as the service wants it.
    """
    paths = draw(st.permutations(sorted(contents)))
    plan: Plan = []
    waiting: list[str] = []
    asked: set[bytes] = set()
    while paths or waiting:
        if paths and (not waiting or draw(st.booleans())):
            size = draw(st.integers(1, min(BATCH, len(paths))))
            batch, paths = paths[:size], paths[size:]
            plan.append(("ask", {"upload_files": [candidate(path, contents[path]) for path in batch]}))
            for path in batch:
                if contents[path] not in asked:
                    waiting.append(path)
                    asked.add(contents[path])
        else:
            plan.append(("put", waiting.pop(draw(st.integers(0, len(waiting) - 1)))))
    return plan
