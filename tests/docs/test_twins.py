"""Code that stands twice, because neither side may import the other, is the same code: one is mended, both are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TWINS = {
    "client/conductor/lib/wire/wrapped.py": "mock_server/conductor_mock/wire/wrapped.py",
    "client/conductor/commands/printing.py": "contracts/conductor_contracts/printing.py",
}
OF_ONE = {"can_show", "_OBEYED", "visible", "Commands"}
"""What only one of two modules has, or imports."""


def definitions(path: str) -> dict[str, str]:
    """What a module defines, by name, without docstrings."""
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for node in ast.walk(module):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            del node.body[0]
    defined = {}
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined[node.name] = ast.unparse(node)
        elif isinstance(node, ast.Assign):
            defined[ast.unparse(node.targets[0])] = ast.unparse(node.value)
    return {name: code for name, code in defined.items() if name not in OF_ONE}


@pytest.mark.parametrize("path", TWINS)
def test_twins_are_the_same(path: str) -> None:
    assert definitions(path) == definitions(TWINS[path])
    assert len(definitions(path)) >= 8
