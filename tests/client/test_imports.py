"""The modules of the client form no circle, counting imports for types and those inside functions too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import conductor

ROOT = Path(conductor.__path__[0])


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in ROOT.rglob("*.py")}


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules of the client that a module names in its imports, wherever these stand."""
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        # The package itself and its folders hold nothing that could be imported too early.
        yield from (name for name in names if name in MODULES and MODULES[name].name != "__init__.py")


def check(graph: dict[str, set[str]]) -> None:
    TopologicalSorter(graph).prepare()


def test_no_module_imports_one_that_imports_it() -> None:
    graph = {
        name: set(imported(ast.parse(path.read_text(encoding="utf-8")))) for name, path in MODULES.items()
    }
    assert "conductor.lib.wire.calls" in graph["conductor.lib.api_client"]
    check(graph)


def test_a_circle_is_noticed_wherever_its_imports_stand() -> None:
    lazily = "def f():\n    from conductor.lib import jobs"
    graph = {
        "conductor.lib.jobs": {"conductor.lib.tasks"},
        "conductor.lib.tasks": set(imported(ast.parse(lazily))),
    }
    with pytest.raises(CycleError):
        check(graph)
