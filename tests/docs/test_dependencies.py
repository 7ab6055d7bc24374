"""docs/background.md has a reason for every package that is depended on, and says rightly what depends on it."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DEPENDENCIES = (ROOT / "docs" / "background.md").read_text(encoding="utf-8").partition("\n## Why two")[0]
EXTRAS_IN_WORDS = ("blender", "dask", "examples", "postgres", "s3", "dev")
"""Extras that the page has in sentences, not in the table."""


def project(path: str) -> dict[str, Any]:
    tomllib = pytest.importorskip("tomllib")
    described: dict[str, Any] = tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]
    return described


def names(requirements: list[str]) -> set[str]:
    found = {re.split(r"[\[<>=~; ]", each)[0] for each in requirements}
    return {name for name in found if not name.startswith("conductor-mock")}


def test_the_table_says_what_depends_on_each_package() -> None:
    client, fake = project("client/pyproject.toml"), project("pyproject.toml")
    stated = {
        "client": names(client["dependencies"]),
        "cli": names(client["optional-dependencies"]["cli"]),
        "fake": names(fake["dependencies"]),
    }
    for extra, requirements in fake["optional-dependencies"].items():
        if extra not in EXTRAS_IN_WORDS:
            stated[f"extra `{extra}`"] = names(requirements)
    told = defaultdict(set)
    for package, where in re.findall(
        r"^\| ([\w-]+)[^|]* \| ([^|]+) \| .+ \| .+ \|$", DEPENDENCIES, re.MULTILINE
    ):
        for each in where.split(", "):
            told[each].add(package)
    del told["belongs to"]  # the head of the table
    assert told == stated


@pytest.mark.parametrize("extra", EXTRAS_IN_WORDS)
def test_each_package_of_the_other_extras_is_named_with_its_use(extra: str) -> None:
    words = set(re.findall(r"[\w-]+", DEPENDENCIES))
    wanted = names(project("pyproject.toml")["optional-dependencies"][extra])
    assert {name for name in wanted if not name.startswith("types-")} <= words
