"""Software packages and environments (wire reference 2.1 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from conductor_contracts.strategies.values import WORDS, check_size

PATH_NAMES = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "MAYA_MODULE_PATH")
"""Variables that packages append to."""

EXCLUSIVE_NAMES = ("ACME_LICENSE", "HFS", "MAYA_LOCATION")
"""Variables that one package alone may set."""

PLAIN_NAMES = ("SHOW", "SHOT", "OCIO")
"""Variables that no package touches."""

_POLICIES = ("append", "exclusive", "prepend")
_VALUES: st.SearchStrategy[str | int] = st.one_of(
    st.sampled_from(["", "/opt/a", "/opt/b", "/opt/a/bin:/opt/a/lib"]),
    WORDS.map(lambda word: f"/opt/{word}"),
    st.sampled_from([0, 1, -1, 2**40]),
)
"""Texts, and whole numbers, which some published packages and jobs have (wire reference 12.1)."""


def environments(
    *, names: Sequence[str] = PATH_NAMES + PLAIN_NAMES, max_size: int = 5
) -> st.SearchStrategy[dict[str, str | int]]:
    """Environments as a submission gives them: ``{"PYTHONPATH": "/opt/a"}``.

    The default names collide with what packages append, never with what they set exclusively.
    """
    _check_names(names)
    check_size("0", 0, "max_size", max_size)
    return st.dictionaries(st.sampled_from(list(names)), _VALUES, max_size=max_size)


def packages(
    *,
    policies: Sequence[str] = ("append", "exclusive"),
    names: Sequence[str] = PATH_NAMES + EXCLUSIVE_NAMES,
    platforms: Sequence[str] = ("linux", "windows"),
) -> st.SearchStrategy[dict[str, Any]]:
    """Package records as ``packages.list`` answers them, any policy on any of the names.

    ``policies`` may hold ``prepend``, which clients before 8.0 do not know.
    """
    _check_names(names)
    if not policies or not set(policies) <= set(_POLICIES):
        raise InvalidArgument(f"policies must be some of {', '.join(_POLICIES)}, got {policies!r}")
    variables = st.fixed_dictionaries(
        {
            "name": st.sampled_from(list(names)),
            "value": _VALUES,
            "merge_policy": st.sampled_from(list(policies)),
        }
    )
    return _records(st.lists(variables, max_size=5), platforms)


def package_lists(
    *, min_size: int = 0, max_size: int = 5, conflicts: bool = True
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of packages in the order in which they are merged, of one platform, with ids of their own.

    With ``conflicts`` false they always merge, also onto what ``environments()`` gives: each exclusive
    variable has one value in the whole list, and none is ever appended to. Otherwise anything may
    meet anything.
    """
    check_size("min_size", min_size, "max_size", max_size)
    if not isinstance(conflicts, bool):
        raise InvalidArgument(f"conflicts must be true or false, got {conflicts!r}")
    one_platform = st.sampled_from(["linux", "windows"])
    return one_platform.flatmap(
        lambda platform: (
            _distinct(packages(platforms=[platform]), min_size, max_size)
            if conflicts
            else _agreed_values().flatmap(
                lambda agreed: _distinct(_records(_agreeing(agreed), [platform]), min_size, max_size)
            )
        )
    )


def catalogues() -> st.SearchStrategy[dict[str, Any]]:
    """Catalogues of an account as ``--catalog`` takes them: packages, projects, machines and account variables.

    One project at least is active, one package and one machine is there; all are for linux, and packages merge.
    """
    project = st.builds(
        lambda number, name, active: {
            "id": str(number),
            "name": name,
            "status": "active" if active else "archived",
        },
        st.integers(1, 9999),
        WORDS,
        st.booleans(),
    )
    projects = st.lists(project, max_size=4, unique_by=(lambda one: one["id"], lambda one: one["name"])).map(
        lambda found: [
            {"id": "10000", "name": "default", "status": "active"},
            *(one for one in found if one["name"] != "default"),
        ]
    )
    machines = st.lists(_machine(), min_size=1, max_size=4, unique_by=lambda one: str(one["name"]))
    variables = st.dictionaries(st.sampled_from(PLAIN_NAMES), _VALUES, max_size=3).map(
        lambda found: [
            {"name": name, "value": value, "merge_policy": "exclusive"} for name, value in found.items()
        ]
    )
    return st.fixed_dictionaries(
        {
            "packages": _one_platform(),
            "projects": projects,
            "instance_types": machines,
            "env_vars_configs": variables,
        }
    )


def _one_platform() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Packages for linux that stand for themselves: no hosts, no plug-ins."""
    alone = {"platform": "linux", "plugin_host_product": "", "plugin_host_version": ""}
    return package_lists(min_size=1, conflicts=False).map(
        lambda found: [
            {**one, **alone, "build_version": str(number), "path": f"/opt/{one['relative_path']}"}
            for number, one in enumerate(found)
        ]
    )


def _machine() -> st.SearchStrategy[dict[str, Any]]:
    def record(cores: int, per_core: int) -> dict[str, Any]:
        name = f"n1-custom-{cores}-{cores * per_core}"
        return {
            "name": name,
            "description": f"{cores} core, {cores * per_core}GB Mem",
            "cores": cores,
            "memory": float(cores * per_core),
            "operating_system": "linux",
            "gpu": None,
            "categories": [],
        }

    return st.builds(record, st.integers(1, 128), st.integers(1, 16))


def _distinct(
    records: st.SearchStrategy[dict[str, Any]], min_size: int, max_size: int
) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(
        records, min_size=min_size, max_size=max_size, unique_by=lambda record: str(record["package_id"])
    )


def _agreed_values() -> st.SearchStrategy[dict[str, str | int]]:
    return st.fixed_dictionaries(dict.fromkeys(EXCLUSIVE_NAMES, _VALUES))


def _agreeing(agreed: dict[str, str | int]) -> st.SearchStrategy[list[dict[str, Any]]]:
    exclusive = st.sampled_from(sorted(agreed)).map(
        lambda name: {"name": name, "value": agreed[name], "merge_policy": "exclusive"}
    )
    append = st.builds(
        lambda name, value: {"name": name, "value": value, "merge_policy": "append"},
        st.sampled_from(PATH_NAMES),
        _VALUES,
    )
    return st.lists(st.one_of(append, exclusive), max_size=5)


def _records(
    variables: st.SearchStrategy[list[dict[str, Any]]], platforms: Sequence[str]
) -> st.SearchStrategy[dict[str, Any]]:
    products = st.sampled_from(["maya-io", "arnold-maya", "houdini", "nuke", "v-ray-standalone"])
    parts = st.sampled_from(["", "1", "2", "2024", "SP2", "glibc217"])
    return st.fixed_dictionaries(
        {
            "package_id": st.binary(min_size=16, max_size=16).map(bytes.hex),
            "product": products,
            "platform": st.sampled_from(list(platforms)),
            "major_version": st.sampled_from(["1", "3", "2024"]),
            "minor_version": parts,
            "release_version": parts,
            "build_version": parts,
            "plugin_host_product": st.sampled_from(["", "maya-io"]),
            "plugin_host_version": st.sampled_from(["", "2024"]),
            "plugin_hosts": st.just([]),
            "plugins": st.just([]),
            "environment": variables,
            "relative_path": WORDS.map(lambda word: f"acme/{word}/1"),
        },
        optional={
            "path": WORDS.map(lambda word: f"/opt/acme/{word}/1"),
            "vendor": WORDS,
            "description": st.just(""),
        },
    )


def _check_names(names: Sequence[str]) -> None:
    if isinstance(names, str) or not names or "" in names:
        raise InvalidArgument(f"names must be a list of one or more variable names, got {names!r}")
