"""The small faults that can be planted in a module, one at a time, as people make them.

A comparison off by one or turned round, a condition forgotten or negated, another operator, a number one too large, a
word that is another, nothing returned, a call, an assignment, a lock or a refusal left out. Annotations, decorators,
docstrings, log lines and the words of messages are left as they are: what they say changes no behaviour.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_LONGEST_WORD = 40


@dataclass(frozen=True)
class Fault:
    """One fault of a module: which node (in the order of `ast.walk`) becomes what."""

    function: (
        str  # qualified name of the outermost function that it lies in; empty in the body of module or class
    )
    first_line: int  # of that function, its decorators included
    line: int
    kind: str
    before: str
    after: str
    node: int
    variant: int
    nth: int = 1
    """Which it is of those of this key, in the order of the lines."""

    @property
    def key(self) -> str:
        """What it is called in `equivalent.yaml`: it stays when lines move. Several of a function may have the same."""
        return f"{self.function or 'module'}: {self.before} -> {self.after}"

    @property
    def exact_key(self) -> str:
        """What it alone is called there."""
        return f"{self.key} ({self.nth})"

    def is_among(self, keys: Container[str]) -> bool:
        """Whether it is meant by one of the keys of `equivalent.yaml`."""
        return self.key in keys or self.exact_key in keys


def faults_of(path: Path) -> list[Fault]:
    """Every fault of a module, in the order of its lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places = _Places(tree)
    found = []
    for number, node in enumerate(ast.walk(tree)):
        if node in places.skipped:
            continue
        for variant, (kind, new) in enumerate(_variants(node, places)):
            function, first_line = places.function(node)
            before, after = _shown(node), _shown(new)
            line = getattr(node, "lineno", 0)
            found.append(Fault(function, first_line, line, kind, before, after, number, variant))
    counts: Counter[str] = Counter()
    ordered = sorted(found, key=lambda fault: (fault.line, fault.node, fault.variant))
    for number, fault in enumerate(ordered):
        counts[fault.key] += 1
        ordered[number] = replace(fault, nth=counts[fault.key])
    return ordered


def planted(path: Path, fault: Fault) -> ast.Module:
    """The module with one fault; lines stay where they were."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places = _Places(tree)
    node = next(node for number, node in enumerate(ast.walk(tree)) if number == fault.node)
    _, new = list(_variants(node, places))[fault.variant]
    parent, field, index = places.parents[node]
    replacement = ast.fix_missing_locations(ast.copy_location(new, node))
    if index is None:
        setattr(parent, field, replacement)
    else:
        getattr(parent, field)[index] = replacement
    return tree


class _Places:
    """Where each node of a tree stands, and what nothing is planted in."""

    def __init__(self, tree: ast.Module) -> None:
        self.parents: dict[ast.AST, tuple[ast.AST, str, int | None]] = {}
        self.skipped: set[ast.AST] = set()
        for parent in ast.walk(tree):
            for field, value in ast.iter_fields(parent):
                for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                    if isinstance(child, ast.AST):
                        self.parents[child] = (parent, field, index)
        for node in ast.walk(tree):
            for left in _left_alone(node):
                self.skipped.update(ast.walk(left))

    def function(self, node: ast.AST) -> tuple[str, int]:
        """The outermost function around a node, and its first line; decorators and defaults are outside."""
        names: list[str] = []
        first = 0
        while node in self.parents:
            parent, field, _ = self.parents[node]
            if isinstance(parent, ast.ClassDef):
                names.append(parent.name)
            elif isinstance(parent, (ast.FunctionDef, ast.AsyncFunctionDef)) and field == "body":
                names = [parent.name]
                first = min([parent.lineno, *(one.lineno for one in parent.decorator_list)])
            node = parent
        return (".".join(reversed(names)), first) if first else ("", 0)

    def within(self, node: ast.AST, kind: type[ast.AST]) -> bool:
        """Whether something of this kind is around a node."""
        while node in self.parents:
            node = self.parents[node][0]
            if isinstance(node, kind):
                return True
        return False


def _left_alone(node: ast.AST) -> Iterator[ast.AST]:
    for field in ("annotation", "returns"):
        if isinstance(found := getattr(node, field, None), ast.AST):
            yield found
    yield from getattr(node, "decorator_list", ())
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node  # a docstring
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _is_log(node.value):
        yield node
    if isinstance(node, (ast.Assert, ast.ImportFrom, ast.Import)):
        yield node
    if isinstance(node, ast.keyword) and node.arg == "strict":  # of zip: lists that belong together
        yield node.value
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        yield node
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("__all__", "__slots__", "logger"):
        yield node
    if isinstance(node, ast.Raise):
        yield from (part for part in (node.exc, node.cause) if part is not None)


def _is_log(call: ast.Call) -> bool:
    return ast.unparse(call.func).startswith(("logger.", "logging.", "_logger."))


def _variants(node: ast.AST, places: _Places) -> Iterator[tuple[str, ast.AST]]:
    """What a node may become, each with the kind of the fault. The node itself is not changed."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            changed = copy.deepcopy(node)
            changed.ops[index] = _COMPARED[type(operator)]()
            yield "comparison", changed
    elif isinstance(node, ast.BoolOp):
        for index in range(len(node.values)):
            left = [copy.deepcopy(value) for number, value in enumerate(node.values) if number != index]
            yield "condition", left[0] if len(left) == 1 else ast.BoolOp(op=node.op, values=left)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "condition", copy.deepcopy(node.operand)
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in _CALCULATED:
        changed_sum = copy.deepcopy(node)
        changed_sum.op = _CALCULATED[type(node.op)]()
        if not _of_texts(node):
            yield "operator", changed_sum
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        changed_call = copy.deepcopy(node)
        changed_call.func = ast.Name(id=_CALLED[node.func.id], ctx=ast.Load())
        if node.func.id == "sorted":
            changed_call.keywords = []
        yield "operator", changed_call
    elif isinstance(node, ast.Constant):
        yield from _constants(node, places)
    yield from _statements(node)
    test = getattr(node, "test", None)
    if isinstance(node, (ast.If, ast.IfExp, ast.While)) and isinstance(
        test, (ast.Name, ast.Call, ast.Attribute)
    ):
        changed_test = copy.deepcopy(node)
        changed_test.test = ast.UnaryOp(op=ast.Not(), operand=copy.deepcopy(test))
        yield "condition", changed_test


def _constants(node: ast.Constant, places: _Places) -> Iterator[tuple[str, ast.AST]]:
    parent = places.parents[node][0]
    if isinstance(node.value, bool):
        yield "constant", ast.Constant(value=not node.value)
    elif isinstance(node.value, int):
        yield "constant", ast.Constant(value=node.value + 1)
    elif (
        isinstance(node.value, str)
        and node.value
        and not isinstance(parent, (ast.JoinedStr, ast.FormattedValue))
    ):
        word = len(node.value) <= _LONGEST_WORD and not any(one.isspace() for one in node.value)
        if word and not places.within(node, ast.JoinedStr):
            yield "constant", ast.Constant(value=node.value + "X")


def _statements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """A statement that does nothing."""
    if isinstance(node, ast.Return) and node.value is not None:
        if not (isinstance(node.value, ast.Constant) and not node.value.value):  # None counts as those do
            yield "return", ast.Return(value=None)
    elif (isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Yield))) or (
        isinstance(node, (ast.Delete, ast.AugAssign))
    ):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield)):
            yield "left out", ast.Pass()
    elif (
        isinstance(node, ast.Assign) and isinstance(node.targets[0], (ast.Attribute, ast.Subscript))
    ) or isinstance(node, ast.Raise):
        yield "left out", ast.Pass()
    elif isinstance(node, ast.Continue):
        yield "left out", ast.Break()
    elif isinstance(node, ast.With):
        for index, item in enumerate(node.items):
            if item.optional_vars is None:
                changed = copy.deepcopy(node)
                del changed.items[index]
                alone = ast.If(test=ast.Constant(value=True), body=changed.body, orelse=[])
                yield "left out", changed if changed.items else alone


def _of_texts(node: ast.AST) -> bool:
    """Whether a sum joins texts or lists that are written down."""
    return any(
        isinstance(part, (ast.JoinedStr, ast.List, ast.Tuple))
        or (isinstance(part, ast.Constant) and isinstance(part.value, (str, bytes)))
        for part in (getattr(node, "left", None), getattr(node, "right", None), getattr(node, "value", None))
    )


def _shown(node: ast.AST) -> str:
    """A node in one line, of compound statements their head."""
    if isinstance(node, (ast.If, ast.While)):
        if isinstance(node.test, ast.Constant):
            return "no with"
        return f"{type(node).__name__.lower()} {ast.unparse(node.test)}"
    if isinstance(node, ast.With):
        return "with " + ", ".join(ast.unparse(item) for item in node.items)
    return " ".join(ast.unparse(node).split())[:100]
