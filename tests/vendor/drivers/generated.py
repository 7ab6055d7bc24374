"""Draw examples. In: which, how many, a seed. Out: the examples.

A process of its own, with this project's Python: Hypothesis is at work in the tests of this one.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from conductor_contracts import strategies as contract

MARKED = {
    "0001": ["####", "#", "%04d", "$F4", "<f>", "<UDIM>", "_MAPID_", "*", "000?", "000[12]", "%d", "$F"]
}
PACKAGE = "ae8026b7d9cfe524a77a3ebe94b9130a"
FRAMES = ("0001", "0002", "final")


@st.composite
def submissions(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments that both clients take: the vendor's names, and what it demands."""
    arguments = draw(contract.submit_arguments(legacy=False))
    for ours, theirs in (("title", "job_title"), ("scout_frame", "scout_frames"), ("user", "owner")):
        if ours in arguments:
            arguments[theirs] = arguments.pop(ours)
    for name in ("cores", "machine_flavor", "machine_type"):
        arguments.pop(name, None)
    # Only what the fake's catalogue has: it is strict.
    arguments["instance_type"] = draw(st.sampled_from(["n1-standard-2", "n1-highmem-8"]))
    arguments["project"] = "default"
    if "software_package_ids" in arguments:
        arguments["software_package_ids"] = [PACKAGE] * len(arguments["software_package_ids"])
    return arguments


@st.composite
def expansions(draw: st.DrawFn) -> dict[str, Any]:
    """A tree of files, and paths that may mean some of them, below the place where the tree will be."""
    stems = draw(st.lists(st.sampled_from(["im", "wood", "a b", "u1_v1", "é"]), min_size=1, max_size=2))
    folders = st.sampled_from(["", "tex/", "tex/deep/", ".hidden/", "tex0001/"])
    names = [
        f"{draw(folders)}{stem}.{frame}.exr"
        for stem in stems
        for frame in draw(st.lists(st.sampled_from(FRAMES), min_size=1, unique=True))
    ]
    asked = draw(
        st.lists(st.one_of(st.sampled_from(names).flatmap(_variants), _others()), min_size=1, max_size=3)
    )
    return {"files": sorted(set(names)), "paths": asked}


def _variants(name: str) -> st.SearchStrategy[str]:
    """A path, one of its folders, or a pattern that may fit it."""
    folders = [name[:at] for at, letter in enumerate(name) if letter == "/"] or [name]
    patterns = [name.replace(frame, marker) for frame, markers in MARKED.items() for marker in markers]
    return st.one_of(st.just(name), st.sampled_from(folders), st.sampled_from(patterns))


def _others() -> st.SearchStrategy[str]:
    return st.sampled_from(
        ["", "nothing.ma", "nothing.####.exr", "$UNSET/im", "$SHOW/im.0001.exr", "*/*.exr", "tex*"]
    )


STRATEGIES: dict[str, st.SearchStrategy[Any]] = {"submissions": submissions(), "expansions": expansions()}


def main() -> None:
    which, count, number = json.load(sys.stdin)
    found: list[Any] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(STRATEGIES[which])
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
